"""Mails that are stored as facts, and written when they are delivered.

Rendering takes longer than the rest of a small order, and nobody waits for its result.
So the row of the outbox first has a template and facts. The worker that delivers the
mail writes its texts from them. Facts are plain values of the moment of the commit: a
mail about an order says what the order was then, whenever it is sent.
"""

from collections.abc import Mapping
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import get_language
from post_office.models import Email

HTML = "text/html"


class FactsMail(EmailMultiAlternatives):
    """A mail from `template` (.txt and .html) and JSON-ready facts.

    It is in the language that is active now. The outbox stores what it is written from.
    Other backends write it at once.
    """

    def __init__(
        self, template: str, facts: Mapping[str, Any], subject: str, to: list[str]
    ) -> None:
        super().__init__(subject, to=to)
        language = get_language()
        self.written_from = {
            "template": template,
            "language": language,
            "facts": dict(facts),
        }

    def message(self, **options: Any) -> Any:
        """Write the texts first."""
        if not self.body:
            self.body, html = texts(self.written_from)
            self.attach_alternative(html, HTML)
        return super().message(**options)


def texts(written_from: Mapping[str, Any]) -> tuple[str, str]:
    """Return the text and the HTML of a mail. Raises what its templates raise."""
    template, facts = written_from["template"], written_from["facts"]
    with translation.override(written_from["language"]):
        text = render_to_string(f"{template}.txt", facts).strip() + "\n"
        return text, render_to_string(f"{template}.html", facts)


def write(mail: Email) -> bool:
    """Write a row's texts, if they are not written yet, without saving the row.

    Return whether they were not.
    """
    if mail.context is None:
        return False
    mail.message, mail.html_message = texts(mail.context)
    mail.context = None
    return True
