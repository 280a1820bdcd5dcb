"""Mails on their way out, with a real mail server at the other end."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import connection, transaction
from django.utils import timezone
from post_office.models import STATUS, Attachment, Email, Log

from project.mail import delivery, outbox
from project.mail.delivery import Outcome, deliver, sweep
from tests.support.concurrency import together
from tests.support.servers import wait_until
from tests.support.smtp import SmtpServer, make_certificate, running

pytestmark = pytest.mark.django_db
seen_by_threads = pytest.mark.django_db(transaction=True)

TIMEOUT_S = 0.4


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    with running() as server:
        yield server


@pytest.fixture(autouse=True)
def point_at(settings, monkeypatch) -> Callable[..., None]:
    """Deliver to that server: `point_at(smtp)`."""
    settings.EMAIL_TIMEOUT = TIMEOUT_S
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.POST_OFFICE = settings.POST_OFFICE | {
        "BACKENDS": {"default": "project.mail.backends.SmtpBackend"}
    }
    monkeypatch.setattr(delivery, "server", delivery.Server())

    def point(server: SmtpServer, *, starttls: bool = False, ssl: bool = False) -> None:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_USE_TLS, settings.EMAIL_USE_SSL = starttls, ssl

    return point


@pytest.fixture
def pointed(point_at, smtp) -> SmtpServer:
    point_at(smtp)
    return smtp


def written(subject: str = "Hello", to: str = "ann@example.com", **fields) -> Email:
    """A mail in the outbox, of which no worker was told."""
    mail = EmailMultiAlternatives(subject, "Hi Ann", "shop@example.com", [to])
    mail.attach_alternative("<p>Hi Ann</p>", "text/html")
    with transaction.atomic():
        row = outbox.write(mail)
    Email.objects.filter(pk=row.pk).update(**fields)
    return Email.objects.get(pk=row.pk)


def seconds_from_now(moment) -> float:
    return (moment - timezone.now()).total_seconds()


# --- Delivered --------------------------------------------------------------------


def test_due_mail_arrives_as_it_was_written(pointed):
    mail = written("Ünïcode — hello")

    assert deliver(mail.pk) is Outcome.SENT

    (message,), (envelope,) = pointed.taken, pointed.envelopes
    assert envelope.mail_from == "shop@example.com"
    assert envelope.rcpt_tos == ["ann@example.com"]
    assert message["Subject"] == "Ünïcode — hello"
    assert message["Message-ID"] == mail.message_id
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_body(["plain"]).get_content().strip() == "Hi Ann"
    assert message.get_body(["html"]).get_content().strip() == "<p>Hi Ann</p>"
    mail.refresh_from_db()
    assert mail.status == STATUS.sent
    assert [log.status for log in mail.logs.all()] == [STATUS.sent]


def test_mail_that_was_sent_is_not_sent_again(pointed):
    mail = written()

    assert [deliver(mail.pk), deliver(mail.pk)] == [Outcome.SENT, Outcome.NOTHING]
    assert sweep() == 0
    assert len(pointed.taken) == 1


def test_mail_whose_time_has_not_come_stays(pointed):
    mail = written(scheduled_time=timezone.now() + timedelta(minutes=1))

    assert deliver(mail.pk) is Outcome.NOTHING
    assert sweep() == 0
    assert not pointed.reached


def test_hidden_recipients_are_not_told_to_others(pointed):
    mail = written(bcc=["bo@example.com"])

    deliver(mail.pk)

    assert pointed.envelopes[0].rcpt_tos == ["ann@example.com", "bo@example.com"]
    assert b"bo@example.com" not in pointed.envelopes[0].content


def test_delivery_inside_a_transaction_is_refused(pointed):
    """Its "sent" would be taken back with the rest."""
    mail = written()

    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        deliver(mail.pk)

    assert not pointed.reached


# --- Refused ----------------------------------------------------------------------


def test_temporary_refusal_puts_the_mail_off_and_others_go_on(pointed, caplog):
    first = written("First")
    written("Second", "bo@example.com")
    pointed.refuse["ann@example.com"] = "451 Come back later"

    assert sweep() == 1

    assert pointed.subjects == ["Second"]
    first.refresh_from_db()
    assert first.status == STATUS.requeued and first.number_of_retries == 1
    assert 22 < seconds_from_now(first.scheduled_time) <= 37.5
    assert first.logs.get().message == "ann@example.com: 451 Come back later"
    assert first.logs.get().exception_type == "SMTPRecipientsRefused"
    assert deliver(first.pk) is Outcome.NOTHING
    assert not [each for each in caplog.records if each.levelname != "INFO"]


def test_mail_that_was_put_off_is_sent_when_its_time_comes(pointed, settings):
    settings.OUTBOX_RETRY_S = 0.01
    mail = written()
    pointed.answer = "452 Disk full"
    assert deliver(mail.pk) is Outcome.PUT_OFF
    pointed.answer = "250 Taken"
    time.sleep(0.02)

    assert sweep() == 1

    assert len(pointed.taken) == 1
    assert mail.logs.count() == 2


def test_pauses_double_up_to_an_hour():
    pauses = [seconds_from_now(delivery.next_try(tries)) for tries in range(1, 81)]

    for tries, pause in enumerate(pauses):
        expected = min(30 * 2**tries, 3600)
        assert 0.74 * expected < pause <= 1.25 * expected
    assert 2.5 < sum(pauses) / 86400 < 3.5  # days, until it is given up
    assert len({round(pause) for pause in pauses[10:]}) > 10  # not all at once


@pytest.mark.parametrize("refuse", ["550 No such person", "553 Bad name"])
def test_recipient_refused_for_good_fails_the_mail_at_once(pointed, caplog, refuse):
    mail = written("Your reset link")
    pointed.refuse["ann@example.com"] = refuse

    assert deliver(mail.pk) is Outcome.GIVEN_UP

    mail.refresh_from_db()
    assert mail.status == STATUS.failed
    assert refuse in mail.logs.get().message
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert f"Mail {mail.pk} is given up" in caplog.text and refuse[:3] in caplog.text
    assert "ann@" not in caplog.text and "reset" not in caplog.text
    assert sweep() == 0
    assert len(pointed.reached) == 2  # RCPT, QUIT


def test_content_refused_for_good_fails_the_mail_at_once(pointed, caplog):
    mail = written()
    pointed.answer = "554 Looks like spam"

    assert deliver(mail.pk) is Outcome.GIVEN_UP

    mail.refresh_from_db()
    assert mail.status == STATUS.failed
    assert mail.logs.get().message == "554 Looks like spam"
    assert "spam" not in caplog.text


def test_one_of_two_recipients_refused_is_told_and_the_other_gets_it(pointed, caplog):
    mail = written(cc=["bo@example.com"])
    pointed.refuse["bo@example.com"] = "550 No such person"

    assert deliver(mail.pk) is Outcome.SENT

    assert pointed.envelopes[0].rcpt_tos == ["ann@example.com"]
    logs = mail.logs.order_by("pk")
    assert [log.status for log in logs] == [STATUS.failed, STATUS.sent]
    assert "bo@example.com: 550 No such person" in logs[0].message
    assert f"Mail {mail.pk} did not go to all" in caplog.text


def test_mail_is_given_up_after_the_last_try(pointed, settings, caplog):
    mail = written(number_of_retries=settings.OUTBOX_TRIES - 2)
    pointed.answer = "451 Later"
    assert deliver(mail.pk) is Outcome.PUT_OFF
    Email.objects.update(scheduled_time=None)
    assert not caplog.records

    assert deliver(mail.pk) is Outcome.GIVEN_UP

    mail.refresh_from_db()
    assert mail.status == STATUS.failed
    assert len(caplog.records) == 1


def test_mail_that_came_too_late_fails_unsent(pointed):
    mail = written(expires_at=timezone.now() - timedelta(seconds=1))

    assert deliver(mail.pk) is Outcome.GIVEN_UP

    assert not pointed.reached
    mail.refresh_from_db()
    assert mail.status == STATUS.failed


def test_row_that_cannot_be_sent_fails_and_others_go_on(pointed):
    bad = written("Bad")
    Email.objects.update(subject="Two\nlines")
    written("Good")

    assert sweep() == 1

    assert pointed.subjects == ["Good"]
    bad.refresh_from_db()
    assert bad.status == STATUS.failed
    assert bad.logs.get().exception_type == "BadHeaderError"


def test_row_with_a_list_where_one_address_is_meant_is_not_split(pointed):
    """Whatever wrote the row: post_office splits at every comma."""
    bad = written()
    smuggled = '"x,victim@example.org,y"@example.com'
    Email.objects.filter(pk=bad.pk).update(to=smuggled)

    assert deliver(bad.pk) is Outcome.GIVEN_UP

    assert pointed.envelopes == []
    assert bad.logs.get().exception_type == "ValidationError"


# --- Out of order -----------------------------------------------------------------


def test_server_that_is_down_costs_one_try_and_one_line(pointed, caplog):
    mails = [written(f"Mail {n}") for n in range(5)]
    pointed.stop()

    assert sweep() == 0

    assert Log.objects.count() == 1
    rows = list(Email.objects.order_by("pk"))
    states = [STATUS.requeued, *[STATUS.queued] * 4]
    assert [row.status for row in rows] == states
    sweep()
    assert "ConnectionRefusedError" in mails[1].logs.get().message
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "the mail server is away" in record.message
    assert delivery.server.is_away


def test_server_that_comes_back_gets_each_mail_once(pointed, caplog):
    mails = [written(f"Mail {n}") for n in range(5)]
    pointed.stop()
    for _ in range(2):
        sweep()
    pointed.start()

    assert sweep() == 5  # also those that were put off because it was away

    assert sorted(pointed.subjects) == [f"Mail {n}" for n in range(5)]
    assert {mail["Message-ID"] for mail in pointed.taken} == {
        mail.message_id for mail in mails
    }
    assert "The mail server is back." in caplog.text
    assert not delivery.server.is_away


def test_mail_that_waits_for_its_own_sake_is_not_brought_forward(pointed):
    mail = written()
    pointed.refuse["ann@example.com"] = "451 Come back later"
    deliver(mail.pk)
    written(to="bo@example.com")

    assert sweep() == 1

    mail.refresh_from_db()
    assert seconds_from_now(mail.scheduled_time) > 20


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
def test_server_that_hangs_is_left_after_one_time_out(pointed, command):
    mails = [written(f"Mail {n}") for n in range(3)]
    pointed.hang_at = {command}
    begun = time.monotonic()

    assert sweep() == 0

    assert TIMEOUT_S <= time.monotonic() - begun < TIMEOUT_S + 1.5
    assert pointed.reached.count(command) == 1
    assert "timed out" in mails[0].logs.get().message
    wait_until(lambda: not pointed.waiting, "the server to see that we left", 5)
    pointed.hang_at.clear()
    Email.objects.update(scheduled_time=None)
    assert sweep() == 3
    assert sorted(pointed.subjects) == ["Mail 0", "Mail 1", "Mail 2"]


@seen_by_threads
def test_mail_is_marked_as_sent_before_the_goodbye(pointed):
    mail = written()
    pointed.hang_at = {"QUIT"}
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(in_thread(mail.pk)))

    thread.start()

    wait_until(lambda: "QUIT" in pointed.reached, "the goodbye", 5)
    assert thread.is_alive() and not outcomes
    mail.refresh_from_db()
    assert mail.status == STATUS.sent
    thread.join(5)
    assert outcomes == [Outcome.SENT]


def in_thread(pk: int) -> Outcome:
    try:
        return deliver(pk)
    finally:
        connection.close()


def test_worker_that_is_let_in_nowhere_keeps_the_mails(pointed, settings):
    """Wrong keys are the shop's fault, not the mails'."""
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = "wrong"
    mails = [written() for _ in range(2)]

    assert sweep() == 0

    assert Log.objects.count() == 1
    mails[0].refresh_from_db()
    assert mails[0].status == STATUS.requeued
    assert mails[0].logs.get().exception_type == "ServerAway"


# --- At once ----------------------------------------------------------------------


@seen_by_threads
def test_workers_at_once_send_each_mail_once(pointed):
    for n in range(24):
        written(f"Mail {n}")
    waiting = list(Email.objects.values_list("pk", flat=True))

    sweeps = [sweep] * 4
    hints = [lambda pk=pk: deliver(pk) for pk in waiting[::3]]
    outcomes = together([*sweeps, *hints])

    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert sorted(pointed.subjects) == sorted(f"Mail {n}" for n in range(24))
    assert set(Email.objects.values_list("status", flat=True)) == {STATUS.sent}


@seen_by_threads
def test_workers_without_the_lock_would_send_mails_twice(pointed, monkeypatch):
    """The positive control: it is the lock that the test above sees."""
    unlocked = lambda mails, **options: mails  # noqa: E731
    monkeypatch.setattr("django.db.models.QuerySet.select_for_update", unlocked)
    written()
    pointed.hang_at = {"DATA"}
    release = threading.Timer(TIMEOUT_S / 2, pointed.hang_at.clear)
    release.start()

    together([sweep, sweep])

    assert len(pointed.taken) == 2


@seen_by_threads
def test_mail_that_another_worker_has_in_hand_is_not_waited_for(pointed):
    mail = written("Mail")
    written("Other")
    with transaction.atomic():
        Email.objects.select_for_update().get(pk=mail.pk)
        begun = time.monotonic()

        outcome, sent = together([lambda: deliver(mail.pk), sweep])

        assert (outcome, sent) == (Outcome.NOTHING, 1)
        assert time.monotonic() - begun < 2
    assert pointed.subjects == ["Other"]


def test_sweep_takes_no_mail_after_its_time(pointed):
    written()

    assert sweep(seconds=0) == 0

    assert not pointed.reached


# --- TLS --------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path):
    return make_certificate(tmp_path, "127.0.0.1", "localhost")


@pytest.mark.parametrize("tls", ["STARTTLS", "implicit"])
def test_server_with_a_trusted_certificate_gets_the_mail(
    point_at, certificate, monkeypatch, tls
):
    shown, trusted = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    mail = written()
    with running(tls, shown) as server:
        point_at(server, starttls=tls == "STARTTLS", ssl=tls == "implicit")

        assert deliver(mail.pk) is Outcome.SENT

        assert len(server.taken) == 1


@pytest.mark.parametrize("tls", ["STARTTLS", "implicit"])
def test_server_with_an_unknown_certificate_gets_nothing(point_at, certificate, tls):
    mail = written()
    with running(tls, certificate[0]) as server:
        point_at(server, starttls=tls == "STARTTLS", ssl=tls == "implicit")

        assert deliver(mail.pk) is Outcome.SERVER_AWAY

        assert not server.reached
    assert "certificate verify failed" in mail.logs.get().message


def test_server_without_starttls_gets_nothing_in_plain_text(point_at, smtp):
    point_at(smtp, starttls=True)
    mail = written()

    assert deliver(mail.pk) is Outcome.SERVER_AWAY

    assert smtp.reached == ["QUIT"]
    assert "STARTTLS" in mail.logs.get().message


# --- Kept and seen ----------------------------------------------------------------


def test_old_mails_go_and_waiting_ones_never():
    now = timezone.now()
    remaining = [
        written(status=STATUS.sent, last_updated=now - timedelta(days=29)),
        written(status=STATUS.failed, last_updated=now - timedelta(days=89)),
        written(status=STATUS.queued, last_updated=now - timedelta(days=400)),
        written(status=STATUS.requeued, last_updated=now - timedelta(days=400)),
    ]
    written(status=STATUS.sent, last_updated=now - timedelta(days=31))
    written(status=STATUS.failed, last_updated=now - timedelta(days=91))

    assert delivery.clean() == 2

    left = Email.objects.order_by("pk").values_list("pk", flat=True)
    assert list(left) == [mail.pk for mail in remaining]


def test_files_of_old_mails_go_with_the_last_of_them():
    mail = EmailMultiAlternatives("Bill", "", "shop@example.com", ["ann@example.com"])
    mail.attach("bill.txt", "42", "text/plain")
    rows = [outbox.write(mail) for _ in range(2)]
    files = [row.attachments.get().file for row in rows]
    old = timezone.now() - timedelta(days=31)
    Email.objects.filter(pk=rows[0].pk).update(status=STATUS.sent, last_updated=old)

    delivery.clean()

    assert [file.storage.exists(file.name) for file in files] == [False, True]
    assert Attachment.objects.count() == 1
    files[1].delete(save=False)


def test_console_shows_a_mail_as_one_reads_it(capsys):
    link = "https://shop.example/users/confirm-email/" + "k" * 120 + "/?a=1&b=2"
    mail = EmailMultiAlternatives(
        "Größe & Maß", f"Grüße,\n{link}\n", "Shop <s@x.org>", ["Zoë <zoe@x.org>"]
    )
    mail.attach_alternative("<p>Grüße</p>", "text/html")
    mail.attach("bill.pdf", b"%PDF", "application/pdf")

    get_connection("project.mail.backends.ConsoleBackend").send_messages([mail])

    shown = capsys.readouterr().out.splitlines()
    assert "To: Zoë <zoe@x.org>" in shown
    assert "Subject: Größe & Maß" in shown
    assert "Grüße," in shown and link in shown
    assert "Also: text/html, bill.pdf" in shown
