"""How a mail leaves: by SMTP, or onto the console."""

import contextlib
import smtplib
import sys
from collections.abc import Sequence
from email.message import Message

from django.core.mail import EmailMessage
from django.core.mail.backends import smtp
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import sanitize_address

GOODBYE_TIMEOUT_S = 1

Refusals = dict[str, tuple[int, bytes]]


class SmtpBackend(smtp.EmailBackend):
    """Django's, for one mail: it tells whom the server refused among several people,
    and nothing that happens at the goodbye matters."""

    refused: Refusals = {}
    _partial_connection: smtplib.SMTP | None

    def _send(self, email_message: EmailMessage) -> bool:
        """Raises what smtplib raises when the server takes it for nobody."""
        sender = sanitize_address(email_message.from_email, "utf-8")
        people = [sanitize_address(to, "utf-8") for to in email_message.recipients()]
        message = email_message.message()
        # Django's own classes take `linesep`; its stubs name those of Python.
        data = message.as_bytes(linesep="\r\n")  # type: ignore[call-arg]
        assert self.connection is not None  # `send_messages` opens it
        self.refused = self.connection.sendmail(sender, people, data)
        return True

    def close(self) -> None:
        for connection in (self._partial_connection, self.connection):
            if connection is not None:
                with contextlib.suppress(OSError, smtplib.SMTPException):
                    if connection.sock:
                        connection.sock.settimeout(GOODBYE_TIMEOUT_S)
                        connection.quit()
                connection.close()
        self._partial_connection = self.connection = None


class ConsoleBackend(BaseEmailBackend):
    """For development: mails as one reads them, links in one piece."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for message in email_messages:
            sys.stdout.write(readable(message))
        sys.stdout.flush()
        return len(email_messages)


LINE = "─" * 72


def readable(message: EmailMessage) -> str:
    """The mail's head, its text and what else is in it, decoded."""
    heads: list[tuple[str, object]] = [
        ("From", message.from_email),
        ("To", ", ".join(message.to)),
    ]
    heads += [("Cc", ", ".join(message.cc)), ("Bcc", ", ".join(message.bcc))]
    heads += [("Subject", message.subject)]
    lines = [f"{name}: {value}" for name, value in heads if value]
    body, *others = leaves(message.message())
    also = [part.get_filename() or part.get_content_type() for part in others]
    if also:
        lines.append(f"Also: {', '.join(also)}")
    content = body.get_payload(decode=True)
    text = content.decode(errors="replace") if isinstance(content, bytes) else ""
    return "\n".join([LINE, *lines, "", text.strip(), LINE, ""])


def leaves(message: Message) -> list[Message]:
    """Its parts that hold content, the text first."""
    return [part for part in message.walk() if not part.is_multipart()]
