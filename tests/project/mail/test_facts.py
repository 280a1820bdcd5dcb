"""Mails that are stored as facts, and written by the worker that delivers them."""

import smtplib
from collections.abc import Iterator

import pytest
from django.core import mail as mails
from django.core.exceptions import ValidationError
from django.template import TemplateDoesNotExist
from django.utils import translation
from post_office.models import STATUS, Email

from project.mail import delivery, facts, outbox
from project.mail.delivery import Outcome, deliver
from project.mail.facts import FactsMail
from tests.support.smtp import SmtpServer, running

pytestmark = pytest.mark.django_db

LOW = "products/email/low_stock"
FACTS = {
    "variants": [{"name": "Lamp <1>", "sku": "L1", "left": 3}],
    "link": "https://shop.example/admin/",
    "shop_name": "Tidewater",
    "shop_url": "https://shop.example",
}


@pytest.fixture
def smtp(settings, monkeypatch) -> Iterator[SmtpServer]:
    settings.POST_OFFICE = settings.POST_OFFICE | {
        "BACKENDS": {"default": "project.mail.backends.SmtpBackend"}
    }
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    monkeypatch.setattr(delivery, "server", delivery.Server())
    with running() as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        yield server


def stored(template: str = LOW, subject: str = "Low", **more: object) -> Email:
    return outbox.write(FactsMail(template, FACTS | more, subject, ["ann@example.com"]))


def test_row_has_facts_and_no_texts():
    row = stored()

    row.refresh_from_db()
    assert (row.message, row.html_message) == ("", "")
    assert row.context["facts"] == FACTS


def test_worker_writes_the_texts_and_sends_them(smtp):
    row = stored()

    assert deliver(row.pk) is Outcome.SENT

    (message,) = smtp.taken
    text = message.get_body(["plain"]).get_content()
    html = message.get_body(["html"]).get_content()
    assert "Lamp <1> (L1): 3 left" in text and "https://shop.example/admin/" in text
    assert "Lamp &lt;1&gt; (L1): 3 left" in " ".join(html.split())
    row.refresh_from_db()
    assert row.context is None
    assert row.message.strip() == text.replace("\r\n", "\n").strip()


def test_mail_that_is_tried_again_keeps_its_texts(smtp, monkeypatch):
    """A release in between may have other templates. A copy must not differ."""
    row = stored()

    def refuse(*_args: object) -> None:
        raise smtplib.SMTPDataError(451, b"Later")

    with monkeypatch.context() as patch:
        patch.setattr(smtplib.SMTP, "data", refuse)
        assert deliver(row.pk) is Outcome.PUT_OFF
    row.refresh_from_db()
    assert row.context is None and "3 left" in row.message
    Email.objects.update(message="As it was", scheduled_time=None)

    assert deliver(row.pk) is Outcome.SENT

    text = smtp.taken[0].get_body(["plain"]).get_content()
    assert text.strip() == "As it was"


def test_mail_whose_template_fails_waits_for_one_that_works(smtp):
    row = stored("products/email/gone")

    outcome = deliver(row.pk)

    row.refresh_from_db()
    assert outcome is Outcome.PUT_OFF and row.status == STATUS.requeued
    assert row.logs.get().exception_type == TemplateDoesNotExist.__name__
    Email.objects.update(context=row.context | {"template": LOW}, scheduled_time=None)
    assert deliver(row.pk) is Outcome.SENT


def test_mail_is_written_in_the_language_of_the_one_who_caused_it():
    with translation.override("de"):
        row = stored()

    facts.write(row)

    assert '<html lang="de">' in row.html_message


def test_other_backends_write_the_mail_at_once():
    FactsMail(LOW, FACTS, "Low", ["ann@example.com"]).send()

    assert "3 left" in mails.outbox[0].body


@pytest.mark.parametrize("subject", ["Two\nlines", "Two\rlines"])
def test_subject_that_cannot_be_a_header_is_refused(subject):
    with pytest.raises(ValueError):
        stored(subject=subject)

    assert not Email.objects.exists()


def test_facts_that_json_cannot_hold_are_refused():
    with pytest.raises(ValidationError):
        stored(variants={1, 2})
