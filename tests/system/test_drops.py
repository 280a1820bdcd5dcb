"""A drop in a real shop: under a load test, and while its servers are restarted."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.db import InterfaceError, OperationalError, connection

from products.drops import steps
from products.drops.books import reconcile_drops
from products.drops.states import Status, Turn
from products.models import Drop, Stock, Ticket
from realtime.loadtest.gates import Verdict
from tests.support.drops import later, make_drop
from tests.support.factories import make_variant
from tests.support.postgres import postgres_of_its_own
from tests.support.servers import Daphne, wait_until
from tests.support.shopper import Shopper
from tests.system.test_loadtest import load

PEOPLE, UNITS = 24, 5
LOAD = ["--phases", "drop", "--duration", "0.5", "--quiet", "1.5"]
LOAD += ["--people", str(PEOPLE), "--rate", "20", "--sockets", "4", "--limit", "120"]
OUTAGE = (OperationalError, InterfaceError)


class PastTheRoom(Daphne):
    """A shop that lets in whoever asks."""

    application = "tests.system.past_the_room:application"


@contextmanager
def stepping() -> Iterator[None]:
    """Make steps as a worker does, in a thread, also after an outage."""
    is_over = threading.Event()

    def run() -> None:
        while not is_over.wait(0.3):
            try:
                steps.step_all()
            except OUTAGE:
                connection.close()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def drop_soon(seconds: float = 8, **fields) -> Drop:
    return make_drop(make_variant(on_hand=UNITS), in_s=seconds, **fields)


def test_load_test_finds_that_a_drop_was_fair(
    transactional_db, redis, shared_daphne, tmp_path
):
    drop = drop_soon(admitted_at_once=2)

    with stepping():
        code, results, output = load(
            shared_daphne, tmp_path, *LOAD, "--drop", drop.slug
        )

    assert code == Verdict.PASSED, output
    assert results["figures"]["drop_people"] == PEOPLE
    assert results["figures"]["drop_sold"] == UNITS
    bought = Ticket.objects.filter(state=Turn.BOUGHT).order_by("place")
    assert list(bought.values_list("place", flat=True)) == [*range(1, UNITS + 1)]
    call_command("reconcile")


def test_load_test_finds_that_somebody_bought_past_the_room(
    transactional_db, redis, serve, tmp_path
):
    """The positive control."""
    drop = drop_soon(admitted_at_once=1)
    shop = serve(redis, PastTheRoom)

    with stepping():
        code, results, output = load(shop, tmp_path, *LOAD, "--drop", drop.slug)

    assert code == Verdict.INCORRECT, output
    assert "was placed past the room" in " ".join(results["sentences"])
    assert [f for f in reconcile_drops() if "without a turn" in f.what]


# --- Restarts ---------------------------------------------------------------------


class Crowd:
    """People with tickets at a shop, and what their tickets were when they had them."""

    def __init__(self, shop: Daphne, drop: Drop, number: int) -> None:
        self.shop, self.drop, self.path = shop, drop, f"/drops/{drop.slug}/"
        self.people = [Shopper(shop) for _ in range(number)]
        for person in self.people:
            assert person.send(f"{self.path}join/") == 303
        self.numbers = set(Ticket.objects.values_list("number", flat=True))
        self.admissions: dict[str, object] = {}

    def note(self) -> None:
        """Note who was admitted when. Nobody is admitted a second time."""
        turns = Ticket.objects.exclude(admitted_at=None)
        for number, at in turns.values_list("number", "admitted_at"):
            assert self.admissions.setdefault(number, at) == at

    def buy_one(self) -> bool:
        """Reserve a unit for a person whose turn it is. Return False for none."""
        for person in list(self.people):
            if "s your turn</h2>" in person.get(f"{self.path}mine/"):
                variant = self.drop.variants.get().pk
                person.send(f"{self.path}claim/", variant=str(variant))
                assert person.location == "/checkout/"
                self.people.remove(person)
                return True
        return False

    def is_whole(self) -> None:
        """Check that no ticket is lost, and nobody admitted twice or out of turn."""
        self.note()
        tickets = Ticket.objects.order_by("place")
        assert {ticket.number for ticket in tickets} == self.numbers
        assert len({ticket.token for ticket in tickets}) == len(self.numbers)
        states = [ticket.state for ticket in tickets]
        assert states == sorted(states)  # admitted ones come before those who wait
        assert reconcile_drops() == []


def test_killed_process_loses_no_ticket_and_admits_nobody_twice(redis, serve):
    shop = serve(redis)
    drop = drop_soon(3600, admitted_at_once=1)
    crowd = Crowd(shop, drop, 8)
    Drop.objects.update(starts_at=later(0))
    with stepping():
        for _ in range(3):
            wait_until(crowd.buy_one, "a turn", 20)
            crowd.note()
            shop.kill()
            shop.start()
        wait_until(crowd.buy_one, "a turn", 20)
    crowd.is_whole()
    assert Stock.objects.get().reserved == 4


def test_redis_that_is_away_loses_no_ticket_and_the_room_goes_on(own_redis, serve):
    """There is no worker and no step but those that requests make."""
    own_redis.start()
    shop = serve(own_redis)
    drop = drop_soon(3600, admitted_at_once=1)
    crowd = Crowd(shop, drop, 6)
    Drop.objects.update(starts_at=later(-3))
    wait_until(crowd.buy_one, "a turn", 20)

    own_redis.kill()
    wait_until(crowd.buy_one, "a turn without Redis", 40)
    crowd.note()
    own_redis.start()

    wait_until(crowd.buy_one, "a turn", 30)
    crowd.is_whole()
    assert Stock.objects.get().reserved == 3


def test_postgresql_that_restarts_loses_no_ticket_and_admits_nobody_twice(
    transactional_db, redis, serve
):
    with postgres_of_its_own() as postgres:
        shop = serve(redis, DATABASE_URL=postgres.url)
        drop = drop_soon(3600, admitted_at_once=1)
        crowd = Crowd(shop, drop, 6)
        Drop.objects.update(starts_at=later(-3))
        wait_until(crowd.buy_one, "a turn", 20)
        crowd.note()

        postgres.stop()
        postgres.start()
        connection.close()

        wait_until(lambda: again(crowd.buy_one), "a turn", 40)
        crowd.is_whole()
        assert Stock.objects.get().reserved == 2
        assert Drop.objects.get().status == Status.RUNNING
        connection.close()


def again(what) -> bool:
    """Call it; False if the shop cannot answer yet."""
    try:
        return what()
    except AssertionError:
        return False
