"""One row that fails is noted, and holds up no other."""

from datetime import timedelta

import pytest
from django.core import mail
from django.db import OperationalError
from django.utils import timezone

from products import tasks
from products.models import Basket, Order, Payment, Stock, Waiting
from products.orders.exceptions import StatusConflict
from products.stock import services as stock
from products.sweeps import services as sweeps
from products.waiting import services as waiting
from tests.support.factories import make_basket, make_holder, make_order, make_variant

pytestmark = pytest.mark.django_db

UNDELIVERABLE = "a..b@example.com"  # forms refuse it, and so does the outbox


@pytest.fixture(autouse=True)
def _outbox(settings) -> None:
    """Mails are refused as in real life."""
    settings.EMAIL_BACKEND = "project.mail.outbox.OutboxBackend"
    settings.WAITING_PATIENCE_S = 0


def seconds_until(moment) -> float:
    return (moment - timezone.now()).total_seconds()


def lapse(*baskets: Basket) -> None:
    past = timezone.now() - timedelta(minutes=1)
    Basket.objects.filter(pk__in=[b.pk for b in baskets]).update(held_until=past)


# --- What is noted ------------------------------------------------------------------


def test_row_that_fails_waits_longer_each_time_until_it_succeeds(caplog):
    basket = make_basket()
    pauses = []
    for _try in range(9):
        sweeps.note(basket, StatusConflict("ABC", "paid"))
        basket.refresh_from_db()
        pauses.append(round(seconds_until(basket.retry_at)))

    assert pauses[:3] == [60, 240, 960]
    assert pauses[-1] == 24 * 60 * 60
    assert basket.problem == "ABC is already “paid”."

    sweeps.clear(basket)

    basket.refresh_from_db()
    assert (basket.problem, basket.failures, basket.retry_at) == ("", 0, None)


def test_problem_of_an_unexpected_error_has_only_its_class(caplog):
    basket = make_basket()

    sweeps.note(basket, KeyError("ann@example.com"))

    basket.refresh_from_db()
    assert basket.problem == "KeyError (builtins)"


def test_database_failure_ends_the_sweep_and_marks_no_row():
    basket = make_basket()

    def broken(row):
        raise OperationalError("gone")

    with pytest.raises(OperationalError):
        sweeps.one_by_one(Basket.objects.order_by, broken, at_most=2)

    basket.refresh_from_db()
    assert basket.failures == 0


# --- Each sweep ---------------------------------------------------------------------


def test_address_that_refuses_mail_stops_no_other_mail():
    lamps, cups = make_variant(on_hand=0), make_variant(on_hand=0)
    for variant in (lamps, cups):
        for name in ("ann", "bob"):
            waiting.ask(variant.pk, f"{name}@example.com", language="en")
    first = Waiting.objects.filter(variant=lamps).first()
    Waiting.objects.filter(pk=first.pk).update(email=UNDELIVERABLE)
    stock.receive(lamps.pk, 1)
    stock.receive(cups.pk, 1)

    assert tasks.tell_waiting() == 2, "bob has the turn of whom no mail reaches"

    first.refresh_from_db()
    assert first.told_at is None and first.problem.startswith("Enter one email")
    assert seconds_until(first.retry_at) > 50
    mailed = Waiting.objects.exclude(told_at=None).values_list("variant", "email")
    assert set(mailed) == {(lamps.pk, "bob@example.com"), (cups.pk, "ann@example.com")}
    assert tasks.tell_waiting() == 0
    assert Waiting.objects.get(pk=first.pk).failures == 1, "it waits for its next try"


def test_hold_that_cannot_be_released_stops_no_other(caplog):
    variant = make_variant(on_hand=4, reserved=2)
    broken, good = make_holder(variant, units=1), make_holder(variant, units=1)
    lapse(broken, good)
    Basket.objects.filter(pk=broken.pk).update(
        held_until=timezone.now() - timedelta(hours=1)
    )
    other = make_variant(on_hand=1)  # of which nothing is reserved
    broken.lines.update(variant=other)

    assert tasks.release_lapsed_holds() == 1

    broken.refresh_from_db(), good.refresh_from_db()
    assert good.held_until is None
    assert broken.held_until is not None and broken.problem
    assert Stock.objects.get(variant=variant).reserved == 1
    assert tasks.release_lapsed_holds() == 0


def test_order_that_cannot_expire_stops_no_other(caplog):
    past = timezone.now() - timedelta(hours=1)
    broken, good = (make_order(method=Order.Method.STRIPE) for _ in range(2))
    Order.objects.filter(pk=broken.pk).update(expires_at=past - timedelta(hours=1))
    Order.objects.filter(pk=good.pk).update(expires_at=past)
    Stock.objects.filter(variant=broken.lines.get().variant).update(reserved=0)

    assert tasks.expire_orders() == 1

    broken.refresh_from_db(), good.refresh_from_db()
    assert good.status == Order.Status.EXPIRED
    assert broken.status == Order.Status.PENDING and broken.problem
    assert tasks.expire_orders() == 0


def test_payment_with_an_unknown_provider_stops_no_other_refund(caplog):
    order = make_order(method=Order.Method.STRIPE)
    broken, other = (
        Payment.objects.create(
            order=order,
            provider="stripe",
            amount=1,
            currency="EUR",
            status=Payment.Status.REFUNDING,
            reference=f"r{n}",
        )
        for n in range(2)
    )

    def refund(payment: Payment) -> bool:
        if payment == broken:
            raise KeyError("no such currency")
        return True

    assert sweeps.each([broken, other], refund) == 1

    broken.refresh_from_db()
    assert broken.problem == "KeyError (builtins)"
    assert mail.outbox == []
