"""Sends the outbox's mails, one at a time in each of any number of workers.

A mail is delivered **at least once, and every copy has the same Message-ID**. Its row
stays locked while one worker talks to the mail server. It is marked as sent as soon as
the server has answered 250, before the goodbye, which may fail or hang. A worker that
is killed loses the lock, and the next sweep finds the mail unchanged. A second copy is
sent only if a worker dies between the server's 250 and our commit, or if the 250 is
lost on the way: SMTP cannot ask a server whether it has a mail.

`send_queued` of post_office holds a lock file, which works on one machine only. It
marks mails as sent after a whole batch, so a worker that dies would send them again.
"""

import contextlib
import logging
import random
import smtplib
import time
from datetime import datetime, timedelta
from enum import Enum

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection, transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from post_office.models import STATUS, Attachment, Email, Log
from post_office.settings import get_backend

from project import traces
from project.mail import facts
from project.mail.addresses import recipient
from realtime import request_ids

logger = logging.getLogger(__name__)

SWEEP_S = 60  # a sweep takes no further mail after it; one mail takes two minutes more
LONGEST_PAUSE_S = 60 * 60
JITTER = 0.25  # mails that failed together must not be retried together
KEPT = {STATUS.sent: timedelta(days=30), STATUS.failed: timedelta(days=90)}
WORDS = 1000  # the most characters of a server's answer to store

REQUEST_ID = "X-Request-ID"  # a header of the mail
WAITING = [STATUS.queued, STATUS.requeued]

# Longer than any task may take. If a worker's machine vanishes from the network, the
# database ends the transaction that it left open, and so releases the lock.
LET_GO = "SET LOCAL idle_in_transaction_session_timeout = '6min'"


class Outcome(Enum):
    NOTHING = "no mail was due"
    SENT = "sent"
    PUT_OFF = "to be tried again"
    GIVEN_UP = "failed"
    SERVER_AWAY = "to be tried again, and other mails would fare no better"


class ServerAway(Exception):
    """The server could not be reached or does not let the shop sign in. The mail is not
    the reason."""


class Expired(Exception):
    """The mail has expired."""


# --- Deliver ----------------------------------------------------------------------


def due() -> QuerySet[Email]:
    """Return the mails to send now."""
    now = timezone.now()
    is_time = Q(scheduled_time=None) | Q(scheduled_time__lte=now)
    return Email.objects.filter(is_time, status__in=WAITING)


def deliver(pk: int) -> Outcome:
    """Send this mail if it is due and no other worker is sending it."""
    return _deliver_first(due().filter(pk=pk))


def sweep(seconds: float = SWEEP_S) -> int:
    """Send mails until none is due, the server is away or the time is over.

    Returns how many were sent.
    """
    end, sent = time.monotonic() + seconds, 0
    waiting = F("scheduled_time").asc(nulls_first=True), "pk"
    while time.monotonic() < end:
        outcome = _deliver_first(due().order_by(*waiting))
        if outcome in (Outcome.NOTHING, Outcome.SERVER_AWAY):
            break
        if outcome is Outcome.SENT:
            sent += 1
            if sent == 1:
                bring_forward()
    return sent


def bring_forward() -> None:
    """Make mails due now that wait only because the server was away."""
    logs = Log.objects.filter(email=OuterRef("pk")).order_by("-pk")
    last = Subquery(logs.values("exception_type")[:1])
    with transaction.atomic():
        waiting = Email.objects.filter(
            status=STATUS.requeued, scheduled_time__gt=timezone.now()
        )
        waiting = waiting.alias(last=last).filter(last=ServerAway.__name__)
        keys = list(waiting.select_for_update(skip_locked=True).values_list("pk"))
        Email.objects.filter(pk__in=[pk for (pk,) in keys]).update(scheduled_time=None)


def _deliver_first(mails: QuerySet[Email]) -> Outcome:
    with contextlib.ExitStack() as after_commit:
        with transaction.atomic(durable=True):
            with connection.cursor() as cursor:
                cursor.execute(LET_GO)
            mail = mails.select_for_update(skip_locked=True).first()
            if mail is None:
                return Outcome.NOTHING
            backend = get_connection(get_backend())
            after_commit.callback(backend.close)
            after_commit.enter_context(request_ids.carried(_request_id(mail)))
            with traces.span("deliver mail", mail=mail.pk):
                return _try(mail, backend)


def _request_id(mail: Email) -> str | None:
    """Return the id of the request that wrote the mail, or of the current task if the
    mail has none."""
    return (mail.headers or {}).get(REQUEST_ID) or request_ids.current()


def _try(mail: Email, backend: BaseEmailBackend) -> Outcome:
    """Send a locked mail and record the outcome."""
    try:
        if facts.write(mail):  # once: every copy is the same
            _set(
                mail,
                message=mail.message,
                html_message=mail.html_message,
                context=None,
            )
        message = _message(mail)
        _open(backend)
        backend.send_messages([message])
    except Exception as error:  # servers, networks and bad rows raise all kinds
        return _fail(mail, error)
    server.note_back()
    _note_refused(mail, getattr(backend, "refused", {}))
    _set(mail, status=STATUS.sent)
    mail.logs.create(status=STATUS.sent)
    logger.info("Mail %s is delivered", mail.pk, extra={"mail": mail.pk})
    return Outcome.SENT


def _message(mail: Email) -> EmailMessage:
    if mail.expires_at and mail.expires_at <= timezone.now():
        raise Expired
    message = mail.email_message()
    for person in message.recipients():
        recipient(person)  # exactly one address, even if other code wrote the row
    message.message()  # raises if it cannot be sent, before the server is asked
    return message


def _open(backend: BaseEmailBackend) -> None:
    try:
        backend.open()
    except Exception as error:
        raise ServerAway(f"{type(error).__name__}: {words(error)}") from error


# --- Fail -------------------------------------------------------------------------


def _fail(mail: Email, error: Exception) -> Outcome:
    tries = (mail.number_of_retries or 0) + 1
    mail.logs.create(
        status=STATUS.failed, exception_type=type(error).__name__, message=words(error)
    )
    is_outage = concerns_all(error)
    if is_outage:
        server.note_away(error)
    if is_final(error) or tries >= settings.OUTBOX_TRIES:
        _set(mail, status=STATUS.failed, number_of_retries=tries, scheduled_time=None)
        logger.error(
            "Mail %s is given up after %s tries: %s", mail.pk, tries, brief(error)
        )
        return Outcome.SERVER_AWAY if is_outage else Outcome.GIVEN_UP
    _set(
        mail,
        status=STATUS.requeued,
        number_of_retries=tries,
        scheduled_time=next_try(tries),
    )
    return Outcome.SERVER_AWAY if is_outage else Outcome.PUT_OFF


def next_try(tries: int) -> datetime:
    """Return the time of the next attempt, after `tries` failed ones."""
    pause = min(settings.OUTBOX_RETRY_S * 2 ** min(tries - 1, 30), LONGEST_PAUSE_S)
    pause *= random.uniform(1 - JITTER, 1 + JITTER)
    return timezone.now() + timedelta(seconds=pause)


def is_final(error: Exception) -> bool:
    """Return whether another attempt would fail the same way."""
    match error:
        case smtplib.SMTPRecipientsRefused():
            return all(code >= 500 for code, _ in error.recipients.values())
        case smtplib.SMTPDataError():
            return error.smtp_code >= 500
        case smtplib.SMTPSenderRefused():
            return error.smtp_code == 552  # too big
        case Expired() | ValidationError():
            return True
        case ValueError() | TypeError() | LookupError():
            return True  # the row itself cannot be sent
    return False


def concerns_all(error: Exception) -> bool:
    """Return whether other mails would fail, too, and each cost a timeout."""
    match error:
        case smtplib.SMTPSenderRefused():
            return error.smtp_code != 552
        case smtplib.SMTPServerDisconnected() | ServerAway() | SoftTimeLimitExceeded():
            return True
        case smtplib.SMTPException() | FileNotFoundError() | PermissionError():
            return False
    return isinstance(error, OSError)  # the network


def words(error: Exception) -> str:
    """Return the text of an error for the mail's own log."""
    match error:
        case smtplib.SMTPRecipientsRefused():
            said = "; ".join(
                f"{person}: {code} {_text(answer)}"
                for person, (code, answer) in error.recipients.items()
            )
        case smtplib.SMTPResponseException():
            said = f"{error.smtp_code} {_text(error.smtp_error)}"
        case _:
            said = str(error)
    return said.replace("\0", "")[:WORDS]


def brief(error: Exception) -> str:
    """Return an error for the shop's log, without addresses and texts of mails."""
    match error:
        case smtplib.SMTPRecipientsRefused():
            said = " ".join(str(code) for code, _ in error.recipients.values())
        case smtplib.SMTPResponseException():
            said = str(error.smtp_code)
        case ServerAway():
            said = str(error)
        case _:
            said = ""
    return f"{type(error).__name__} {said}".strip()


def _text(answer: bytes | str) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer


def _note_refused(mail: Email, refused: dict) -> None:
    """Record that the server refused some of a mail's recipients."""
    if refused:
        error = smtplib.SMTPRecipientsRefused(refused)
        logger.error("Mail %s did not go to all recipients: %s", mail.pk, brief(error))
        mail.logs.create(
            status=STATUS.failed,
            exception_type=type(error).__name__,
            message=words(error),
        )


def _set(mail: Email, **fields) -> None:
    """Update a mail. `save()` checks its addresses, and could raise after the 250."""
    fields["last_updated"] = timezone.now()
    Email.objects.filter(pk=mail.pk).update(**fields)


class Server:
    """Whether the mail server answers this process. Logs once for each change."""

    def __init__(self) -> None:
        self._back_at: float | None = None

    @property
    def is_away(self) -> bool:
        """Whether the server was away a moment ago. A sweep notices when it is back."""
        return self._back_at is not None and time.monotonic() < self._back_at

    def note_away(self, error: Exception) -> None:
        if self._back_at is None:
            logger.warning("Mails wait, the mail server is away: %s", brief(error))
        self._back_at = time.monotonic() + settings.OUTBOX_RETRY_S

    def note_back(self) -> None:
        if self._back_at is not None:
            logger.warning("The mail server is back.")
        self._back_at = None


server = Server()


# --- Clean ------------------------------------------------------------------------


def clean() -> int:
    """Delete mails sent 30 days ago or given up 90 days ago, and their files.

    Returns how many mails were deleted.
    """
    now = timezone.now()
    old = Q()
    for status, time_kept in KEPT.items():
        old |= Q(status=status, last_updated__lt=now - time_kept)
    deleted = Email.objects.filter(old).delete()[1]
    for attachment in Attachment.objects.filter(emails=None):
        _delete(attachment)
    return deleted.get(Email._meta.label, 0)


def _delete(attachment: Attachment) -> None:
    """Delete the file before the row, so that a file that stays is still known."""
    try:
        attachment.file.delete(save=False)
    except OSError as error:
        logger.error("Attachment %s stays: %s", attachment.pk, error)
        return
    attachment.delete()
