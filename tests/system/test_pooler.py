"""The whole shop behind a PgBouncer in transaction mode: server, worker and the process
that runs the tests. Collected where there is a `pgbouncer` (`conftest.py`)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from django.db import connection
from post_office.models import STATUS, Email

from products.models import Order, Product
from products.search import services as search
from products.stock import books
from products.stock import services as stock
from realtime.protocol import Close
from tests.support import pgbouncer, standby
from tests.support.buyer import Buyer
from tests.support.client import Client
from tests.support.factories import make_variant
from tests.support.pgbouncer import SESSIONS, PgBouncer
from tests.support.servers import wait_until
from tests.support.smtp import running
from tests.support.standby import Pair, writing_to
from tests.support.workers import Worker
from tests.system.answers import database_of, page_at

BUYERS = 2 * SESSIONS


@pytest.fixture
def pooler(transactional_db) -> Iterator[PgBouncer]:
    """In front of the test's own database. This process uses it too."""
    with pgbouncer.running(connection.settings_dict["HOST"]) as pooler:
        with writing_to(pooler.url(connection.settings_dict["NAME"])):
            yield pooler


@pytest.fixture
def url(pooler) -> str:
    return pooler.url(connection.settings_dict["NAME"])


def test_pooler_gives_a_session_to_others_after_each_transaction(pooler):
    """The premise of the tests below: what a session keeps is not one's own."""
    where = {"host": str(pooler.folder), "port": pgbouncer.PORT, "user": "postgres"}
    where["dbname"] = connection.settings_dict["NAME"]
    one, other = psycopg2.connect(**where), psycopg2.connect(**where)
    try:
        one.autocommit = other.autocommit = True
        with one.cursor() as cursor:
            cursor.execute("SET shop.mine = 'yes'")
        with other.cursor() as cursor:
            cursor.execute("SELECT current_setting('shop.mine', true)")
            assert cursor.fetchone() == ("yes",)
    finally:
        one.close()
        other.close()


def test_orders_holds_pushes_and_mails_go_through_a_pooler(url, redis, serve, tmp_path):
    shop = serve(redis, DATABASE_URL=url, CATALOGUE_MAX_AGE_S="0")
    lamp = make_variant(on_hand=BUYERS - 2)
    with running() as smtp:
        mail = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(smtp.port)}
        mail |= {"EMAIL_USE_TLS": "0", "OUTBOX_SWEEP_S": "0.3"}
        worker = Worker(tmp_path, redis.url, beat=True, DATABASE_URL=url, **mail)
        worker.launch()
        try:
            with Client(shop) as client, ThreadPoolExecutor(BUYERS) as crowd:
                client.watch(f"stock:{lamp.pk}")
                buyers = [Buyer(shop, {lamp: 1}) for _ in range(BUYERS)]
                list(crowd.map(buy, buyers))
                wait_until(
                    lambda: client.page.facts[f"stock:{lamp.pk}"]["available"] == 0
                    or client.receive(),
                    "the pushes",
                    10,
                )
            orders = Order.objects.count()
            wait_until(
                lambda: Email.objects.filter(status=STATUS.sent).count() == orders,
                "the mails",
                30,
            )
        finally:
            worker.kill()

    assert orders == BUYERS - 2, "all units are sold, and none twice"
    assert len(smtp.subjects) == orders
    assert books.reconcile() == []
    for said in (shop.said(), worker.said()):
        assert "Traceback" not in said, said


def buy(buyer: Buyer) -> None:
    """Through the checkout, as far as there is something left."""
    if buyer.start() == 200 and buyer.enter() == 303 and buyer.review() == 200:
        buyer.place()


def test_rows_are_read_in_chunks_through_a_pooler(pooler):
    """In two places at once: a cursor of one session is unknown in another."""
    for _ in range(6):
        make_variant()

    one = Product.objects.order_by("pk").iterator(chunk_size=2)
    first = next(one)
    assert search.relearn() > 0
    rows = [first, *one]

    assert rows == list(Product.objects.order_by("pk"))


def test_open_page_follows_a_failover_behind_the_pooler(
    transactional_db, django_db_blocker, redis, serve
):
    """No connection of the shop breaks, and none hears that there is another server."""
    with standby.pair() as pair, pgbouncer.running(host(pair, "primary")) as pooler:
        with writing_to(pooler.url("shop")):
            shop = serve(redis, DATABASE_URL=pooler.url("shop"))
            lamp = make_variant(on_hand=10)
            topic = f"stock:{lamp.pk}"
            page = page_at(shop)
            pair.catch_up()
            pair.cut()
            with Client(shop, page) as client:
                client.watch(topic)
                for units in (1, 2, 3):
                    stock.claim({lamp.pk: units})
                client.shows(topic, 4)
                pair.promote()
                pooler.follow(host(pair, "primary"))

                assert client.closed(20) == Close.RESTART
            wait_until(lambda: database_of(shop) == "ok", "the shop", 10)
            said = page_at(shop).timeline
            assert said != page.timeline, "a new page is not taken for an old one"
            stock.claim({lamp.pk: 1})
            with Client(shop, page) as client:
                client.watch(topic)
                assert (page.shown[topic], page.facts[topic]["available"]) == (2, 9)


def host(pair: Pair, name: str) -> str:
    return str(getattr(pair, name).sockets)
