"""What /metrics tells of background work: with the real tables, broker and worker."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import psycopg2
import pytest
from celery.beat import ScheduleEntry, Service
from celery.schedules import crontab
from celery.signals import beat_init
from django.apps import apps
from django.core.mail import EmailMultiAlternatives
from django.db import connection
from django.utils import timezone
from post_office.models import STATUS, Email
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from products.basket import holds
from products.models import Basket, Order, Payment, Stock, Waiting, WebhookEvent
from products.orders import services as orders
from products.tasks import check_books, release_lapsed_holds
from project import background, beats
from project.background import GAUGES, Background
from project.celery import app, later
from project.mail.tasks import deliver_mail, sweep_outbox
from project.models import JobRun, WorkerHeartbeat
from tests.support.factories import make_basket, make_order, make_variant
from tests.support.servers import START_S, Redis, database_url, wait_until
from tests.support.workers import Worker, broker_at

pytestmark = pytest.mark.django_db

Numbers = dict[str, float]


def ago(**time: float):
    return timezone.now() - timedelta(**time)


def of_database() -> Numbers:
    """What the tables of this test's transaction say, by name and labels."""
    return {
        f"{name}{list(labels)}" if labels else name: value
        for name, values in background.read().items()
        for labels, value in values.items()
    }


@pytest.fixture
def scrape() -> Iterator[Callable[[], Numbers]]:
    """What a process says when it is scraped, again and again: numbers by name and
    labels as Prometheus writes them."""
    shop = Background()

    def scrape() -> Numbers:
        loop.run(shop.look())
        lines = generate_latest(shop).decode().splitlines()
        samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in samples}

    with asyncio.Runner() as loop:
        yield scrape


def just_now(**fields) -> dict:
    """Fields of a payment."""
    return {"provider": "stripe", "amount": 1, "currency": "EUR"} | fields


# --- The database -----------------------------------------------------------------


def test_shop_without_work_says_0_of_everything():
    numbers = of_database()

    of_jobs = {name: n for name, n in numbers.items() if name.startswith("shop_beat")}
    others = numbers.keys() - of_jobs
    assert {numbers[name] for name in others} == {0}
    of_broker = {"shop_background_up", "shop_tasks_queued", "shop_tasks_unacked"}
    assert {name.split("[")[0] for name in numbers} == GAUGES.keys() - of_broker


def send(subject: str = "Hello", **fields) -> None:
    mail = EmailMultiAlternatives(subject, "Hi", None, ["ann@example.com"])
    mail.send()
    Email.objects.filter(subject=subject).update(**fields)


def test_mails_that_wait_are_counted_with_the_age_of_the_oldest(settings):
    settings.EMAIL_BACKEND = "project.mail.outbox.OutboxBackend"
    send("new")
    send("tried", status=STATUS.requeued, created=ago(hours=2))
    send("sent", status=STATUS.sent, created=ago(days=2))
    send("given up", status=STATUS.failed, created=ago(days=3))

    numbers = of_database()

    assert numbers["shop_mails_waiting"] == 2
    assert numbers["shop_mail_oldest_waiting_seconds"] == pytest.approx(7200, abs=60)
    assert numbers["shop_mails_failed"] == 1


def make_held(**time: float) -> Basket:
    basket = holds.start(make_basket(lines={make_variant(): 1}))
    Basket.objects.filter(pk=basket.pk).update(held_until=ago(**time))
    return basket


def test_holds_are_overdue_until_their_units_are_given_back():
    make_held(minutes=-5)
    make_held(minutes=1)
    make_held(minutes=10)

    numbers = of_database()
    holds.release_lapsed()
    after = of_database()

    assert numbers["shop_holds_overdue"] == 2
    assert numbers["shop_hold_oldest_overdue_seconds"] == pytest.approx(600, abs=60)
    assert after["shop_holds_overdue"] == 0
    assert after["shop_hold_oldest_overdue_seconds"] == 0


def test_orders_are_overdue_until_they_expire():
    order = make_order()
    Order.objects.filter(pk=order.pk).update(expires_at=ago(minutes=10))

    numbers = of_database()
    orders.expire_overdue()
    after = of_database()

    assert numbers["shop_orders_overdue"] == 1
    assert numbers["shop_order_oldest_overdue_seconds"] == pytest.approx(600, abs=60)
    assert after["shop_orders_overdue"] == 0


def test_orders_on_hold_are_counted_by_reason():
    for reason in ("stuck", "stuck", "disputed"):
        Order.objects.filter(pk=make_order().pk).update(on_hold=reason)

    numbers = of_database()

    assert numbers["shop_orders_on_hold['stuck']"] == 2
    assert numbers["shop_orders_on_hold['disputed']"] == 1
    assert numbers["shop_orders_on_hold['refunded']"] == 0


def test_money_that_is_not_where_it_belongs_is_counted():
    order = make_order()
    paid = Payment.objects.create(order=order, status="refunding", **just_now())
    Payment.objects.create(order=order, status="closing", **just_now())
    Payment.objects.create(order=order, status="created", **just_now())
    for status in ("asked", "done", "failed"):
        refund = paid.refunds.create(status=status, amount=1, currency="EUR")
        paid.refunds.filter(pk=refund.pk).update(created_at=ago(hours=1))
    for event, awaits in (("1", "pi_1"), ("2", "")):
        WebhookEvent.objects.create(provider="stripe", event_id=event, awaits=awaits)

    numbers = of_database()
    Order.objects.filter(pk=order.pk).update(status="cancelled")
    after = of_database()

    assert numbers["shop_refunds_waiting"] == 1
    assert numbers["shop_refund_oldest_waiting_seconds"] == pytest.approx(3600, abs=60)
    assert numbers["shop_webhooks_waiting"] == 1
    assert numbers["shop_payments_to_close"] == 1
    assert after["shop_payments_to_close"] == 2


def test_rows_that_a_sweep_could_not_finish_are_counted_by_kind():
    make_held(minutes=1)
    Basket.objects.update(failures=1, retry_at=ago(minutes=-5))
    variant = make_variant(on_hand=0)
    waits = {"variant": variant, "language": "en"}
    Waiting.objects.create(email="a@example.com", failures=3, **waits)
    Waiting.objects.create(email="b@example.com", **waits)

    numbers = of_database()

    assert numbers["shop_sweep_problems['basket']"] == 1
    assert numbers["shop_sweep_problems['waiting']"] == 1
    assert numbers["shop_sweep_problems['order']"] == 0


def test_scrape_costs_the_database_few_statements(django_assert_max_num_queries):
    with django_assert_max_num_queries(2):
        background.read()


def make_closed_orders(quantity: int) -> None:
    """Create cancelled orders, each with a failed payment."""
    (row,) = Order.objects.filter(pk=make_order().pk).values()
    for unique in ("id", "number", "access_token", "basket_id"):
        del row[unique]
    row |= {"status": Order.Status.CANCELLED, "expires_at": None}
    orders = Order.objects.bulk_create(Order(**row) for _ in range(quantity))
    Payment.objects.bulk_create(
        Payment(
            order=order, provider="stripe", amount=1, currency="EUR", status="failed"
        )
        for order in orders
    )


def test_statement_of_a_scrape_reads_by_indexes_of_what_is_open():
    """With whole tables forbidden, PostgreSQL reads one only where no index will do.

    Among several indexes it chooses by statistics, so there are some closed orders.
    """
    make_closed_orders(300)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE products_order, products_payment")
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = background.tallies().explain()

    assert re.findall(r"Seq Scan on (\w+)", plan) == ["project_workerheartbeat"]
    assert set(re.findall(r"(?:Index Scan on|using) (\w+)", plan)) >= {
        *("order_overdue", "order_on_hold", "payment_to_close", "webhook_event_awaits"),
        *(f"{kind}_problem" for kind in ("basket", "order", "payment", "waiting")),
        "picture_fetch_problem",
    }


# --- Jobs -------------------------------------------------------------------------


def test_every_job_of_the_schedule_is_told_with_its_interval(settings):
    numbers = of_database()

    for job, entry in settings.CELERY_BEAT_SCHEDULE.items():
        assert numbers[f"shop_beat_interval_seconds['{job}']"] == entry["schedule"]
        assert f"shop_beat_last_run_timestamp_seconds['{job}']" in numbers


@pytest.mark.parametrize(
    "schedule, seconds",
    [
        (5, 5),
        (0.5, 0.5),
        (timedelta(hours=2), 7200),
        (crontab(), 60),
        (crontab(minute="15,30"), 45 * 60),
        (crontab(minute=0, hour=3), 24 * 3600),
        (crontab(minute=0, hour=3, day_of_week="mon-fri"), 3 * 24 * 3600),
    ],
    ids=["number", "fraction", "timedelta", "minutes", "uneven", "daily", "workdays"],
)
def test_interval_of_a_job_is_the_longest_pause_of_its_schedule(
    settings, schedule, seconds
):
    job = {"task": "users.tasks.clear_sessions", "schedule": schedule}
    settings.CELERY_BEAT_SCHEDULE = {"clear-sessions": job}

    assert of_database()["shop_beat_interval_seconds['clear-sessions']"] == seconds


def run_of(job: str) -> float:
    return of_database()[f"shop_beat_last_run_timestamp_seconds['{job}']"]


def failure_of(job: str) -> float:
    return of_database()[f"shop_beat_last_failure_timestamp_seconds['{job}']"]


def test_job_that_ended_well_has_run():
    before = time.time()

    release_lapsed_holds.apply()
    sweep_outbox.apply()

    for job in ("release-lapsed-holds", "sweep-outbox"):
        assert run_of(job) == pytest.approx(before, abs=60)
        assert failure_of(job) == 0
    assert run_of("expire-orders") < before


def test_job_that_failed_has_not_run_and_says_when_it_failed():
    JobRun.objects.update_or_create(
        job="check-the-books", defaults={"ran_at": ago(hours=1)}
    )
    before = run_of("check-the-books")
    make_variant()
    Stock.objects.update(on_hand=99)

    check_books.apply()

    assert run_of("check-the-books") == before
    assert failure_of("check-the-books") == pytest.approx(time.time(), abs=60)


def test_task_that_is_no_job_of_the_schedule_is_not_noted():
    JobRun.objects.all().delete()

    deliver_mail.apply((0,))

    assert not JobRun.objects.exists()


def test_migrate_tells_the_shop_of_new_jobs_and_forgets_old_ones():
    JobRun.objects.all().delete()
    JobRun.objects.create(job="sweep-outbox", ran_at=ago(days=1))
    JobRun.objects.create(job="of-an-old-version", ran_at=ago(days=1))

    beats.know_jobs(apps.get_app_config("project"), apps=apps, using="default")

    assert run_of("clear-sessions") == pytest.approx(time.time(), abs=60)
    assert run_of("sweep-outbox") < time.time() - 80_000
    assert not JobRun.objects.filter(job="of-an-old-version").exists()


def start_beat(folder: Path) -> dict[str, ScheduleEntry]:
    """The jobs of a beat that starts without its file."""
    service = Service(app, schedule_filename=str(folder / "beat"))
    with closing(service.scheduler):
        beat_init.send(sender=service)
        return dict(service.scheduler.schedule)


@pytest.mark.django_db(transaction=True)
def test_beat_that_lost_its_file_knows_when_jobs_ran(tmp_path):
    JobRun.objects.all().delete()
    JobRun.objects.create(job="clean-outbox", ran_at=ago(hours=25))
    JobRun.objects.create(job="clear-sessions", ran_at=ago(hours=20))

    jobs = start_beat(tmp_path)

    assert jobs["clean-outbox"].is_due().is_due
    for job, hours in (("clear-sessions", 4), ("erase-departed", 24)):
        is_due, wait = jobs[job].is_due()
        assert (is_due, wait) == (False, pytest.approx(hours * 3600, abs=60))


# --- Broker and workers -----------------------------------------------------------


@pytest.fixture
def redis(tmp_path) -> Iterator[Redis]:
    redis = Redis(tmp_path)
    redis.start()
    with broker_at(redis.url):
        yield redis
    redis.stop()


@pytest.fixture
def patient(monkeypatch) -> None:
    """On a busy machine an answer may take long, where that is not the point."""
    monkeypatch.setattr(background, "PATIENCE_S", START_S)
    monkeypatch.setattr(background, "STATEMENT_MS", 1000 * START_S)


def test_tasks_are_counted_by_queue_whatever_their_priority(redis, scrape, patient):
    sweep_outbox.apply_async()
    for priority in (0, 3, 9):
        release_lapsed_holds.apply_async(priority=priority)

    numbers = scrape()

    assert numbers['shop_background_up{source="redis"}'] == 1
    assert numbers['shop_tasks_queued{queue="mail"}'] == 1
    assert numbers['shop_tasks_queued{queue="default"}'] == 3
    assert numbers['shop_tasks_queued{queue="cache"}'] == 0
    assert numbers["shop_tasks_unacked"] == 0


@pytest.fixture
def make_worker(transactional_db, redis, tmp_path) -> Iterator[Callable[..., Worker]]:
    """Starts one that says four times a second that it lives."""
    workers: list[Worker] = []

    def make(**options) -> Worker:
        often = {"WORKER_HEARTBEAT_S": "0.25", "HOLD_SWEEP_S": "0.5"}
        workers.append(Worker(tmp_path, redis.url, **often, **options))
        workers[-1].launch()
        return workers[-1]

    yield make
    for worker in workers:
        worker.kill()


def alive() -> float:
    return of_database()["shop_workers_alive"]


def test_worker_is_alive_until_it_is_killed(make_worker):
    worker = make_worker()
    wait_until(lambda: alive() == 1, "the heartbeat", START_S)

    worker.kill()

    assert WorkerHeartbeat.objects.count() == 1
    wait_until(lambda: alive() == 0, "its end", START_S)


def test_worker_notes_its_runs_needs_its_broker_and_says_goodbye(make_worker, redis):
    started = time.time()
    worker = make_worker(beat=True)
    wait_until(lambda: alive() == 1, "the heartbeat", START_S)
    wait_until(lambda: run_of("expire-orders") > started, "a run", START_S)

    redis.kill()
    wait_until(lambda: alive() == 0, "the silence", START_S)
    redis.start()
    wait_until(lambda: alive() == 1, "the heartbeat", START_S)
    worker.tell()

    wait_until(lambda: not WorkerHeartbeat.objects.exists(), "the goodbye", START_S)


def test_worker_says_goodbye_before_it_waits_for_its_tasks(make_worker, redis):
    """A process manager may kill it while it waits. Its task here waits for a table
    that the test has locked."""
    worker = make_worker()
    wait_until(WorkerHeartbeat.objects.exists, "the heartbeat", START_S)
    with closing(psycopg2.connect(database_url())) as holding:
        with holding.cursor() as cursor:
            cursor.execute("LOCK TABLE products_basket IN ACCESS EXCLUSIVE MODE")
        later(release_lapsed_holds)
        wait_until(somebody_waits_for_a_lock, "the task", START_S)

        worker.tell()

        wait_until(lambda: not WorkerHeartbeat.objects.exists(), "the goodbye", START_S)
        assert somebody_waits_for_a_lock()
        holding.rollback()


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database d ON d.oid = database"
            " WHERE NOT granted AND datname = current_database())"
        )
        return cursor.fetchone()[0]


# --- What is not known ------------------------------------------------------------


def test_broker_that_is_away_takes_its_numbers_along_and_no_others(
    transactional_db, redis, scrape, caplog
):
    redis.kill()

    numbers = scrape()

    assert numbers['shop_background_up{source="redis"}'] == 0
    assert numbers['shop_background_up{source="database"}'] == 1
    assert numbers["shop_mails_waiting"] == 0
    assert not [name for name in numbers if name.startswith("shop_tasks")]
    wait_until(lambda: "lacks numbers of the redis" in caplog.text, "a line", 20)


def test_broker_that_hangs_delays_a_scrape_by_a_moment_only(
    transactional_db, redis, scrape, monkeypatch
):
    monkeypatch.setattr(background, "CACHED_S", 0)
    up = 'shop_background_up{source="redis"}'
    with redis.frozen():
        begun = time.monotonic()
        numbers = scrape()
        took = time.monotonic() - begun

    assert background.PATIENCE_S <= took < background.PATIENCE_S + 3
    assert (numbers[up], numbers["shop_mails_waiting"]) == (0, 0)
    wait_until(lambda: scrape()[up] == 1, "Redis", START_S)


def test_table_that_is_locked_delays_a_scrape_by_a_moment_only(
    transactional_db, redis, scrape
):
    """As by a migration: the statement is given up, and nothing waits behind it."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("LOCK TABLE products_basket IN ACCESS EXCLUSIVE MODE")
        begun = time.monotonic()
        numbers = scrape()
        took = time.monotonic() - begun
        cursor.execute("ROLLBACK")

    assert took < background.PATIENCE_S + 3
    assert numbers['shop_background_up{source="database"}'] == 0
    assert numbers['shop_background_up{source="redis"}'] == 1
    assert not [name for name in numbers if name.startswith("shop_mails")]


def test_scrapes_of_a_moment_ask_once(
    transactional_db, redis, scrape, patient, monkeypatch
):
    monkeypatch.setattr(background, "CACHED_S", START_S)
    scrape()
    make_held(minutes=1)

    assert scrape()["shop_holds_overdue"] == 0
    monkeypatch.setattr(background, "CACHED_S", 0)
    assert scrape()["shop_holds_overdue"] == 1


def test_numbers_have_names_and_texts_even_when_nothing_is_known():
    text = generate_latest(Background()).decode()

    families = list(text_string_to_metric_families(text))
    assert {family.name for family in families} == set(GAUGES)
    assert all(family.documentation and not family.samples for family in families)
    assert {family.type for family in families} == {"gauge"}
