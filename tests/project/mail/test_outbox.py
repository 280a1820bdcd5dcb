"""What becomes of a mail when it is sent: a row of the open transaction."""

from email.mime.base import MIMEBase
from email.mime.text import MIMEText

import pytest
from django.core.exceptions import ValidationError
from django.core.mail import (
    EmailMessage,
    EmailMultiAlternatives,
    get_connection,
    send_mail,
)
from django.db import transaction
from django.test import Client
from django.urls import reverse
from post_office.models import STATUS, Email

from project.models import PrivateFile
from tests.support.factories import make_user
from users.forms.passwords import ResetForm

pytestmark = pytest.mark.django_db

INJECTION = "Eve {% include 'admin/login.html' %}{{ settings.SECRET_KEY }}{% if"


@pytest.fixture(autouse=True)
def outbox(settings) -> None:
    settings.EMAIL_BACKEND = "project.mail.outbox.OutboxBackend"
    settings.DOMAIN_NAME = "https://shop.example:8443"


def make_mail(**fields) -> EmailMultiAlternatives:
    """Not sent yet."""
    return EmailMultiAlternatives(
        **{
            "subject": "Your lamp",
            "body": "It is on its way.",
            "from_email": "Shop <shop@example.com>",
            "to": ["ann@example.com"],
        }
        | fields
    )


def test_mail_of_a_transaction_that_fails_does_not_exist():
    with pytest.raises(RuntimeError), transaction.atomic():
        make_mail().send()
        assert Email.objects.count() == 1
        raise RuntimeError

    assert not Email.objects.exists()


def test_mail_of_a_view_that_fails_does_not_exist(monkeypatch):
    """allauth's views run in a transaction; here one fails after its mail."""
    user, written = make_user(), []

    def save(form, request, **kwargs):
        super(ResetForm, form).save(request, **kwargs)
        written.extend(Email.objects.all())
        raise RuntimeError

    monkeypatch.setattr(ResetForm, "save", save)
    client = Client(raise_request_exception=False)

    response = client.post(reverse("account_reset_password"), {"email": user.email})

    assert response.status_code == 500
    assert [mail.to for mail in written] == [[user.email]]
    assert not Email.objects.exists()


def test_row_of_a_mail_holds_all_of_it():
    mail = make_mail(
        cc=["bo@example.com"],
        bcc=["cy@example.com"],
        reply_to=["Help <help@example.com>"],
        headers={"X-Order": 42},
    )
    mail.attach_alternative("<p>It is on its way.</p>", "text/html")

    assert mail.send() == 1

    row = Email.objects.get()
    assert row.status == STATUS.queued and row.scheduled_time is None
    sent = row.email_message()
    assert sent.subject == "Your lamp"
    assert sent.body == "It is on its way."
    assert sent.alternatives[0] == ("<p>It is on its way.</p>", "text/html")
    assert sent.from_email == "Shop <shop@example.com>"
    assert (sent.to, sent.cc) == (["ann@example.com"], ["bo@example.com"])
    assert sent.bcc == ["cy@example.com"]
    headers = sent.message()
    assert headers["Reply-To"] == "Help <help@example.com>"
    assert headers["X-Order"] == "42"
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["Message-ID"] == row.message_id
    assert row.message_id.endswith("@shop.example>")
    assert headers["Bcc"] is None


def test_copies_of_a_mail_are_alike():
    make_mail().send()

    first, second = (
        Email.objects.get().email_message().message().as_bytes() for _ in range(2)
    )

    assert first == second


def test_html_only_mail_stays_html():
    mail = EmailMessage("Hello", "<b>Hi</b>", to=["ann@example.com"])
    mail.content_subtype = "html"

    mail.send()

    sent = Email.objects.get().email_message().message()
    assert sent.get_content_type() == "text/html"
    assert "<b>Hi</b>" in sent.get_payload()


def test_attached_files_come_along():
    mail = make_mail(attachments=[("bill.pdf", b"%PDF\xff", "application/pdf")])
    part = MIMEText("a,b", "csv")
    part.add_header("Content-Disposition", "attachment", filename="lines.csv")
    mail.attach(part)

    mail.send()

    parts = Email.objects.get().email_message().message().get_payload()[1:]
    contents = {part.get_filename(): part.get_payload(decode=True) for part in parts}
    assert contents == {"bill.pdf": b"%PDF\xff", "lines.csv": b"a,b"}


def test_attached_file_is_a_private_one_and_goes_with_a_transaction_that_fails():
    mail = make_mail(attachments=[("bill.pdf", b"%PDF\xff", "application/pdf")])

    with pytest.raises(RuntimeError), transaction.atomic():
        mail.send()
        assert PrivateFile.objects.get().folder == "mail"
        raise RuntimeError

    assert not PrivateFile.objects.exists()


def inline_picture() -> MIMEBase:
    part = MIMEBase("image", "png")
    part.set_payload(b"")
    part.add_header("Content-ID", "<logo>")
    return part


@pytest.mark.parametrize(
    "fields",
    [
        {"alternatives": [("BEGIN:VCALENDAR", "text/calendar")]},
        {"attachments": [inline_picture()]},
        {"attachments": [("mail.eml", EmailMessage("Inner"), "message/rfc822")]},
    ],
)
def test_mail_that_a_row_cannot_hold_is_refused(fields):
    with pytest.raises(ValueError, match="The outbox keeps"):
        make_mail(**fields).send()

    assert not Email.objects.exists()


def test_template_syntax_in_a_name_is_only_text():
    mail = make_mail(subject=f"Hello {INJECTION}", body=f"Dear {INJECTION},")
    mail.attach_alternative(f"<p>Dear {INJECTION},</p>", "text/html")

    mail.send()

    sent = Email.objects.get().email_message()
    assert sent.subject == f"Hello {INJECTION}"
    assert sent.body == f"Dear {INJECTION},"
    assert sent.alternatives[0].content == f"<p>Dear {INJECTION},</p>"


@pytest.mark.parametrize(
    "fields",
    [
        {"subject": "Hello\nBcc: all@example.com"},
        {"subject": "Hello\r\n\r\n<script>"},
        {"to": ['"Eve\nBcc: all@example.com" <eve@example.com>']},
        {"to": ["eve@example.com\nBcc: all@example.com"]},
        {"cc": ["eve@example.com\r\nX: y"]},
        {"bcc": ["eve@example.com\nX: y"]},
        {"from_email": "Eve\nBcc: all@example.com <eve@example.com>"},
        {"reply_to": ["eve@example.com\nBcc: all@example.com"]},
        {"headers": {"X-Name": "Eve\nBcc: all@example.com"}},
        {"to": ["no address"]},
        {"to": [""], "cc": ["ann@"]},
        {"to": ['"x,victim@example.org,y"@example.com']},
        {"to": ["ann@example.com, victim@example.org"]},
        {"cc": ["Ann <ann@example.com>, victim@example.org"]},
        {"bcc": ["ann@example.com;victim@example.org"]},
        {"to": ["=?utf-8?q?victim=40example.org=2C?=@example.com"]},
        {"from_email": "nobody"},
    ],
)
def test_mail_with_a_header_that_cannot_be_is_refused(fields):
    with pytest.raises((ValueError, ValidationError)):
        make_mail(**fields).send()

    assert not Email.objects.exists()


def test_batch_with_one_bad_recipient_is_not_written_by_halves():
    mails = [make_mail(), make_mail(to=["no address"])]

    with pytest.raises(ValidationError, match="Enter one email address"):
        get_connection().send_messages(mails)

    assert not Email.objects.exists()


def test_refused_mail_that_may_fail_silently_does(caplog):
    assert make_mail(to=["no address"]).send(fail_silently=True) == 0

    assert not Email.objects.exists()
    assert "no address" not in caplog.text
    assert "A mail was refused: ValidationError" in caplog.text


def test_mail_to_nobody_is_not_written():
    assert send_mail("Hello", "Hi", None, []) == 0

    assert not Email.objects.exists()


@pytest.mark.parametrize(
    "written, sent",
    [
        ('"Lee, Ann" <ann@example.com>', "Lee Ann <ann@example.com>"),
        ("Zoë <zoe@example.com>", "=?utf-8?q?Zo=C3=AB?= <zoe@example.com>"),
        ("O'Neil <o'neil@example.com>", "O'Neil <o'neil@example.com>"),
    ],
)
def test_recipient_with_a_name_is_one_recipient(written, sent):
    make_mail(to=[written, "bo@example.com"]).send()

    message = Email.objects.get().email_message()
    assert len(message.recipients()) == 2
    assert message.message()["To"] == f"{sent}, bo@example.com"
