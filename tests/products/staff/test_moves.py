"""What moved on the board lately: the same cards as on the page, none left out."""

import re
import threading
from itertools import product as combinations

import pytest
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.utils import timezone

from products.live.registry import registry
from products.models import Order, OrderEvent
from products.orders import services as orders
from products.staff import columns, moves
from realtime.registry import State
from tests.support.concurrency import together
from tests.support.factories import make_order, make_user

pytestmark = pytest.mark.django_db

BOARD = "/staff/orders/"


@pytest.fixture(autouse=True)
def a_process_of_its_own(monkeypatch):
    monkeypatch.setattr(moves, "recent", moves.Recent())
    monkeypatch.setattr(moves, "_cards", {})


@pytest.fixture(autouse=True)
def events_numbered_from_one(db):
    """A look that found no events cannot tell what moved before event `LATE_EVENTS`."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER SEQUENCE products_orderevent_id_seq RESTART")


def look() -> State:
    return registry.load(["board:"])["board:"]


def moved(state: State) -> list[tuple[str, int]]:
    return [(number, version) for number, version, _ in state.facts["moved"]]


# --- Columns ------------------------------------------------------------------------


def test_column_of_an_order_is_the_one_whose_query_finds_it():
    order, soon = make_order(), timezone.now()
    for status, method, expires, on_hold in combinations(
        Order.Status.values, Order.Method.values, (None, soon), ("", "differs")
    ):
        fields = {"status": status, "method": method, "expires_at": expires}
        Order.objects.update(on_hold=on_hold, **fields)
        order.refresh_from_db()

        matches = [
            key
            for key, condition in columns.CONDITIONS.items()
            if Order.objects.filter(condition).exists()
        ]

        assert matches == [columns.column_of(order)]
        is_counted = matches[0] in columns.IN_WORK
        expected = [[matches[0], method, None, 1]] if is_counted else []
        assert columns.counted() == expected


def test_counts_add_up_to_what_the_page_counts_under_each_filter(client):
    clerk = staff()
    client.force_login(clerk)
    orders.pack(make_order(), actor=clerk)
    orders.pack(make_order(), actor=make_user(is_staff=True))
    make_order(method="stripe")
    make_order()

    counts = look().facts["counts"]

    for method, mine in combinations(("", "delivery", "stripe"), (False, True)):
        query = {"method": method} | ({"mine": "on"} if mine else {})
        for column in client.get(BOARD, query).context["columns"]:
            counted = sum(
                number
                for key, paid_by, handler, number in counts
                if key == column.key
                and method in ("", paid_by)
                and (not mine or handler == clerk.pk)
            )
            assert counted == column.count


# --- Moves --------------------------------------------------------------------------


def test_first_look_knows_of_no_moves():
    make_order()

    state = look()

    assert state.facts["moved"] == [] and state.facts["since"] == state.version
    assert state.version == registry.versions(["orders:"])["orders:"]


def test_look_tells_the_orders_that_moved_as_they_are_now():
    first, second, still = make_order(), make_order(), make_order()
    before = look()
    clerk = make_user(is_staff=True)
    orders.pack(second, actor=clerk)
    orders.pack(first, actor=clerk)
    orders.ship(first, actor=clerk)

    state = look()

    assert sorted(moved(state)) == sorted([(first.number, 3), (second.number, 2)])
    assert state.facts["since"] == before.version < state.version
    assert still.number not in registry.render("board:", state, "en")


def test_look_includes_earlier_moves_until_there_are_enough(monkeypatch):
    """A board that missed a push misses what moved since its own version."""
    monkeypatch.setattr(moves, "ENOUGH_CARDS", 3)
    versions = [look().version]
    made = []
    for _ in range(6):
        made.append(make_order().number)
        state = look()
        versions.append(state.version)

    assert [number for number, _ in moved(state)] == made[-4:]
    assert state.facts["since"] == versions[-5]


def test_look_after_too_many_moves_begins_anew(monkeypatch):
    monkeypatch.setattr(moves, "MOST_CARDS", 2)
    look()
    for _ in range(3):
        make_order()

    state = look()

    assert state.facts["moved"] == [] and state.facts["since"] == state.version


def test_look_after_a_restore_begins_anew():
    order, _ = make_order(), make_order()
    newest = look().version
    OrderEvent.objects.all().delete()
    OrderEvent.objects.create(pk=1, order=order, version=1, status="pending")

    state = look()

    assert state.version < newest
    assert state.facts["since"] == state.version and state.facts["moved"] == []


def test_look_on_another_timeline_begins_anew(monkeypatch):
    look()
    make_order()
    monkeypatch.setattr(connection, "timeline", "another")

    state = look()

    assert state.facts["since"] == state.version and state.facts["moved"] == []


@pytest.mark.django_db(transaction=True)
def test_move_that_is_committed_late_is_found():
    """Its event has a lower key than those which boards were told of already."""
    slow, quick = make_order(), make_order()
    registry.timeline()  # this connection may be older than the tables
    look()
    is_written, may_commit = threading.Event(), threading.Event()

    def pay_slowly() -> None:
        with transaction.atomic():
            orders.pay(slow)
            is_written.set()
            assert may_commit.wait(60)

    def overtake() -> list[tuple[str, int]]:
        assert is_written.wait(60)
        orders.pay(quick)
        moves = moved(look())
        may_commit.set()
        return moves

    _, seen = together([pay_slowly, overtake])

    assert seen == [(quick.number, 2)]
    assert (slow.number, 2) in moved(look())


# --- What comes into reach ----------------------------------------------------------


def test_order_that_left_a_long_column_brings_the_cards_that_come_next(monkeypatch):
    monkeypatch.setattr(moves, "CARDS", 4)
    made = [make_order() for _ in range(7)][::-1]  # as the board shows them
    numbers = [order.number for order in made]
    registry.timeline()  # this connection may be older than the tables
    look()
    orders.pack(made[1], actor=make_user(is_staff=True))

    state = look()

    # One has left, so a board shows the third and fourth of those that are there now.
    assert state.facts["coming"] == {"paid": [numbers[3], numbers[4]]}
    html = registry.render("board:", state, "en")
    shown = [numbers.index(n) for n in re.findall(r'data-key="(\w+)"', html)]
    assert sorted(shown) == [1, 3, 4]


@pytest.mark.parametrize("count, is_told", [(3, False), (4, False), (5, True)])
def test_column_that_boards_show_whole_brings_no_more_cards(
    monkeypatch, count, is_told
):
    monkeypatch.setattr(moves, "CARDS", 4)
    made = [make_order() for _ in range(count)]
    look()
    orders.pack(made[-1], actor=make_user(is_staff=True))

    coming = look().facts["coming"]

    assert (made[0].number in coming.get("paid", [])) == is_told


def test_new_order_brings_no_other_cards(monkeypatch):
    monkeypatch.setattr(moves, "CARDS", 2)
    for _ in range(4):
        make_order()
    look()
    make_order()

    assert look().facts["coming"] == {}


# --- Cards --------------------------------------------------------------------------


def staff(*codenames: str):
    user = make_user(is_staff=True)
    codenames = codenames or ("view_order", "change_order")
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


def test_card_is_rendered_once_for_each_version_however_many_ask(monkeypatch, client):
    rendered = []
    render = moves.render_to_string

    def note(template: str, context: dict) -> str:
        rendered.append((context["order"].number, context["order"].version))
        return render(template, context)

    monkeypatch.setattr(moves, "render_to_string", note)
    client.force_login(clerk := staff())
    look()
    order = make_order()
    for _ in range(3):
        registry.render("board:", look(), "en")
        client.get(BOARD, {"fragment": "1"})
    orders.pack(order, actor=clerk)
    for _ in range(3):
        registry.render("board:", look(), "en")
        client.get(BOARD, {"fragment": "1"})

    assert rendered == [(order.number, 1), (order.number, 2)]


def test_pushed_card_holds_no_token_and_is_that_of_the_fragment(client):
    client.force_login(staff())
    look()
    order = make_order()

    html = registry.render("board:", look(), "en")
    fragment = client.get(BOARD, {"fragment": "1"}).text

    card = html[html.index("<li") : html.rindex("</li>")]
    assert order.number in card and card in fragment
    assert "csrf" not in html and "next" not in html


def test_fragment_has_no_buttons_for_staff_who_may_only_view(client):
    make_order()
    client.force_login(staff())
    assert "data-move" in client.get(BOARD, {"fragment": "1"}).text
    client.force_login(staff("view_order"))

    assert "data-move" not in client.get(BOARD, {"fragment": "1"}).text


def test_card_of_an_erased_order_or_a_renamed_clerk_is_rendered_anew():
    clerk = make_user(is_staff=True, first_name="Ann")
    order = orders.pack(make_order(), actor=clerk)

    assert "Ann" in moves.card(order) and order.full_name in moves.card(order)
    clerk.first_name, order.handler = "Bea", clerk
    name, order.full_name, order.erased_at = order.full_name, "", timezone.now()

    assert "Bea" in moves.card(order) and name not in moves.card(order)
