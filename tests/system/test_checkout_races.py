"""The checkout's real pages, many at once: what services promise holds over HTTP."""

import copy
import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPException

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.db import connection
from django.utils import timezone

from products.basket import holds
from products.models import Basket, Order, Stock
from products.orders.models import Status
from products.stock import books
from tests.support.buyer import Buyer
from tests.support.concurrency import together
from tests.support.factories import make_order, make_user, make_variant
from tests.support.servers import Daphne, Redis, database_url, wait_until
from tests.support.shopper import Shopper

UNITS, SHOPPERS, CLICKS = 10, 60, 20


class Oversold(Daphne):
    """A shop that looks whether enough is left, and then writes."""

    application = "tests.system.oversold:application"


@pytest.fixture(scope="module")
def started(django_db_setup, tmp_path_factory, static) -> Iterator[Daphne]:
    folder = tmp_path_factory.mktemp("races")
    redis = Redis(folder)
    redis.start()
    server = Daphne(folder, redis.url, **static)
    server.start()
    yield server
    server.stop()
    redis.stop()


@pytest.fixture
def server(transactional_db, started) -> Daphne:
    """For tests that leave it running."""
    return started


@pytest.fixture
def frail(serve, own_redis) -> Daphne:
    """One to break."""
    own_redis.start()
    return serve(own_redis)


def reconcile() -> subprocess.CompletedProcess:
    """Run the checks of an operator on the test's database."""
    command = [sys.executable, "manage.py", "reconcile"]
    environment = {**os.environ, "DATABASE_URL": database_url()}
    return subprocess.run(
        command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True
    )


def at_review(server: Daphne, lines: dict) -> Buyer:
    """A guest with the page before them on which one orders."""
    buyer = Buyer(server, lines)
    assert [buyer.start(), buyer.enter(), buyer.review()] == [200, 303, 200]
    return buyer


# --- The last units ---------------------------------------------------------------


def test_sixty_shoppers_for_ten_units_make_ten_orders_and_fifty_polite_refusals(server):
    lamp = make_variant(name="Brass lamp", on_hand=UNITS)
    buyers = [Buyer(server, {lamp: 1}) for _ in range(SHOPPERS)]

    ways = together([buyer.check_out for buyer in buyers])

    assert Counter(map(tuple, ways)) == {
        (200, 303, 200, 303): UNITS,
        (409,): SHOPPERS - UNITS,
    }
    refused = [
        buyer.body for buyer, way in zip(buyers, ways, strict=True) if len(way) == 1
    ]
    assert all("Some products are no longer available" in body for body in refused)
    assert all("Brass lamp" in body for body in refused)
    assert Order.objects.count() == Stock.objects.get().reserved == UNITS
    assert reconcile().returncode == 0


def test_shop_that_looks_and_then_writes_oversells(serve, own_redis):
    """The positive control: the same pages, with a claim as it is often made."""
    own_redis.start()
    server = serve(own_redis, Oversold)
    lamp = make_variant(on_hand=2)
    buyers = [Buyer(server, {lamp: 1}) for _ in range(8)]

    together([buyer.check_out for buyer in buyers])

    assert Order.objects.count() > 2
    assert reconcile().returncode == 1


# --- One order --------------------------------------------------------------------


def test_twenty_clicks_at_once_are_one_order(server):
    buyer = at_review(server, {make_variant(on_hand=50): 2})
    clicks = [copy.copy(buyer) for _ in range(CLICKS)]

    statuses = together([click.place for click in clicks])

    assert statuses == [303] * CLICKS
    order = Order.objects.get()
    assert {click.location for click in clicks} == {f"/orders/{order.number}/"}
    assert Stock.objects.get().reserved == 2
    assert books.reconcile() == []


def test_two_tabs_at_different_steps_are_one_order(server):
    lamp = make_variant(on_hand=50)
    first = at_review(server, {lamp: 1})
    second = copy.copy(first)
    assert second.review() == 200

    assert (first.place(), second.place()) == (303, 303)

    assert first.location == second.location
    assert Order.objects.count() == 1


def test_answer_that_was_never_read_is_asked_for_again_and_is_the_same_order(server):
    buyer = at_review(server, {make_variant(on_hand=5): 1})

    with buyer.placing_unheard():
        wait_until(Order.objects.exists, "the order", 10)
    status = buyer.place()

    order = Order.objects.get()
    assert (status, buyer.location) == (303, f"/orders/{order.number}/")
    assert books.reconcile() == []


# --- Staff ------------------------------------------------------------------------


def test_two_staff_at_one_step_one_wins_and_the_other_hears_who(server):
    order, team = make_order(), []
    page = f"/staff/orders/{order.number}/"
    for name in ("ida.smith", "olaf.berg"):
        someone = make_user(username=name, is_staff=True)
        rights = ["view_order", "change_order"]
        someone.user_permissions.set(Permission.objects.filter(codename__in=rights))
        team.append(Shopper(server, someone))

    answers = together(
        [lambda w=who: w._ask("POST", page + "pack/", {}) for who in team]
    )

    assert sorted(status for status, _body in answers) == [200, 409]
    order.refresh_from_db()
    assert order.status == Status.PACKED
    (conflict,) = [json.loads(body) for status, body in answers if status == 409]
    assert order.handler.username in conflict["messages"][0]["text"]
    for someone in team:  # and both see who has it now
        assert order.handler.username in someone.get(page + "?fragment=1")
    assert order.events.filter(status=Status.PACKED).count() == 1


# --- A server that is killed ------------------------------------------------------


def test_shop_killed_in_a_storm_of_checkouts_leaves_books_that_agree(frail):
    variants = [make_variant(on_hand=500) for _ in range(4)]
    is_over, promised = threading.Event(), set()

    def storm(seed: int) -> None:
        dice = random.Random(seed)
        while not is_over.wait(dice.random() / 5):  # or all were at the same page
            buyer = Buyer(frail, {variants[(seed + n) % 4]: 1 for n in range(3)})
            try:
                buyer.check_out()
            except (OSError, HTTPException):  # the server is gone
                return
            if buyer.location.startswith("/orders/"):
                promised.add(buyer.location.split("/")[2])

    def kill() -> None:
        try:
            wait_until(lambda: len(promised) >= 20, "some orders", 60)
            wait_until(lambda: transactions() >= 2, "some to be in the middle", 30)
        finally:
            frail.kill()
            is_over.set()

    outcomes = together([lambda n=n: storm(n) for n in range(12)] + [kill])

    assert [end for end in outcomes if isinstance(end, Exception)] == []
    wait_until(lambda: not transactions(), "PostgreSQL to end what was cut off", 10)
    assert promised <= set(Order.objects.values_list("number", flat=True))
    assert books.reconcile() == []
    assert held().exists()  # or nothing was cut off
    held().update(held_until=timezone.now())
    holds.release_lapsed()
    units = sum(
        sum(order.lines.values_list("quantity", flat=True))
        for order in Order.objects.all()
    )
    assert sum(Stock.objects.values_list("reserved", flat=True)) == units > 0
    assert books.reconcile() == []


def held():
    return Basket.objects.filter(held_until__isnull=False)


def transactions() -> int:
    """How many PostgreSQL has open in this database but this one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
        )
        return cursor.fetchone()[0]
