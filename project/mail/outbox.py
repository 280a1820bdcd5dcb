"""The outbox: each mail is stored as a row before it is sent.

Django's mail API only writes the row, in the open transaction. So a mail exists if and
only if the change that caused it was committed. `project.mail.delivery` sends it.
"""

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from email.mime.base import MIMEBase
from email.utils import formatdate, make_msgid
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from post_office.models import STATUS, Attachment, Email

from project.mail.addresses import recipient
from project.mail.facts import HTML, FactsMail
from project.mail.tasks import deliver_soon
from realtime import request_ids

logger = logging.getLogger(__name__)

REQUEST_ID = "X-Request-ID"


class OutboxBackend(BaseEmailBackend):
    """Writes messages to the outbox, all of them or none.

    A message that could never be delivered is refused here, so that its caller gets the
    error: `ValidationError` for an address, `ValueError` for a line break in a header
    or for content that a row cannot hold.
    """

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        try:
            # One row is all or nothing without a savepoint.
            is_one = len(email_messages) == 1 and not email_messages[0].attachments
            with nullcontext() if is_one else transaction.atomic():
                rows = [write(one) for one in email_messages if one.recipients()]
        except (ValidationError, ValueError) as error:
            if not self.fail_silently:
                raise
            logger.warning("A mail was refused: %s", type(error).__name__)
            return 0
        deliver_soon([row.pk for row in rows])
        return len(rows)


def write(message: EmailMessage) -> Email:
    """Store `message` as a queued row and return the row.

    This does not use `mail.send()` of post_office. It renders texts as templates, and a
    shopper could choose the name `{% include … %}`.
    """
    written_from, text, html = None, "", ""
    if isinstance(message, FactsMail):
        written_from = message.written_from
        _without_bodies(message).message()
    else:
        message.message()  # raises for headers that could not be sent
        text, html = bodies(message)
    row = Email(
        from_email=str(message.from_email),
        to=recipients(message.to),
        cc=recipients(message.cc),
        bcc=recipients(message.bcc),
        subject=str(message.subject),
        message=text,
        html_message=html,
        context=written_from,
        headers=headers(message),
        message_id=message.extra_headers.get("Message-ID") or new_message_id(),
        status=STATUS.queued,
        number_of_retries=0,
    )
    row.save()  # cleans it: a bad address raises here
    if message.attachments:
        row.attachments.set(attachments(message))
    return row


def _without_bodies(message: EmailMessage) -> EmailMessage:
    """Return a message with the same headers."""
    return EmailMessage(
        *(message.subject, "", message.from_email, message.to),
        cc=message.cc,
        bcc=message.bcc,
        headers=message.extra_headers,
        reply_to=message.reply_to,
    )


def new_message_id() -> str:
    """Return an id in the shop's domain, for all attempts to deliver a mail."""
    return make_msgid(domain=urlsplit(settings.DOMAIN_NAME).hostname or "localhost")


def bodies(message: EmailMessage) -> tuple[str, str]:
    """Return the text and the HTML of a message. Either may be empty."""
    body = str(message.body)
    text, html = ("", body) if message.content_subtype == "html" else (body, "")
    for content, mimetype in getattr(message, "alternatives", []):
        if mimetype != HTML or html:
            raise ValueError(f"The outbox keeps one HTML alternative, not {mimetype}.")
        html = str(content)
    return text, html


def headers(message: EmailMessage) -> dict[str, str]:
    """Return the headers of a message and those of all the shop's mails.

    The date is set now, so that a mail that is sent twice is the same both times.
    """
    result = {name: str(value) for name, value in message.extra_headers.items()}
    result.pop("Message-ID", None)
    if message.reply_to:
        result.setdefault("Reply-To", ", ".join(map(str, message.reply_to)))
    result.setdefault("Date", formatdate())
    result.setdefault("Auto-Submitted", "auto-generated")  # no holiday notes, please
    # The row keeps the request's id for the delivery's log lines. People who ask about
    # a mail can quote it.
    if request_id := request_ids.current():
        result.setdefault(REQUEST_ID, request_id)
    return result


def recipients(people: list[str]) -> list[str]:
    """Return the recipients in a form for post_office's field, which splits at commas.

    Raises `ValidationError` for a recipient that is not exactly one address.
    """
    return [recipient(str(person)) for person in people if person]


def attachments(message: EmailMessage) -> list[Attachment]:
    """Store the attachments. If the transaction fails, their files stay, unused."""
    rows = []
    for part in message.attachments:
        name, content, mimetype = plain(part)
        file = ContentFile(content, name=name or "attachment")
        rows.append(
            Attachment.objects.create(file=file, name=file.name, mimetype=mimetype)
        )
    return rows


def plain(part: MIMEBase | tuple) -> tuple[str, bytes, str]:
    """Return name, content and type of an attachment of either of Django's kinds."""
    if isinstance(part, MIMEBase):
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes) or part["Content-ID"]:
            raise ValueError("The outbox keeps files, no messages or inline pictures.")
        return part.get_filename() or "", content, part.get_content_type()
    name, content, mimetype = part
    if not isinstance(content, (str, bytes)):
        raise ValueError("The outbox keeps files, no messages.")
    data = content.encode() if isinstance(content, str) else content
    return name or "", data, mimetype
