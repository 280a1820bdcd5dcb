"""How much a visitor may hold and order without paying or signing in."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from products import tasks
from products.basket import holds
from products.basket import services as baskets
from products.basket.exceptions import HoldPaused
from products.live.viewers import Owner
from products.models import Basket, HoldSpell, Order, Stock, Variant
from products.orders import limits, placing
from products.orders import services as orders
from products.orders.exceptions import TooManyOrders
from products.orders.limits import Visitor
from products.stock import books
from tests.support.concurrency import together
from tests.support.factories import (
    CONTACT,
    make_basket,
    make_owner,
    make_user,
    make_variant,
    terms_of,
)

pytestmark = pytest.mark.django_db

NET, OTHER_NET = "203.0.113.5", "198.51.100.7"


def reserved(variant: Variant) -> int:
    return Stock.objects.get(pk=variant.pk).reserved


def pass_time(minutes: float) -> None:
    """As if all that happened so far had happened earlier."""
    ago = timedelta(minutes=minutes)
    for model, names in (
        (Basket, ("held_since", "held_until")),
        (HoldSpell, ("since", "until")),
        (Order, ("placed_at",)),
    ):
        for row in model.objects.all():
            moments = {n: getattr(row, n) and getattr(row, n) - ago for n in names}
            model.objects.filter(pk=row.pk).update(**moments)


def place(
    lines: dict[Variant, int] | None = None,
    *,
    visitor: Visitor = Visitor(NET),
    user=None,
    method: str = "delivery",
    **contact,
) -> Order:
    """An order of another guest, unless told otherwise."""
    owner = Owner(user_id=user.pk) if user else make_owner()
    basket = make_basket(owner, lines or {make_variant(): 1})
    where = replace(CONTACT, **contact)
    return placing.place(
        basket,
        where,
        seen=placing.terms(basket, where),
        method=method,
        language="en",
        user=user,
        visitor=visitor,
    )


def elsewhere(n: int) -> dict:
    """Of another person in another house."""
    return {"email": f"guest{n}@example.com", "line1": f"High Street {n + 10}"}


@pytest.fixture
def generous(settings) -> None:
    """No limit but those that a test sets."""
    for name in ("PER_HOUR", "PER_DAY", "PER_NETWORK"):
        setattr(settings, f"GUEST_ORDERS_{name}", 0)
    for name in ("EMAIL", "ADDRESS", "NETWORK"):
        setattr(settings, f"GUEST_OPEN_ORDERS_PER_{name}", 0)


# --- Holds ------------------------------------------------------------------------


def hold_on(basket: Basket, minutes: float) -> None:
    """Look at the checkout again and again, for so long."""
    while minutes > 0:
        pass_time(min(9, minutes))
        holds.start(basket)
        minutes -= 9


def hold_as_long_as_possible(basket: Basket) -> timedelta:
    """How long that is, looking again and again, also after it has lapsed."""
    start = timezone.now()
    begun = 0.0
    for _ in range(20):
        try:
            holds.start(basket)
        except HoldPaused:
            return timedelta(minutes=begun)
        pass_time(9)
        begun += 9
        holds.release_lapsed()
    raise AssertionError(f"held since {start}")


def test_owner_cannot_hold_a_product_longer_than_the_limit():
    lamp = make_variant()
    basket = make_basket(lines={lamp: 2})

    held = hold_as_long_as_possible(basket)

    assert timedelta(minutes=27) <= held <= timedelta(minutes=39)
    holds.release_lapsed()
    assert reserved(lamp) == 0
    assert books.reconcile() == []


def test_time_of_a_lapsed_hold_that_is_claimed_again_adds_up():
    basket = holds.start(make_basket(lines={make_variant(): 2}))
    pass_time(20)  # it lapsed ten minutes ago, and nobody has noticed

    basket = holds.start(basket)

    left = basket.held_until - timezone.now()
    assert timedelta(minutes=9) < left < timedelta(minutes=10.1)
    pass_time(10.1)
    with pytest.raises(HoldPaused):
        holds.start(basket)


def test_a_refused_hold_gives_back_what_had_lapsed():
    lamp = make_variant()
    basket = holds.start(make_basket(lines={lamp: 2}))
    hold_on(basket, 27)
    pass_time(4)

    with pytest.raises(HoldPaused) as refusal:
        holds.start(basket)

    assert reserved(lamp) == 0
    assert refusal.value.minutes == 14
    assert books.reconcile() == []


@pytest.mark.parametrize(
    "change",
    [
        lambda basket, lamp: baskets.set_quantities(basket, {lamp.pk: 1}),
        lambda basket, lamp: baskets.add(basket, make_variant().pk),
        lambda basket, lamp: (baskets.clear(basket), baskets.add(basket, lamp.pk)),
        lambda basket, lamp: holds.give_up(basket),
    ],
)
def test_a_change_of_the_basket_begins_no_new_spell(change):
    lamp = make_variant()
    basket = holds.start(make_basket(lines={lamp: 2}))
    hold_on(basket, 25)
    change(basket, lamp)
    basket = holds.start(basket)
    pass_time(6)

    with pytest.raises(HoldPaused):
        holds.start(basket)


def test_after_the_pause_a_new_spell_begins():
    lamp = make_variant()
    basket = holds.start(make_basket(lines={lamp: 2}))
    pass_time(10 + 15)

    basket = holds.start(basket)

    assert basket.held_since > timezone.now() - timedelta(minutes=1)
    assert reserved(lamp) == 2


def test_whoever_has_ordered_may_hold_the_same_again():
    lamp, owner = make_variant(), make_owner()
    basket = holds.start(make_basket(owner, {lamp: 1}))
    pass_time(9)
    placing.place(
        basket, CONTACT, seen=terms_of(basket), method="delivery", language="en"
    )
    pass_time(22)

    again = holds.start(make_basket(owner, {lamp: 1}))

    assert again.held_since > timezone.now() - timedelta(minutes=1)


def test_visitor_may_order_available_units_during_the_pause():
    lamp = make_variant()
    basket = holds.start(make_basket(lines={lamp: 2}))
    hold_on(basket, 27)
    pass_time(4)
    with pytest.raises(HoldPaused):
        holds.start(basket)

    placing.place(
        basket, CONTACT, seen=terms_of(basket), method="delivery", language="en"
    )

    assert reserved(lamp) == 2


def test_holds_of_new_sessions_of_one_network_are_limited_by_the_hour(settings):
    settings.HOLDS_PER_NETWORK = 2
    lamp, jug = make_variant(), make_variant()
    for _ in range(2):
        holds.start(make_basket(lines={lamp: 1}), network=NET)

    with pytest.raises(HoldPaused):
        holds.start(make_basket(lines={lamp: 1}), network=NET)

    for network, variant in ((NET, jug), (OTHER_NET, lamp), ("", lamp)):
        holds.start(make_basket(lines={variant: 1}), network=network)
    pass_time(71)
    holds.release_lapsed()
    holds.start(make_basket(lines={lamp: 1}), network=NET)


def test_holds_of_this_machine_are_not_limited():
    lamp = make_variant(on_hand=50)

    for _ in range(30):
        holds.start(make_basket(lines={lamp: 1}))

    assert reserved(lamp) == 30


def test_spells_are_deleted_when_no_limit_counts_them():
    holds.start(make_basket(lines={make_variant(): 1}), network=NET)

    assert tasks.forget_limits() == 0

    pass_time(75)

    assert tasks.forget_limits() == 1


# --- Orders of guests -------------------------------------------------------------


def test_open_orders_of_one_mailbox_are_limited(generous, settings):
    settings.GUEST_OPEN_ORDERS_PER_EMAIL = 2
    first = place(email="Ann@Example.com", line1="A 1", visitor=Visitor(NET))
    place(email="ann+x@example.com", line1="B 2", visitor=Visitor(OTHER_NET))
    lamp = make_variant()

    with pytest.raises(TooManyOrders) as refusal:
        place({lamp: 1}, email="ann+y@example.com", line1="C 3")

    assert refusal.value.wait is None
    assert reserved(lamp) == 0 and Order.objects.count() == 2
    place({lamp: 1}, email="ben@example.com")
    orders.cancel(first)
    place({lamp: 1}, email="ann@example.com")


@pytest.mark.parametrize(
    "one, other",
    [
        ("ann@exämple.com", "ann@xn--exmple-cua.com"),
        ("ann@example.com", "ann@ｅxample.com"),
        ("a.nn@googlemail.com", "ann+2@GMail.com"),
    ],
)
def test_two_spellings_of_a_mailbox_have_the_same_key(one, other):
    assert limits.email_key(one) == limits.email_key(other)


def test_open_orders_of_one_house_are_limited(generous, settings):
    settings.GUEST_OPEN_ORDERS_PER_ADDRESS = 1
    place(email="a@example.com", line1="High Street 1")

    with pytest.raises(TooManyOrders):
        place(email="b@example.com", line1="high  street, 1.")
    with pytest.raises(TooManyOrders):
        place(email="b@example.com", line1="Ｈigh Street １")

    place(email="b@example.com", line1="High Street 11")


@pytest.mark.parametrize("method", ["delivery", "stripe"])
def test_open_orders_of_one_network_are_limited(generous, settings, method):
    settings.GUEST_OPEN_ORDERS_PER_NETWORK = 2
    for n in range(2):
        place(method=method, **elsewhere(n))

    with pytest.raises(TooManyOrders):
        place(method=method, **elsewhere(3))

    place(visitor=Visitor(OTHER_NET), **elsewhere(4))
    place(user=make_user(), **elsewhere(5))  # it is known whose mail it is


def test_orders_in_an_hour_are_limited_though_they_are_cancelled(generous, settings):
    settings.GUEST_ORDERS_PER_HOUR = 3
    for n in range(3):
        orders.cancel_by_shopper(place(email="ann@example.com", line1=f"A {n}"))

    with pytest.raises(TooManyOrders) as refusal:
        place(email="ann@example.com", line1="B 1")

    assert refusal.value.wait == timedelta(hours=1)
    pass_time(61)
    place(email="ann@example.com", line1="B 1")


def test_orders_in_a_day_for_one_mailbox_are_limited(generous, settings):
    settings.GUEST_ORDERS_PER_DAY = 1
    orders.cancel(place())
    pass_time(120)

    with pytest.raises(TooManyOrders) as refusal:
        place()

    assert refusal.value.wait == timedelta(days=1)


def test_orders_in_an_hour_of_one_session_and_network_are_limited(generous, settings):
    settings.GUEST_ORDERS_PER_HOUR = 1
    settings.GUEST_ORDERS_PER_NETWORK = 3
    first = place(**elsewhere(1))

    with pytest.raises(TooManyOrders):
        place(visitor=Visitor(OTHER_NET, (first.number,)), **elsewhere(2))

    for n in (3, 4):
        place(**elsewhere(n))
    with pytest.raises(TooManyOrders):
        place(**elsewhere(5))


def test_orders_of_this_machine_are_not_limited():
    for _ in range(12):
        place(visitor=limits.HERE)

    assert not Order.objects.exclude(network="", email_key="", address_key="").exists()


@pytest.mark.django_db(transaction=True)
def test_many_orders_at_one_moment_do_not_pass_the_limit(generous, settings):
    settings.GUEST_OPEN_ORDERS_PER_EMAIL = 2
    lamp = make_variant(on_hand=20)

    together([lambda n=n: place({lamp: 1}, line1=f"A {n}") for n in range(6)])

    assert Order.objects.count() == 2
    assert reserved(lamp) == 2
    assert books.reconcile() == []


def test_networks_are_deleted_when_no_limit_counts_them():
    open_one, closed = place(**elsewhere(1)), place(**elsewhere(2))
    orders.cancel(closed)
    pass_time(25 * 60)

    assert tasks.forget_limits() == 1

    open_one.refresh_from_db()
    closed.refresh_from_db()
    assert (open_one.network, closed.network) == (NET, "")
