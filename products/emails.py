"""Writes the shop's mails to the outbox, in the transaction that causes them.

The outbox stores facts. The worker that delivers a mail renders its template from them.
Each domain has its own `emails` module. Texts are never rendered as templates, because
names may contain any characters.
"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError

from products.exceptions import MailRefused
from project.mail.facts import FactsMail


def send(template: str, subject: str, to: Sequence[str], **facts: Any) -> None:
    """Write a mail from `template` (.txt and .html) and facts, which are JSON-ready.

    Raises `MailRefused`.
    """
    facts |= {"shop_name": settings.SHOP_NAME, "shop_url": settings.DOMAIN_NAME}
    mail = FactsMail(template, facts, subject, list(to))
    try:
        mail.send()
    except ValidationError as error:
        raise MailRefused(" ".join(error.messages)) from error
    except ValueError as error:
        raise MailRefused(str(error)) from error


def one_line(text: str) -> str:
    """Return `text` without line breaks, for a header."""
    return " ".join(text.split())
