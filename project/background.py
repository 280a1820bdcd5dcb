"""Gauges about the shop's background work, for /metrics.

They describe the whole shop, so every process reports the same values. Each source, the
database or the broker, is queried on a thread of its own, with a timeout, and at most
once in `CACHED_S`. While a source does not answer, its gauges are absent, which is how
Prometheus marks unknown values, and `shop_background_up` is 0.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import CharField, Count, F, Min, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Now
from django.utils import timezone
from kombu.exceptions import KombuError
from post_office.models import STATUS, Email
from prometheus_client.core import GaugeMetricFamily

from products.models import (
    Basket,
    Order,
    Payment,
    PictureFetch,
    Refund,
    Waiting,
    WebhookEvent,
)
from products.payments import services as payments
from project import beats
from project.celery import app
from project.mail import delivery
from project.models import JobRun, WorkerHeartbeat

logger = logging.getLogger(__name__)

CACHED_S = 5
PATIENCE_S = 2  # the longest that a scrape waits
STATEMENT_MS = 1500
AWAY = (DatabaseError, InterfaceError, redis.RedisError, KombuError, OSError)

# Name → help text, and labels. A job's label is not called `job`, because Prometheus
# uses that name for a group of servers.
GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "shop_background_up": (
        "1 while the source of these numbers answers",
        ("source",),
    ),
    "shop_mails_waiting": ("Mails to be delivered", ()),
    "shop_mail_oldest_waiting_seconds": ("Age of the oldest mail to be delivered", ()),
    "shop_mails_failed": ("Mails given up in the last 90 days", ()),
    "shop_holds_overdue": ("Checkouts that hold units beyond their time", ()),
    "shop_hold_oldest_overdue_seconds": (
        "How long ago the first of these checkouts was to give its units back",
        (),
    ),
    "shop_orders_overdue": ("Unpaid orders that hold units beyond their time", ()),
    "shop_order_oldest_overdue_seconds": (
        "How long ago the first of these orders was to expire",
        (),
    ),
    "shop_orders_on_hold": (
        "Orders that wait until staff have checked their payments, by why",
        ("reason",),
    ),
    "shop_refunds_waiting": ("Refunds that the provider has not accepted yet", ()),
    "shop_refund_oldest_waiting_seconds": (
        "Age of the oldest refund not accepted yet",
        (),
    ),
    "shop_payments_to_close": ("Payment pages that nobody should pay at any more", ()),
    "shop_payment_oldest_to_close_seconds": (
        "Age of the oldest payment page that nobody should pay at",
        (),
    ),
    "shop_webhooks_waiting": ("Events about payments that the shop does not know", ()),
    "shop_sweep_problems": (
        "Rows that a sweep could not finish and tries again later, by what they are",
        ("kind",),
    ),
    "shop_workers_alive": ("Celery workers that take tasks", ()),
    "shop_beat_interval_seconds": (
        "Time between two runs of a job of the beat schedule",
        ("beat_job",),
    ),
    "shop_beat_last_run_timestamp_seconds": (
        "When a job last ended well; before its first run, when it was installed",
        ("beat_job",),
    ),
    "shop_beat_last_failure_timestamp_seconds": (
        "When a job last failed; 0 if it never did",
        ("beat_job",),
    ),
    "shop_tasks_queued": ("Tasks that wait for a worker, by queue", ("queue",)),
    "shop_tasks_unacked": ("Tasks that workers have taken and not finished", ()),
}

Values = dict[tuple[str, ...], float]  # by labels
Facts = dict[str, Values]  # by name


class Background:
    """A registry for Prometheus' client, for one event loop."""

    def __init__(self) -> None:
        self._known: Facts = {}
        self._sources = {
            "database": Source("database", ask_database),
            "redis": Source("redis", ask_broker),
        }

    async def look(self) -> None:
        """Query all sources, for `PATIENCE_S` at most."""
        queries = (source.facts() for source in self._sources.values())
        answers = dict(zip(self._sources, await asyncio.gather(*queries), strict=True))
        up: Values = {
            (name,): float(facts is not None) for name, facts in answers.items()
        }
        self._known = {"shop_background_up": up}
        for facts in answers.values():
            self._known |= facts or {}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges of the last `look`, without a query."""
        for name, (text, labels) in GAUGES.items():
            family = GaugeMetricFamily(name, text, labels=labels)
            for values, value in self._known.get(name, {}).items():
                family.add_metric(values, value)
            yield family


class Source:
    """Queries a server at most once in `CACHED_S`, and one query at a time."""

    def __init__(self, name: str, ask: Callable[[], Facts]) -> None:
        self._name, self._ask = name, ask
        self._thread = ThreadPoolExecutor(1, f"background-{name}")
        self._asking: asyncio.Future | None = None
        self._facts: Facts | None = None
        self._is_away = False
        self._answered_at = -math.inf

    async def facts(self) -> Facts | None:
        """Return the server's gauges, or None if it does not answer."""
        if time.monotonic() - self._answered_at < CACHED_S:
            return self._facts
        if self._asking is None or self._asking.done():
            loop = asyncio.get_running_loop()
            self._asking = loop.run_in_executor(self._thread, self._look)
        done, _late = await asyncio.wait({self._asking}, timeout=PATIENCE_S)
        return self._asking.result() if done else None

    def _look(self) -> Facts | None:
        """Query the server. Runs on the source's thread."""
        try:
            self._facts = self._ask()
        except AWAY as error:
            self._facts = None
            self._log(error)
        else:
            self._log(None)
        self._answered_at = time.monotonic()
        return self._facts

    def _log(self, error: Exception | None) -> None:
        """Log once when the server goes away, and once when it is back."""
        if error and not self._is_away:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            logger.warning("/metrics lacks numbers of the %s: %s", self._name, reason)
        elif self._is_away and not error:
            logger.warning("/metrics has the numbers of the %s again.", self._name)
        self._is_away = error is not None


# --- The database -----------------------------------------------------------------


def ask_database() -> Facts:
    """Return the database's gauges, through a new connection as in `health`."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {STATEMENT_MS}")
            return read()
    finally:
        connection.close()


def read() -> Facts:
    """Return what the tables hold, in two statements."""
    return _tallied(tallies(), timezone.now()) | _runs()


def tallies() -> QuerySet:
    """Return a query for (gauge, label, number of rows, time of the oldest row)."""
    mails, on_hold = Email.objects, Order.objects.exclude(on_hold="")
    alive = WorkerHeartbeat.objects.filter(alive_until__gt=Now())
    counted = [
        _tally("mails_waiting", mails.filter(status__in=delivery.WAITING), "created"),
        _tally("mails_failed", mails.filter(status=STATUS.failed), "created"),
        _tally("holds_overdue", Basket.objects.lapsed(), "held_until"),
        _tally("orders_overdue", Order.objects.overdue(), "expires_at"),
        _tally("orders_on_hold", on_hold, "placed_at", F("on_hold")),
        _tally("refunds_waiting", Refund.objects.asked(), "created_at"),
        _tally("payments_to_close", payments.to_close(), "created_at"),
        _tally("webhooks_waiting", WebhookEvent.objects.waiting(), "received_at"),
        _tally("workers_alive", alive, "alive_until"),
    ]
    for model in (Basket, Order, Payment, PictureFetch, Waiting):
        label = Value(model._meta.model_name)
        rows = model.objects.filter(failures__gt=0)
        counted.append(_tally("sweep_problems", rows, "retry_at", label))
    first, *others = counted
    return first.union(*others, all=True)


def _tally(
    name: str, rows: QuerySet, since: str, label: Combinable | None = None
) -> QuerySet:
    named = rows.order_by().annotate(
        gauge=Value(f"shop_{name}", output_field=CharField()),
        label=label or Value("", output_field=CharField()),
    )
    grouped = named.values("gauge", "label")
    counted = grouped.annotate(number=Count("pk"), oldest=Min(since))
    return counted.values_list("gauge", "label", "number", "oldest")


# For these gauges, the age of the oldest row is reported too.
AGES = {
    "shop_mails_waiting": "shop_mail_oldest_waiting_seconds",
    "shop_holds_overdue": "shop_hold_oldest_overdue_seconds",
    "shop_orders_overdue": "shop_order_oldest_overdue_seconds",
    "shop_refunds_waiting": "shop_refund_oldest_waiting_seconds",
    "shop_payments_to_close": "shop_payment_oldest_to_close_seconds",
}


def _tallied(rows: Iterable[tuple], now: datetime) -> Facts:
    # If no order has a reason, its gauge is 0 and not unknown.
    reasons: Values = {(reason,): 0.0 for reason in Order.OnHold.values}
    facts: Facts = {"shop_orders_on_hold": reasons}
    for gauge, label, number, oldest in rows:
        labels = (label,) if label else ()
        facts.setdefault(gauge, {})[labels] = float(number)
        if gauge in AGES:
            age = (now - oldest).total_seconds() if oldest else 0
            facts[AGES[gauge]] = {(): max(0.0, age)}
    return facts


def _runs() -> Facts:
    intervals = beats.intervals()
    known = {run.job: run for run in JobRun.objects.all()}
    none = JobRun()
    runs = {job: known.get(job, none) for job in intervals}
    return {
        "shop_beat_interval_seconds": {(job,): s for job, s in intervals.items()},
        "shop_beat_last_run_timestamp_seconds": {
            (job,): _timestamp(run.ran_at) for job, run in runs.items()
        },
        "shop_beat_last_failure_timestamp_seconds": {
            (job,): _timestamp(run.failed_at) for job, run in runs.items()
        },
    }


def _timestamp(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


# --- The broker -------------------------------------------------------------------


def ask_broker() -> Facts:
    """Return the broker's gauges. Kombu knows the keys: a queue has several."""
    limits = {"socket_timeout": PATIENCE_S, "socket_connect_timeout": PATIENCE_S}
    with app.connection_for_read(
        connect_timeout=PATIENCE_S, transport_options=limits
    ) as broker:
        channel = broker.channel()
        names = [queue.name for queue in settings.CELERY_TASK_QUEUES]
        queued: Values = {(name,): float(channel._size(name)) for name in names}
        with channel.conn_or_acquire() as client:
            unacked = float(client.hlen(channel.unacked_key))
    return {"shop_tasks_queued": queued, "shop_tasks_unacked": {(): unacked}}
