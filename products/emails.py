"""Writes the shop's mails to the outbox, in the transaction that causes them.

Each domain has its own `emails` module. Texts are never rendered as templates, because
names may contain any characters.
"""

from collections.abc import Sequence

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from products.exceptions import MailRefused


def send(template: str, subject: str, to: Sequence[str], **context) -> None:
    """Write a mail from `template` (.txt and .html). Raises `MailRefused`."""
    context |= {"shop_name": settings.SHOP_NAME, "shop_url": settings.DOMAIN_NAME}
    text = render_to_string(f"{template}.txt", context).strip() + "\n"
    mail = EmailMultiAlternatives(subject, text, to=list(to))
    mail.attach_alternative(render_to_string(f"{template}.html", context), "text/html")
    try:
        mail.send()
    except ValidationError as error:
        raise MailRefused(" ".join(error.messages)) from error
    except ValueError as error:
        raise MailRefused(str(error)) from error


def one_line(text: str) -> str:
    """Return `text` without line breaks, for a header."""
    return " ".join(text.split())
