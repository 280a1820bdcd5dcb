"""The table of payments: each move is made from its sources, and nowhere else."""

from decimal import Decimal
from types import SimpleNamespace

import pytest

from products.models import Order, Payment
from products.orders import states as order_states
from products.orders.exceptions import StatusConflict
from products.orders.on_hold import OnHold
from products.payments import services as payments
from products.payments import states, webhooks
from products.payments.interface import Event, EventKind
from tests.support.factories import make_order, make_user

pytestmark = pytest.mark.django_db

MOVED = {
    "close": {"created": "closing"},
    "end": {"created": "failed", "closing": "failed"},
    "receive": {"created": "paid", "closing": "paid", "failed": "paid"},
    "accept": {"differs": "paid"},
}


@pytest.fixture
def order() -> Order:
    return make_order(method=Order.Method.STRIPE)


def make_payment(order: Order, status: str) -> Payment:
    return Payment.objects.create(
        order=order,
        provider="stripe",
        status=status,
        amount=order.total,
        currency=order.currency,
        received=None if status in states.NOT_RECEIVED else order.total,
        received_currency=order.currency,
    )


def close(payment: Payment) -> None:
    """As when the shopper chooses to pay on delivery."""
    payments._switch(payment.order, actor=None)


def receive(payment: Payment) -> None:
    webhooks.hear(
        Event(
            *("stripe", f"event-{payment.pk}", "checkout.session.completed"),
            kind=EventKind.PAID,
            key=payment.idempotency_key,
            reference="session",
            intent="intent",
            amount=payment.amount,
            currency=payment.currency,
        )
    )


def accept(payment: Payment) -> None:
    Order.objects.update(on_hold=OnHold.DIFFERS)
    payments.go_on(payment.order, actor=make_user(is_staff=True), note="Fine.")


MAKE = {
    "close": close,
    "end": payments.end_attempt,
    "receive": receive,
    "accept": accept,
}


@pytest.mark.parametrize("status", states.Status)
@pytest.mark.parametrize("name", MAKE)
def test_move_is_made_from_its_sources_and_leaves_others_as_they_were(
    order, name, status
):
    payment = make_payment(order, status)

    MAKE[name](payment)

    payment.refresh_from_db()
    assert payment.status == MOVED[name].get(status, status)


def test_table_says_what_the_services_do():
    table = {
        move.name: {source.value: move.targets[0].value for source in move.sources}
        for move in states.MOVES
        if move is not states.SETTLE
    }

    assert table == MOVED


def test_every_status_is_before_or_after_the_money_came():
    assert set(states.NOT_RECEIVED) | set(states.RECEIVED) == set(states.Status)
    assert not set(states.NOT_RECEIVED) & set(states.RECEIVED)


# --- What follows from refunds and disputes ----------------------------------------


def payment_with(**fields) -> SimpleNamespace:
    usual = {"received": Decimal(10), "left": Decimal(10), "disputed": Decimal(0)}
    return SimpleNamespace(**usual | {"differs": False, "is_accepted": False} | fields)


def refund(status: str, *, is_ours: bool = True) -> SimpleNamespace:
    return SimpleNamespace(status=status, is_ours=is_ours)


@pytest.mark.parametrize(
    "fields, refunds, status",
    [
        ({}, [], "paid"),
        ({"differs": True}, [], "differs"),
        ({"differs": True, "is_accepted": True}, [], "paid"),
        ({}, [refund("asked")], "refunding"),
        ({"left": 0}, [refund("pending")], "refunded"),
        ({"left": 0, "disputed": 1}, [refund("done")], "disputed"),
        ({}, [refund("failed")], "stuck"),
        ({}, [refund("failed"), refund("done")], "paid"),
        ({}, [refund("failed", is_ours=False)], "paid"),
    ],
)
def test_status_of_received_money_follows_from_its_refunds(fields, refunds, status):
    result = states.when_settled(payment_with(**fields), refunds)

    assert result == status and result in states.SETTLE.targets


@pytest.mark.parametrize(
    "status, paid, disputed, reason",
    [
        ("paid", {"paid"}, set(), ""),
        ("paid", {"paid"}, {"inquiry"}, "disputed"),
        ("cancelled", {"paid"}, {"open"}, "disputed"),
        ("paid", {"paid"}, {"lost"}, "disputed"),
        ("cancelled", {"paid"}, {"lost"}, ""),
        ("paid", {"paid"}, {"won"}, ""),
        ("shipped", {"stuck"}, set(), "stuck"),
        ("pending", {"differs"}, set(), "differs"),
        ("paid", {"differs"}, set(), ""),
        ("paid", {"refunded"}, set(), "refunded"),
        ("paid", {"refunded", "paid"}, set(), ""),
        ("shipped", {"refunded"}, set(), ""),
        ("paid", set(), set(), ""),
    ],
)
def test_order_is_on_hold_while_its_payments_do_not_add_up(
    order, status, paid, disputed, reason
):
    order.status = status

    assert states.reason_to_hold(order, paid, disputed) == reason


def test_payment_of_an_order_that_does_not_wait_cannot_be_switched(order):
    payment = make_payment(order, "created")
    Order.objects.update(status=order_states.PACK.to)

    with pytest.raises(StatusConflict):
        close(payment)
