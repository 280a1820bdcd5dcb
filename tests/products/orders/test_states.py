"""The table of states: each move is offered to those who may make it, and refused to
everybody else and everywhere else."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import product as combinations

import pytest
from django.core import mail
from django.db import transaction
from django.template.loader import get_template
from django.utils import timezone
from django.utils.html import escape

from products.models import Order
from products.orders import emails
from products.orders import services as orders
from products.orders import states
from products.orders.exceptions import OrderOnHold, StatusConflict
from products.orders.machine import Actor, Method, Move, OrderKind
from products.templatetags.orders import sentence
from tests.support.factories import make_order, make_user, make_variant

pytestmark = pytest.mark.django_db

DEADLINE = timezone.now() + timedelta(days=1)
KINDS = {
    OrderKind.PREPAID: {"method": Method.STRIPE, "expires_at": DEADLINE},
    OrderKind.ON_DELIVERY: {"method": Method.DELIVERY, "expires_at": None},
    OrderKind.UNCONFIRMED: {"method": Method.DELIVERY, "expires_at": DEADLINE},
    OrderKind.FREE: {"method": Method.FREE, "expires_at": None},
}
ALL = tuple(combinations(states.Status, KINDS, ("", "differs")))
# What each may do with an order in a status, of a kind; on hold, if the third says so.
# Where a kind is not named, it is all of them.
SHOPPER, GUEST, STAFF, PAYMENT, SHOP = Actor
EXPECTED = {
    ("pending", OrderKind.PREPAID): {
        SHOPPER: "pay switch cancel",
        STAFF: "cancel",
        PAYMENT: "pay",
        SHOP: "pay expire",
    },
    ("pending", OrderKind.UNCONFIRMED): {
        SHOPPER: "cancel",
        GUEST: "confirm",
        STAFF: "confirm cancel",
        PAYMENT: "pay",
        SHOP: "pay expire",
    },
    ("pending", OrderKind.ON_DELIVERY): {
        SHOPPER: "cancel",
        STAFF: "pack cancel",
        PAYMENT: "pay",
        SHOP: "pay",
    },
    ("pending", OrderKind.FREE): {
        SHOPPER: "pay switch cancel",
        STAFF: "cancel",
        PAYMENT: "pay",
        SHOP: "pay expire",
    },
    "paid": {SHOPPER: "cancel", STAFF: "pack cancel"},
    "packed": {STAFF: "ship cancel"},
    "shipped": {STAFF: "deliver"},
    "delivered": {},
    "cancelled": {},
    "expired": {PAYMENT: "revive"},
}
IMPOSSIBLE_ON_HOLD = {"pay": [SHOPPER], "switch": [SHOPPER], "expire": [SHOP]} | {
    "pack": [STAFF],
    "ship": [STAFF],
}


def expected(status: str, kind: OrderKind, on_hold: str, actor: Actor) -> set[str]:
    row = EXPECTED.get((status, kind)) or EXPECTED.get(status, {})
    names = set(row.get(actor, "").split())
    if on_hold:
        names -= {name for name, who in IMPOSSIBLE_ON_HOLD.items() if actor in who}
        names |= {"go-on"} if actor is STAFF else set()
    return names


@pytest.fixture
def order() -> Order:
    return make_order({make_variant(on_hand=50): 1})


def put(order: Order, status: str, kind: OrderKind, on_hold: str = "") -> Order:
    """Write the order into a state, past the services."""
    fields = KINDS[kind] | {"status": status, "on_hold": on_hold}
    Order.objects.filter(pk=order.pk).update(**fields)
    return Order.objects.get(pk=order.pk)


@contextmanager
def rolled_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


# --- The table --------------------------------------------------------------------


def test_order_of_any_kind_is_in_one_state_in_each_status():
    for status, kind in combinations(states.Status, OrderKind):
        matches = [s for s in states.STATES if s.status == status and kind in s.kinds]
        assert len(matches) == 1, (status, kind)


@pytest.mark.parametrize(
    "move", [m for m in states.MOVES if m.targets], ids=lambda move: move.name
)
def test_all_targets_of_a_move_have_one_status(move):
    assert len({target.status for target in move.targets}) == 1
    assert len({source.units for source in move.sources}) == 1


def test_conditions_of_states_and_moves_say_the_same_as_their_rows(order):
    for status, kind, on_hold in ALL:
        row = put(order, status, kind, on_hold)
        for move in states.MOVES:
            matches = Order.objects.filter(move.condition).exists()
            assert matches == move.allows(row), (move.name, status, kind, on_hold)


@pytest.mark.parametrize("actor", Actor, ids=lambda actor: actor.name.lower())
def test_moves_are_offered_to_those_who_may_make_them_and_to_nobody_else(order, actor):
    for status, kind, on_hold in ALL:
        row = put(order, status, kind, on_hold)

        offered = {move.name for move in states.offers(row, actor)}

        wanted = expected(status, kind, on_hold, actor)
        assert offered == wanted, (status, kind, on_hold)


# --- Making a move ----------------------------------------------------------------

SERVICES: dict[Move, Callable] = {
    states.SWITCH: orders.pay_on_delivery,
    states.CONFIRM: orders.confirm,
}


def make(order: Order, move: Move) -> Order:
    service = SERVICES.get(move)
    return service(order) if service else orders.advance(order, move)


@pytest.mark.parametrize(
    "move", [m for m in states.MOVES if m.targets], ids=lambda move: move.name
)
def test_move_leads_to_its_target_and_mail_or_is_refused(order, move, settings):
    settings.GUEST_CONFIRM_MINUTES = 60
    for status, kind, on_hold in ALL:
        row, case = put(order, status, kind, on_hold), (status, kind, on_hold)
        mail.outbox.clear()
        with rolled_back():
            if not move.allows(row):
                with pytest.raises((StatusConflict, OrderOnHold)):
                    make(row, move)
                assert not mail.outbox, case
                now = Order.objects.get(pk=row.pk)
                assert (now.status, now.version) == (status, row.version), case
                continue
            moved = make(row, move)
            assert moved.status == move.to and moved.state in move.targets, case
            assert moved.version == row.version + 1, case
            assert subjects() == expected_subjects(moved), case


def subjects() -> list[str]:
    return [message.subject for message in mail.outbox]


def expected_subjects(order: Order) -> list[str]:
    """An unconfirmed guest only gets the mail to confirm."""
    is_asked = order.status == "pending"
    if order.is_unconfirmed and not is_asked:
        return []
    message = order.state.mail
    return [message.subject % {"number": order.number}] if message else []


def test_only_states_that_matter_to_the_shopper_have_a_mail():
    mails = {
        (state.status.value, kind): state.mail.template if state.mail else None
        for state in states.STATES
        for kind in state.kinds
    }

    assert {mails["pending", kind] for kind in OrderKind} == {"placed", "confirm"}
    assert mails["pending", OrderKind.UNCONFIRMED] == "confirm"
    assert (
        mails["paid", OrderKind.PREPAID] == "paid" and not mails["paid", OrderKind.FREE]
    )
    for status, template in {
        "packed": None,
        "shipped": "shipped",
        "delivered": None,
        "cancelled": "cancelled",
        "expired": "expired",
    }.items():
        assert {mails[status, kind] for kind in OrderKind} == {template}


@pytest.mark.parametrize("state", states.STATES, ids=lambda state: state.status)
def test_mail_of_a_state_has_both_of_its_templates(state):
    for ending in ("txt", "html") if state.mail else ():
        get_template(f"orders/email/{state.mail.template}.{ending}")


# --- Pages ------------------------------------------------------------------------


def forms_in(page: str) -> set[str]:
    return set(re.findall(r'data-move="([\w-]+)"', page))


def test_order_page_of_staff_has_a_form_for_each_move_that_staff_may_make(
    order, admin_client
):
    for status, kind, on_hold in ALL:
        put(order, status, kind, on_hold)

        page = admin_client.get(f"/staff/orders/{order.number}/").text

        wanted = expected(status, kind, on_hold, STAFF) | {"note"}
        assert forms_in(page) == wanted, (status, kind, on_hold)


def test_order_page_of_the_shopper_has_the_text_and_a_form_for_each_move(
    client,
):
    shopper = make_user()
    order = make_order(user=shopper)
    client.force_login(shopper)
    for status, kind, on_hold in ALL:
        row = put(order, status, kind, on_hold)

        page = client.get(f"/orders/{order.number}/").text

        forms = set(re.findall(r'data-may="([\w-]+)"', page))
        assert forms == expected(status, kind, on_hold, SHOPPER)
        assert escape(sentence(row.facts)) in page


def test_post_of_a_move_that_is_not_offered_is_refused(order, admin_client):
    names = {move.name for move in states.MOVES}
    of_staff = {move.name for move in states.MOVES if STAFF in move.by}
    for status, kind, on_hold in ALL:
        offered = expected(status, kind, on_hold, STAFF)
        for name in names - offered:
            put(order, status, kind, on_hold)
            address = f"/staff/orders/{order.number}/{name}/"
            response = admin_client.post(
                address, {"note": "why"}, headers={"accept": "application/json"}
            )
            assert response.status_code == (409 if name in of_staff else 404)
            order.refresh_from_db()
            assert (order.status, order.on_hold) == (status, on_hold)


@pytest.mark.parametrize("name", [m.name for m in states.MOVES if STAFF in m.by])
def test_move_of_staff_is_refused_to_everybody_else(order, client, name):
    put(order, "packed", OrderKind.PREPAID)
    address = f"/staff/orders/{order.number}/{name}/"

    for user in (None, make_user(), make_user(is_staff=True)):
        if user:
            client.force_login(user)
        response = client.post(address, {"note": "why"})
        assert response.status_code in (302, 403)

    order.refresh_from_db()
    assert (order.status, order.version) == ("packed", 1)


# --- A new row --------------------------------------------------------------------


def test_new_move_gets_its_button_key_address_and_mail_from_its_row(
    order, admin_client, monkeypatch
):
    """Nothing but the table knows of it."""
    unpack = Move(
        name="unpack",
        sources=(states.PACKED,),
        targets=states.PAID_STATES,
        by=(Actor.STAFF,),
        button="Unpack",
        done="%(number)s is unpacked.",
        key="u",
        key_label="unpacked",
    )
    put(order, "packed", OrderKind.PREPAID)
    address = f"/staff/orders/{order.number}/"
    assert "unpack" not in forms_in(admin_client.get(address).text)
    assert admin_client.post(f"{address}unpack/").status_code == 404
    mail.outbox.clear()

    monkeypatch.setattr(states, "MOVES", (*states.MOVES, unpack))

    page = admin_client.get(address).text
    assert "unpack" in forms_in(page) and "Unpack" in page
    assert '<kbd data-makes="unpack">u</kbd>' in page
    page = admin_client.post(f"{address}unpack/", follow=True).text
    assert f"{order.number} is unpacked." in page and "to be packed" in page
    assert subjects() == [states.PAID.mail.subject % {"number": order.number}]
    order.refresh_from_db()
    assert order.status == "paid" and order.events.last().actor is not None


def test_link_that_confirms_is_in_the_mail_of_its_state_alone(order):
    for status, kind in combinations(states.Status, OrderKind):
        row = put(order, status, kind)
        mail.outbox.clear()

        emails.order_moved(row)

        has_link = any("/orders/confirm/" in message.body for message in mail.outbox)
        assert has_link == (row.state is states.UNCONFIRMED)
