"""The outbox with real Celery workers, killed ones too, and a broker that is away."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg2
import pytest
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from post_office.models import STATUS, Email

from tests.support.servers import START_S, Redis, database_url, wait_until
from tests.support.smtp import SmtpServer, running
from tests.support.workers import Worker, broker_at

pytestmark = pytest.mark.django_db(transaction=True)


def quick(smtp: SmtpServer) -> dict[str, str]:
    """The environment of a worker that delivers to `smtp` and soon tries again."""
    return {
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(smtp.port),
        "EMAIL_USE_TLS": "0",
        "EMAIL_TIMEOUT": "30",
        "OUTBOX_RETRY_S": "0.2",
        "OUTBOX_SWEEP_S": "0.3",
    }


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    with running() as server:
        yield server


@pytest.fixture
def redis(tmp_path) -> Iterator[Redis]:
    redis = Redis(tmp_path)
    redis.start()
    with broker_at(redis.url):
        yield redis
    redis.stop()


@pytest.fixture
def make_worker(redis, smtp, tmp_path) -> Iterator[Callable[..., Worker]]:
    """Launches one. Without beat it hears of mails by hints only."""
    workers: list[Worker] = []

    def make(*, beat: bool = True) -> Worker:
        worker = Worker(tmp_path, redis.url, beat=beat, **quick(smtp))
        workers.append(worker)
        worker.launch()
        return worker

    yield make
    for worker in workers:
        worker.kill()


@pytest.fixture(autouse=True)
def outbox(settings) -> None:
    settings.EMAIL_BACKEND = "project.mail.outbox.OutboxBackend"


def send(subject: str = "Hello") -> None:
    """Send a mail as the shop does."""
    EmailMultiAlternatives(
        subject, "Hi", "shop@example.com", ["ann@example.com"]
    ).send()


def all_sent() -> bool:
    return not Email.objects.exclude(status=STATUS.sent).exists()


def test_mail_is_delivered_right_after_its_commit_and_not_before(make_worker, smtp):
    make_worker(beat=False).wait()
    with pytest.raises(RuntimeError), transaction.atomic():
        send("Rolled back")
        raise RuntimeError
    with transaction.atomic():
        send("Committed")
        time.sleep(0.2)
        assert not smtp.reached

    # Without a beat no sweep brings it: it comes by the commit, or never.
    wait_until(lambda: bool(smtp.taken), "the mail", 10)
    wait_until(all_sent, "the mark", 10)
    assert smtp.subjects == ["Committed"]


def test_mails_of_a_broker_and_then_a_server_that_are_down_arrive_once(
    make_worker, smtp, tmp_path, caplog
):
    """The broker's by the sweep alone, as nobody heard of them; those that a server
    did not take, when it does."""
    with broker_at(f"unix://{tmp_path}/nobody.sock?db=0"):
        begun = time.monotonic()
        send("Unheard")
        assert time.monotonic() - begun < 0.5
        wait_until(lambda: "Redis is away" in caplog.text, "a warning", 5)
    assert not smtp.reached

    make_worker()
    wait_until(lambda: smtp.subjects == ["Unheard"], "the mail", START_S)

    wait_until(all_sent, "the mark", 10)
    smtp.stop()
    subjects = [f"Mail {n}" for n in range(5)]
    for subject in subjects:
        send(subject)
    tried = Email.objects.filter(status=STATUS.requeued)
    wait_until(tried.exists, "a try", START_S)

    smtp.start()

    wait_until(all_sent, "the mails", 10)
    assert sorted(smtp.subjects) == sorted(["Unheard", *subjects])


def test_mail_of_a_worker_that_is_killed_is_delivered_once_by_the_next(
    make_worker, smtp
):
    smtp.hang_at = {"DATA"}
    first = make_worker(beat=False)
    send()
    wait_until(lambda: "DATA" in smtp.reached, "the mail", START_S)

    first.kill()
    # A server that took the mail all the same would rightly get a second copy.
    wait_until(lambda: not smtp.waiting, "the server to see that it is gone", 5)
    smtp.hang_at.clear()
    assert not smtp.taken and not all_sent()
    make_worker()

    wait_until(all_sent, "the mail", START_S)
    assert smtp.subjects == ["Hello"]


def test_copies_of_a_mail_have_one_message_id(make_worker, smtp):
    """A worker that dies between the server's 250 and its own commit is the one case
    of two copies. Here its commit waits for a table that the test has locked."""
    first = make_worker(beat=False)
    with closing(psycopg2.connect(database_url())) as holding:
        with holding.cursor() as cursor:
            cursor.execute("LOCK TABLE post_office_log IN SHARE MODE")
        send()
        wait_until(lambda: len(smtp.taken) == 1, "the mail", START_S)
        first.kill()
        holding.rollback()
    assert not all_sent()

    make_worker()

    wait_until(all_sent, "the second copy", START_S)
    one, two = smtp.taken
    assert one["Message-ID"] == two["Message-ID"] == Email.objects.get().message_id
    assert one.as_bytes() == two.as_bytes()


def test_workers_that_sweep_at_once_deliver_each_mail_once(make_worker, smtp):
    workers = [make_worker(), make_worker()]
    for worker in workers:
        worker.wait()
    subjects = [f"Mail {n:02}" for n in range(40)]
    with transaction.atomic():
        for subject in subjects:
            send(subject)

    wait_until(all_sent, "the mails", 20)

    time.sleep(0.7)  # two more sweeps
    assert sorted(smtp.subjects) == subjects
    assert not [worker.said() for worker in workers if "ERROR" in worker.said()]
