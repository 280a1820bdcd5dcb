"""The primary dies and its standby takes over: two real servers, and a shop that goes
on by itself.

`DATABASE_URL` names both. Nobody tells the shop which of them takes writes.
"""

from collections.abc import Iterator

import pytest
from django.db import connection
from post_office.models import STATUS, Email

from products.models import Order
from products.stock import books
from products.stock import services as stock
from realtime.protocol import Close
from tests.support.buyer import Buyer
from tests.support.client import Client
from tests.support.factories import make_variant
from tests.support.page import Page
from tests.support.servers import Daphne, wait_until
from tests.support.smtp import SmtpServer, running
from tests.support.workers import Worker
from tests.system.answers import database_of, get, page_at

BACK_S = 10  # after the promotion
WORKERS = 2  # the children of a worker: each has a line for an outage that it meets


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    with running() as server:
        yield server


@pytest.fixture
def worker(pair, redis, smtp, tmp_path) -> Iterator[Worker]:
    """One with its own beat, on both servers."""
    worker = Worker(
        tmp_path,
        redis.url,
        beat=True,
        DATABASE_URL=pair.url,
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=str(smtp.port),
        EMAIL_USE_TLS="0",
        OUTBOX_SWEEP_S="0.3",
        OUTBOX_RETRY_S="0.2",
    )
    worker.launch()
    yield worker
    worker.kill()


def order_at(shop: Daphne) -> str:
    """Go through the checkout. The order's number."""
    buyer = Buyer(shop, {make_variant(on_hand=5): 1})
    steps = [buyer.start(), buyer.enter(), buyer.review(), buyer.place()]
    assert steps == [200, 303, 200, 303], buyer.body
    return buyer.location.split("/")[2]


def all_sent() -> bool:
    mails = Email.objects.all()
    return mails.exists() and not mails.exclude(status=STATUS.sent).exists()


def is_back(shop: Daphne) -> bool:
    return get(shop, "/products/")[0] == 200 and database_of(shop) == "ok"


def test_shop_follows_a_failover_by_itself(pair, redis, serve, worker):
    shop = serve(redis, DATABASE_URL=pair.url, CATALOGUE_MAX_AGE_S="0")
    worker.wait()
    first = order_at(shop)
    wait_until(all_sent, "the first mail", 20)
    since, since_at_worker = shop.mark(), worker.mark()
    pair.catch_up()
    connection.close()

    pair.primary.kill()
    meanwhile = [get(shop, "/products/") for _ in range(5)]
    readiness = get(shop, "/readyz")
    away = "The database is away"
    wait_until(lambda: away in worker.said(since_at_worker), "the worker", 20)
    pair.promote()
    wait_until(lambda: is_back(shop), "the shop", BACK_S)

    for status, headers, page in meanwhile:
        assert (status, headers["Retry-After"]) == (503, "10")
        assert "not available right now" in page
    assert readiness[0] == 503
    second = order_at(shop)
    orders = Order.objects.filter(number__in=[first, second])
    assert orders.count() == 2, "one was placed before, one after"
    wait_until(all_sent, "the second mail, by the same worker", 20)
    assert books.reconcile() == []
    said = shop.said(since)
    assert "Traceback" not in said, said
    assert said.count(away) == 1, said
    assert "The database is back" in said
    said = worker.said(since_at_worker)
    assert "Traceback" not in said, said
    assert said.count(away) <= WORKERS, said


def test_old_primary_that_comes_back_as_a_standby_changes_nothing(pair, redis, serve):
    shop = serve(redis, DATABASE_URL=pair.url, CATALOGUE_MAX_AGE_S="0")
    order_at(shop)
    pair.catch_up()
    connection.close()
    pair.fail_over()
    wait_until(lambda: is_back(shop), "the shop", BACK_S)
    since = shop.mark()

    pair.follow()
    assert pair.standby.follows

    assert [get(shop, "/products/")[0] for _ in range(8)] == [200] * 8
    number = order_at(shop)
    pair.catch_up()
    query = f"SELECT count(*) FROM products_order WHERE number = '{number}'"
    assert pair.standby.ask(query) == [(1,)]
    assert "away" not in shop.said(since)
    assert "Traceback" not in shop.said(since)


@pytest.mark.parametrize("says_its_timeline", [True, False])
def test_open_page_follows_a_standby_that_had_not_heard_of_the_last_sales(
    pair, redis, serve, says_its_timeline
):
    """Versions go back, and grow again. Without the timeline, the control, the page
    goes on showing sales that never were."""
    shop = serve(redis, DATABASE_URL=pair.url)
    lamp = make_variant(on_hand=10)
    topic = f"stock:{lamp.pk}"
    page = page_at(shop) if says_its_timeline else Page()
    pair.catch_up()
    pair.cut()
    with Client(shop, page) as client:
        client.watch(topic)
        for units in (1, 2, 3):
            stock.claim({lamp.pk: units})
        client.shows(topic, 4)
        connection.close()
        pair.fail_over()

        assert client.closed(20) == Close.RESTART
    stock.claim({lamp.pk: 1})  # the first that this server hears of
    with Client(shop, page) as client:
        client.watch(topic)

        if says_its_timeline:
            client.shows(topic, 2)  # at once, or with the push of the claim
        shown = page.shown[topic], page.facts[topic]["available"]
        assert shown == ((2, 9) if says_its_timeline else (4, 4))
        if says_its_timeline:
            stock.claim({lamp.pk: 1})
            client.shows(topic, 3)
            assert page.facts[topic]["available"] == 8
