"""Servers are killed, frozen and started again; what pages show heals by itself.

Where the audit is slow (SLOW), nothing but a push or a return can have brought it.
"""

import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis as redis_client
from django.db import connection
from websockets.exceptions import ConnectionClosed

from products.models import Stock
from products.stock import services as stock
from realtime.publish import flush
from tests.support.client import Client
from tests.support.factories import make_variant
from tests.support.servers import Daphne, Redis, Shop, wait_until
from tests.support.shopper import Shopper
from tests.system.groups import subscribers

SLOW = {"LIVE_AUDIT_S": "60"}


@contextmanager
def within(seconds: float) -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


def says(shop: Shop, words: str, seconds: float = 5) -> None:
    """Wait until the server's log says it."""
    wait_until(lambda: words in shop.said(), words, seconds)


def kill_subscriptions(redis: Redis) -> int:
    with redis_client.Redis.from_url(redis.url) as client:
        return client.client_kill_filter(_type="pubsub")


def numbers(redis: Redis, ids: list[int]) -> list[int]:
    """How many subscribe to each product's stock."""
    return [subscribers(redis, pk) for pk in ids]


def change_without_a_push(variant) -> int:
    """A change whose event is lost; gives the version."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE products_stock SET on_hand = on_hand + 1, version = version + 1"
            " WHERE variant_id = %s RETURNING version",
            [variant.pk],
        )
        return cursor.fetchone()[0]


# --- Redis ------------------------------------------------------------------------


def test_outage_of_redis_is_polled_through_and_costs_the_log_two_lines(
    own_redis, serve
):
    own_redis.start()
    shop, variant = serve(own_redis, **SLOW, LIVE_PROBE_S="0.2"), make_variant()
    topic = f"stock:{variant.pk}"

    with Client(shop) as client:
        client.watch(topic)
        since = shop.mark()
        own_redis.kill()
        for version in range(2, 8):  # it looks as often, and mostly finds nothing
            with within(8):  # not at the next audit
                stock.claim({variant.pk: 1})
                facts = client.shows(topic, version, seconds=8)
            assert facts["available"] == 11 - version
        says(shop, "Redis is away")
        own_redis.start()
        says(shop, "Redis is back")

    live = [line for line in shop.said(since).splitlines() if "127.0.0.1:" not in line]
    assert len(live) == 2, live
    assert "Traceback" not in shop.said()


def test_subscription_that_redis_drops_is_made_again(own_redis, serve):
    times = 4
    own_redis.start()
    shop, variant = serve(own_redis, LIVE_AUDIT_S="4"), make_variant()
    topic = f"stock:{variant.pk}"

    with Client(shop) as client:
        client.watch(topic)
        for _ in range(times):
            wait_until(lambda: kill_subscriptions(own_redis) == 1, "a connection", 5)
            stock.claim({variant.pk: 1})  # lost, or not
            client.watch(f"stock:{make_variant().pk}")  # joins in the middle of it
        client.shows(topic, 1 + times, seconds=8)
        ids = [int(name.partition(":")[2]) for name in client.page.shown]
        wait_until(lambda: numbers(own_redis, ids) == [1] * len(ids), "joining", 5)
        for level in stock.claim(dict.fromkeys(ids, 1)):
            client.shows(f"stock:{level.variant_id}", level.version, seconds=2)


def test_shop_that_starts_before_redis_fills_baskets_and_catches_up(own_redis, serve):
    shop, variant, filler = serve(own_redis, **SLOW), make_variant(), make_variant()
    shopper, topic = Shopper(shop), f"stock:{variant.pk}"

    for count in (1, 2, 3):
        with within(3):
            answer = shopper.add(filler)
        assert answer["items"][0][2]["count"] == count
    with shopper.socket() as tab:
        tab.watch("basket")
        shopper.add(filler)
        assert tab.shows("basket", 4)["count"] == 4
    with Client(shop) as client:
        client.watch(topic)
        assert client.page.facts[topic]["available"] == 10
        says(shop, "Redis is away")
        stock.claim({variant.pk: 1})
        flush()
        own_redis.start()
        assert client.shows(topic, 2)["available"] == 9
        says(shop, "Redis is back")
        with within(2):
            stock.claim({variant.pk: 1})
            client.shows(topic, 3)

    assert "Traceback" not in shop.said()


def test_redis_that_hangs_keeps_nobody_waiting(own_redis, serve):
    own_redis.start()
    shop, variant = serve(own_redis), make_variant()
    shopper = Shopper(shop)
    shopper.add(variant)
    topic = f"stock:{variant.pk}"

    with Client(shop) as client:
        client.watch(topic)
        with own_redis.frozen():
            stock.claim({variant.pk: 1})
            client.shows(topic, 2, seconds=8)  # polled
            with within(3):
                assert shopper.add(variant)["items"][0][2]["count"] == 2
            with within(3), contextlib.ExitStack() as doors:
                newcomers = [doors.enter_context(shopper.socket()) for _ in range(4)]
                for newcomer in newcomers:  # who would stand in a queue for Redis
                    topics = {f"stock:{make_variant().pk}": None, "basket": None}
                    newcomer.send({"t": "sub", "id": 1, "topics": topics})
                assert [len(n.receive()["items"]) for n in newcomers] == [2] * 4
        says(shop, "Redis is back", 10)
        stock.claim({variant.pk: 1})
        client.shows(topic, 3)

    assert "Traceback" not in shop.said()


# --- Messages ---------------------------------------------------------------------


def test_lost_message_is_healed_by_the_audit(quick):
    """The control, where nobody audits, is in `test_publishing.py`."""
    variant = make_variant()
    topic = f"stock:{variant.pk}"

    with Client(quick) as client:
        client.watch(topic)
        with within(3):
            client.shows(topic, change_without_a_push(variant))

    assert client.page.facts[topic]["available"] == 11


def test_lost_message_of_a_basket_is_healed_by_the_audit(quick):
    variant = make_variant()
    shopper = Shopper(quick)
    shopper.add(variant)

    with shopper.socket() as tab:
        tab.watch("basket", "basket:lines")
        with connection.cursor() as cursor:
            cursor.execute("UPDATE products_basketline SET quantity = 5")
            cursor.execute("UPDATE products_basket SET version = version + 1")

        assert tab.shows("basket", 2)["count"] == 5
        assert tab.shows("basket:lines", 2)["count"] == 5


def test_page_that_missed_a_frame_learns_it_from_the_heartbeat(daphne):
    variant = make_variant()
    topic = f"stock:{variant.pk}"

    with Client(daphne) as client:
        client.watch(topic)
        stock.claim({variant.pk: 1})
        client.shows(topic, 2)
        client.page.known[topic] = client.page.shown[topic] = 1  # as if it had not
        assert client.beat()["digest"] != client.page.digest()
        snap = client.watch()

        assert [item[:2] for item in snap["items"]] == [[topic, 2]]
        assert client.beat()["digest"] == client.page.digest()


# --- The server -------------------------------------------------------------------


def test_server_that_restarts_sends_only_what_is_newer(redis, serve):
    shop = serve(redis, **SLOW)
    one, two = make_variant(), make_variant()
    topics = [f"stock:{one.pk}", f"stock:{two.pk}"]

    with Client(shop) as client:
        client.watch(*topics)
        shop.kill()
        with pytest.raises(ConnectionClosed):
            client.receive()
    stock.claim({two.pk: 1})
    shop.start()
    with Client(shop, client.page) as again:
        snap = again.watch()
        assert [item[:2] for item in snap["items"]] == [[topics[1], 2]]
        stock.claim({one.pk: 1})
        again.shows(topics[0], 2)


# --- PostgreSQL -------------------------------------------------------------------


def end_connections() -> int:
    """Cut every connection to the test's database but this one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return cursor.fetchone()[0]


@contextmanager
def database_away() -> Iterator[None]:
    """Nobody else is let in, and who is in is thrown out."""
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            end_connections()
            yield
        finally:
            cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def test_connections_that_postgresql_cuts_are_made_again(quick):
    one, two = make_variant(), make_variant()

    with Client(quick) as client:
        client.watch(f"stock:{one.pk}")
        client.beat()  # the audit has run on its connection
        assert end_connections() > 0  # the premise
        with within(2):  # not even one "unavailable"
            assert client.watch(f"stock:{two.pk}", "basket")["t"] == "snap"
        end_connections()
        client.shows(f"stock:{one.pk}", change_without_a_push(one))

    assert {frame["t"] for frame in client.frames} == {"snap", "upd"}


def test_database_that_is_away_is_told_in_time_and_heals(quick):
    one, two = make_variant(), make_variant()
    shopper, since = Shopper(quick), quick.mark()
    shopper.add(one)

    with Client(quick) as client, shopper.socket() as stranger:
        client.watch(f"stock:{one.pk}")
        frame = {"t": "sub", "id": 9, "topics": {f"stock:{two.pk}": None}}
        with database_away():
            with within(4):  # a page waits no longer
                client.send(frame)
                answer = client.receive()
            assert (answer["code"], answer["id"]) == ("unavailable", 9)
            stranger.send({"t": "sub", "id": 9, "topics": {"basket": None}})
            assert stranger.receive()["code"] == "unavailable"
            time.sleep(2)
        stock.claim({one.pk: 1})  # it still watches its topics
        client.shows(f"stock:{one.pk}", 2)
        stranger.watch("basket")
        assert stranger.page.facts["basket"]["count"] == 1
        client.send(frame)
        assert client.until(lambda frame: frame["t"] == "snap")["id"] == 9

    said = quick.said(since)
    assert "The hub's" not in said, said
    assert said.count("The database is away") == 1, said


# --- Both servers gone, then back -------------------------------------------------


def test_everything_restarted_shows_what_the_database_holds(own_redis, serve):
    own_redis.start()
    shop: Daphne = serve(own_redis)
    variants = [make_variant() for _ in range(5)]
    topics = [f"stock:{variant.pk}" for variant in variants]

    with Client(shop) as client:
        client.watch(*topics)
    shop.kill()
    own_redis.kill()
    for number, variant in enumerate(variants):
        stock.receive(variant.pk, number + 1)
    flush()
    own_redis.start()
    shop.start()
    with Client(shop, client.page) as again:
        again.watch()
        for row in Stock.objects.all():
            assert again.page.facts[f"stock:{row.pk}"]["available"] == row.available
