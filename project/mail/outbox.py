"""The outbox: mail is a row first.

Whoever sends mail, by Django's API, only writes it down, in the transaction that is
open: the mail exists if its cause does. `project.mail.delivery` brings it out.
"""

import logging
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
from project.mail.tasks import deliver_soon
from realtime import request_ids

logger = logging.getLogger(__name__)

HTML = "text/html"
REQUEST_ID = "X-Request-ID"


class OutboxBackend(BaseEmailBackend):
    """Writes each message to the outbox: all of them or none.

    A message that could not be delivered is refused here, where its author hears of
    it: `ValidationError` for an address, `ValueError` for a line break in a header, or
    for what a row cannot hold.
    """

    def send_messages(self, email_messages: list[EmailMessage]) -> int:
        try:
            with transaction.atomic():
                rows = [write(one) for one in email_messages if one.recipients()]
        except (ValidationError, ValueError) as error:
            if not self.fail_silently:
                raise
            logger.warning("A mail was refused: %s", type(error).__name__)
            return 0
        deliver_soon([row.pk for row in rows])
        return len(rows)


def write(message: EmailMessage) -> Email:
    """The row of `message`, queued.

    Built from its texts as they are: post_office's own `mail.send()` takes them for
    templates, and a shopper could call themselves `{% include … %}`.
    """
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
        headers=headers(message),
        message_id=message.extra_headers.get("Message-ID") or new_message_id(),
        status=STATUS.queued,
        number_of_retries=0,
    )
    row.save()  # cleans it: a bad address raises here
    row.attachments.set(attachments(message))
    return row


def new_message_id() -> str:
    """Under the shop's name, the same for every try to deliver a mail."""
    return make_msgid(domain=urlsplit(settings.DOMAIN_NAME).hostname or "localhost")


def bodies(message: EmailMessage) -> tuple[str, str]:
    """Its text and its HTML; either may be empty."""
    body = str(message.body)
    text, html = ("", body) if message.content_subtype == "html" else (body, "")
    for content, mimetype in getattr(message, "alternatives", []):
        if mimetype != HTML or html:
            raise ValueError(f"The outbox keeps one HTML alternative, not {mimetype}.")
        html = str(content)
    return text, html


def headers(message: EmailMessage) -> dict[str, str]:
    """Its own headers, and those every mail of the shop has. The date is that of the
    writing, so that a second copy is a copy."""
    found = {name: str(value) for name, value in message.extra_headers.items()}
    found.pop("Message-ID", None)
    if message.reply_to:
        found.setdefault("Reply-To", ", ".join(map(str, message.reply_to)))
    found.setdefault("Date", formatdate())
    found.setdefault("Auto-Submitted", "auto-generated")  # no holiday notes, please
    # The row keeps it so, for the lines of whoever delivers it; and who asks about a
    # mail finds there what to quote.
    if request_id := request_ids.current():
        found.setdefault(REQUEST_ID, request_id)
    return found


def recipients(people: list[str]) -> list[str]:
    """Each of `people` as post_office's field can hold it, which splits at commas.
    Raises `ValidationError` for whoever is not exactly one address."""
    return [recipient(str(person)) for person in people if person]


def attachments(message: EmailMessage) -> list[Attachment]:
    """Rows and files. A file stays when the transaction fails; nobody can find it."""
    made = []
    for part in message.attachments:
        name, content, mimetype = plain(part)
        file = ContentFile(content, name=name or "attachment")
        made.append(
            Attachment.objects.create(file=file, name=file.name, mimetype=mimetype)
        )
    return made


def plain(part: MIMEBase | tuple) -> tuple[str, bytes, str]:
    """(name, content, type) of an attachment of either of Django's kinds."""
    if isinstance(part, MIMEBase):
        content = part.get_payload(decode=True)
        if content is None or part["Content-ID"]:
            raise ValueError("The outbox keeps files, no messages or inline pictures.")
        return part.get_filename() or "", content, part.get_content_type()
    name, content, mimetype = part
    if not isinstance(content, (str, bytes)):
        raise ValueError("The outbox keeps files, no messages.")
    data = content.encode() if isinstance(content, str) else content
    return name or "", data, mimetype
