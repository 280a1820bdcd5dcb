"""Placing orders, and moving them from state to state."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from products import tasks
from products.basket import holds
from products.basket import services as baskets
from products.basket.exceptions import BasketClosed, BasketEmpty, Shortage
from products.catalogue import services as catalogue
from products.live.viewers import Owner
from products.models import Basket, Order, Stock, TaxRate, Variant
from products.orders import placing
from products.orders import services as orders
from products.orders.exceptions import StatusConflict, TermsChanged
from products.orders.models import Status
from products.orders.numbers import LETTERS
from products.orders.terms import Costs, Delivery, Terms
from products.pricing import services as pricing
from products.stock import books
from products.stock.exceptions import NotEnoughStock
from tests.support.factories import (
    CONTACT,
    make_basket,
    make_order,
    make_owner,
    make_user,
    make_variant,
    terms_of,
)

pytestmark = pytest.mark.django_db

INCLUDED = Delivery("", "", None, None, is_pickup=False)
COSTS = Costs(*[Decimal(0)] * 5, includes_tax=True, discount_name="")
NOTHING = Terms.of(CONTACT, [], INCLUDED, COSTS)


def place(basket: Basket, **options) -> Order:
    """Order it at the price of now, on delivery, unless told otherwise."""
    fixed = {"method": Order.Method.DELIVERY, "language": "en"}
    return placing.place(
        basket, CONTACT, **{"seen": terms_of(basket)} | fixed | options
    )


def level(variant: Variant) -> tuple[int, int]:
    """What is on hand, and what of it reserved."""
    row = Stock.objects.get(pk=variant.pk)
    return row.on_hand, row.reserved


def snapshot(variant: Variant, basket: Basket) -> tuple:
    """All that a refusal must leave as it was."""
    row = Basket.objects.get(pk=basket.pk)
    lines = list(basket.lines.values_list("variant", "quantity", "held"))
    held = row.held_since, row.held_until
    return (level(variant), row.status, row.version, held, lines, Order.objects.count())


# --- Placing ----------------------------------------------------------------------


def test_order_keeps_names_prices_address_and_total_as_they_were():
    lamp = make_variant(name="Brass lamp", sku="L-1", price=Decimal("12.50"))
    jug = make_variant(name="Jug", sku="J-1", price=Decimal("0.10"))
    order = place(holds.start(make_basket(lines={lamp: 2, jug: 3})))

    lamp.product.name, lamp.price = "Another", Decimal(99)
    catalogue.save(lamp.product, variants=[lamp])

    order.refresh_from_db()
    fields = ("name", "sku", "unit_price", "quantity", "amount")
    assert list(order.lines.values_list(*fields)) == [
        ("Brass lamp", "L-1", Decimal("12.50"), 2, Decimal("25.00")),
        ("Jug", "J-1", Decimal("0.10"), 3, Decimal("0.30")),
    ]
    assert (order.total, order.currency) == (Decimal("25.30"), "EUR")
    assert (order.email, order.full_name, order.country) == (
        CONTACT.email,
        CONTACT.full_name,
        CONTACT.country,
    )


def test_order_has_a_number_to_read_out_and_a_token_nobody_guesses():
    one, other = make_order(), make_order()

    for order in (one, other):
        assert len(order.number) == 8 and set(order.number) <= set(LETTERS)
        assert len(order.access_token) == 32
    assert one.number != other.number and one.access_token != other.access_token


def test_hold_passes_to_the_order_without_a_movement():
    lamp = make_variant()
    basket = holds.start(make_basket(lines={lamp: 2}))
    movements = lamp.movements.count()

    place(basket)

    assert level(lamp) == (10, 2)
    assert lamp.movements.count() == movements
    basket.refresh_from_db()
    assert (basket.status, basket.held_until) == (Basket.Status.ORDERED, None)
    assert basket.lines.get().held == 0
    assert books.reconcile() == []


def test_order_without_a_hold_claims_its_units():
    lamp = make_variant()

    place(make_basket(lines={lamp: 2}))

    assert level(lamp) == (10, 2)
    assert books.reconcile() == []


def test_placing_twice_returns_the_first_order():
    lamp = make_variant()
    basket = holds.start(make_basket(lines={lamp: 2}))

    first, second = place(basket), place(basket, seen=NOTHING, method="stripe")

    assert first == second and Order.objects.get().method == Order.Method.DELIVERY
    assert level(lamp) == (10, 2)
    assert first.events.count() == 1


def test_basket_after_an_order_is_a_new_one_that_counts_on():
    owner = make_owner()
    place(holds.start(make_basket(owner, {make_variant(): 2})))
    ordered = Basket.objects.get()

    new = baskets.open_for(owner)

    assert new != ordered and new.version == ordered.version
    assert new.lines.count() == 0


def test_order_belongs_to_its_shopper_and_to_nobody_else():
    user = make_user()

    assert make_order(user=user).user == user
    assert make_order().user is None


@pytest.mark.parametrize("price", [Decimal("12.51"), Decimal("0.01")])
def test_changed_price_orders_nothing_and_changes_nothing(price):
    lamp = make_variant()
    basket = holds.start(make_basket(lines={lamp: 2}))
    seen = terms_of(basket)
    lamp.price = price
    catalogue.save(lamp.product, variants=[lamp])
    before = snapshot(lamp, basket)

    with pytest.raises(TermsChanged) as refusal:
        place(basket, seen=seen)

    assert refusal.value.seen == seen
    assert (seen.total, refusal.value.now.total) == (25, 2 * price)
    assert snapshot(lamp, basket) == before
    assert place(basket, seen=refusal.value.now).total == 2 * price


def test_changed_tax_rate_orders_nothing_and_changes_nothing():
    lamp = make_variant()
    basket = holds.start(make_basket(lines={lamp: 2}))
    seen = terms_of(basket)
    rate = TaxRate.objects.get(country="DE", tax_class="standard")
    rate.percent = 25
    pricing.save_tax_rate(rate)
    before = snapshot(lamp, basket)

    with pytest.raises(TermsChanged) as refusal:
        place(basket, seen=seen)

    assert seen.costs.tax == Decimal("3.99") and refusal.value.now.costs.tax == 5
    assert refusal.value.now.total == seen.total
    assert snapshot(lamp, basket) == before


def test_order_abroad_has_the_tax_of_where_it_goes():
    basket = holds.start(make_basket(lines={make_variant(): 2}))
    contact = replace(CONTACT, country="DK")

    order = placing.place(
        *(basket, contact),
        seen=placing.terms(basket, contact),
        method="delivery",
        language="en",
    )

    line = order.lines.get()
    assert (line.tax, line.tax_rate, line.amount) == (5, 25, 25)
    assert (order.tax, order.total) == (5, 25)


def test_changed_price_after_the_hold_has_lapsed_claims_nothing():
    lamp = make_variant()
    basket = make_basket(lines={lamp: 2})
    before = snapshot(lamp, basket)

    with pytest.raises(TermsChanged):
        place(basket, seen=NOTHING)

    assert snapshot(lamp, basket) == before


def _other_goods(basket: Basket) -> Terms:
    """Another product at the same price, which another tab put in instead."""
    terms = terms_of(basket)
    (line,) = terms.goods
    other = make_variant(price=line.price)
    return replace(terms, goods=(line._replace(variant=other.pk, name=other.name),))


def _swapped_quantities(basket: Basket) -> Terms:
    """As many units and the same total, but of each product as many as of the other."""
    extra = make_variant(price=terms_of(basket).goods[0].price)
    baskets.add(basket, extra.pk, 1)
    terms = terms_of(basket)
    one, two = terms.goods
    swapped = one._replace(quantity=two.quantity), two._replace(quantity=one.quantity)
    return replace(terms, goods=swapped)


def _other_contact(**fields) -> Callable[[Basket], Terms]:
    return lambda basket: replace(terms_of(basket), contact=replace(CONTACT, **fields))


@pytest.mark.parametrize(
    "shown",
    [
        _other_goods,
        _swapped_quantities,
        _other_contact(line1="Low Street 2"),
        _other_contact(email="ben@example.com"),
        _other_contact(phone="+49 30 1234567"),
    ],
)
def test_order_of_something_else_than_was_shown_is_refused(shown):
    basket = make_basket(lines={make_variant(): 2})
    seen = shown(basket)

    with pytest.raises(TermsChanged):
        place(basket, seen=seen)

    assert not Order.objects.exists()


def test_order_of_the_fullest_basket_at_the_highest_price_keeps_its_total():
    price = Decimal("9999999999.99")
    goods = {make_variant(price=price, on_hand=20): 20 for _ in range(6)}

    order = place(holds.start(make_basket(lines=goods)))

    order.refresh_from_db()
    assert order.total == 120 * price
    assert sum(line.amount for line in order.lines.all()) == order.total


@pytest.mark.parametrize("noticed", [True, False], ids=["released", "unnoticed"])
def test_lapsed_hold_is_claimed_again(noticed):
    lamp = make_variant(on_hand=2)
    basket = holds.start(make_basket(lines={lamp: 2}))
    Basket.objects.update(held_until=timezone.now() - timedelta(seconds=1))
    if noticed:
        holds.release_lapsed()

    place(basket)

    assert level(lamp) == (2, 2)
    assert books.reconcile() == []


def test_lapsed_hold_that_somebody_else_got_is_a_shortage():
    lamp = make_variant(on_hand=2)
    basket = holds.start(make_basket(lines={lamp: 2}))
    Basket.objects.update(held_until=timezone.now() - timedelta(seconds=1))
    holds.release_lapsed()
    make_order({lamp: 1})
    before = snapshot(lamp, basket)

    with pytest.raises(Shortage) as refusal:
        place(basket)

    assert refusal.value.left == {lamp.pk: 1}
    assert snapshot(lamp, basket) == before


def test_product_that_is_no_longer_sold_is_a_shortage_even_while_held():
    lamp = make_variant()
    basket = holds.start(make_basket(lines={lamp: 2}))
    lamp.is_active = False
    catalogue.save(lamp.product, variants=[lamp])
    before = snapshot(lamp, basket)

    with pytest.raises(Shortage) as refusal:
        place(basket)

    assert refusal.value.left == {lamp.pk: 0}
    assert snapshot(lamp, basket) == before


def test_empty_basket_is_refused():
    with pytest.raises(BasketEmpty):
        place(make_basket())

    assert not Order.objects.exists()


def test_basket_that_was_merged_or_deleted_is_refused():
    lamp, owner = make_variant(), make_owner()
    merged = make_basket(owner, {lamp: 1})
    baskets.merge(token=owner.token, user_id=make_user().pk)
    deleted = make_basket()
    Basket.objects.filter(pk=deleted.pk).delete()

    for basket in (merged, deleted):
        with pytest.raises(BasketClosed):
            place(basket)

    assert level(lamp) == (10, 0) and not Order.objects.exists()


def test_order_of_many_lines_takes_as_many_queries_as_of_one():
    counts = []
    for lines in (1, 20):
        basket = make_basket(lines={make_variant(): 1 for _ in range(lines)})
        seen = terms_of(holds.start(basket))
        with CaptureQueriesContext(connection) as queries:
            place(basket, seen=seen)
        counts.append(len(queries))

    assert counts[0] == counts[1]


# --- From state to state ----------------------------------------------------------


def make_in(
    status: str,
    method: str = Order.Method.STRIPE,
    lines: dict[Variant, int] | None = None,
) -> Order:
    """An order that got there by the way that orders go."""
    order = make_order(lines, method=method)
    way = {
        Status.PENDING: [],
        Status.PAID: [orders.pay],
        Status.PACKED: [orders.pay, pack],
        Status.SHIPPED: [orders.pay, pack, ship],
        Status.DELIVERED: [orders.pay, pack, ship, orders.deliver],
        Status.CANCELLED: [orders.cancel],
        Status.EXPIRED: [expire],
    }[status]
    for step in way:
        step(order)
    order.refresh_from_db()
    assert order.status == status
    return order


def pack(order: Order) -> Order:
    return orders.pack(order, actor=make_user(is_staff=True))


def ship(order: Order) -> Order:
    return orders.ship(order, actor=make_user(is_staff=True))


def expire(order: Order) -> None:
    """As when its time to be paid is over."""
    Order.objects.filter(pk=order.pk).update(expires_at=timezone.now())
    orders.expire_overdue()


VERBS: dict[str, Callable[[Order], Order]] = {
    "pay": orders.pay,
    "pack": pack,
    "ship": ship,
    "deliver": orders.deliver,
    "cancel": orders.cancel,
    "cancel_by_shopper": orders.cancel_by_shopper,
    "revive": orders.revive,
}
# By method and status: what may be done, and where it leads.
ALLOWED = {
    ("stripe", "pending"): {"pay": "paid"},
    ("delivery", "pending"): {"pay": "paid", "pack": "packed"},
    ("stripe", "paid"): {"pack": "packed"},
    ("stripe", "packed"): {"ship": "shipped"},
    ("stripe", "shipped"): {"deliver": "delivered"},
    ("stripe", "delivered"): {},
    ("stripe", "cancelled"): {},
    ("stripe", "expired"): {"revive": "paid"},
}
for (_method, status), ways in ALLOWED.items():
    if status in ("pending", "paid", "packed"):
        ways["cancel"] = "cancelled"
    if status in ("pending", "paid"):
        ways["cancel_by_shopper"] = "cancelled"
CASES = [
    (method, status, verb, ways.get(verb))
    for (method, status), ways in ALLOWED.items()
    for verb in VERBS
]


@pytest.mark.parametrize("method, status, verb, to", CASES)
def test_verb_leads_where_the_state_machine_says_or_is_refused(
    method, status, verb, to
):
    lamp = make_variant()
    order = make_in(status, method, lines={lamp: 2})
    before = level(lamp), order.version

    if to is None:
        with pytest.raises(StatusConflict) as refusal:
            VERBS[verb](order)
        is_unpaid = (method, status) == ("delivery", "pending")
        label = "to be packed" if is_unpaid else order.get_status_display()
        assert refusal.value.status == label
        order.refresh_from_db()
        assert (order.status, (level(lamp), order.version)) == (status, before)
    else:
        moved = VERBS[verb](order)
        assert (moved.status, moved.version) == (to, order.version + 1)
        order.refresh_from_db()
        assert order.status == to

    numbers = list(order.events.values_list("version", flat=True))
    assert numbers == list(range(1, order.version + 1))
    assert order.events.last().status == order.status
    assert books.reconcile() == []


@pytest.mark.parametrize(
    "status, expected",
    [
        ("pending", (10, 2)),
        ("paid", (10, 2)),
        ("packed", (10, 2)),
        ("shipped", (8, 0)),
        ("delivered", (8, 0)),
        ("cancelled", (10, 0)),
        ("expired", (10, 0)),
    ],
)
def test_stock_of_an_order_is_reserved_until_it_leaves_or_is_given_back(
    status, expected
):
    lamp = make_variant()

    make_in(status, lines={lamp: 2})

    assert level(lamp) == expected


def test_cancel_gives_back_exactly_once():
    lamp = make_variant()
    make_order({lamp: 3})  # somebody else's, which must stay
    order = make_order({lamp: 2})

    orders.cancel(order)
    for verb in (orders.cancel, orders.cancel_by_shopper):
        with pytest.raises(StatusConflict):
            verb(order)

    assert level(lamp) == (10, 3)
    assert books.reconcile() == []


def test_revival_of_an_order_whose_units_were_sold_changes_nothing():
    lamp = make_variant(on_hand=2)
    order = make_in(Status.EXPIRED, lines={lamp: 2})
    make_order({lamp: 1})

    with pytest.raises(NotEnoughStock):
        orders.revive(order)

    order.refresh_from_db()
    assert (order.status, order.version) == (Status.EXPIRED, 2)
    assert level(lamp) == (2, 1) and books.reconcile() == []


def test_event_says_who_did_what_and_why():
    anna = make_user(is_staff=True)
    order = make_order(user=(shopper := make_user()))

    orders.pack(order, actor=anna)
    orders.cancel(order, actor=anna, note="The lamp is broken.")

    history = list(order.events.values_list("version", "status", "actor", "note"))
    assert history == [
        (1, "pending", shopper.pk, ""),
        (2, "packed", anna.pk, ""),
        (3, "cancelled", anna.pk, "The lamp is broken."),
    ]


def test_handler_is_the_last_member_of_staff_who_moved_the_order():
    anna, ben = make_user(is_staff=True), make_user(is_staff=True)
    order = make_order(user=make_user())
    assert order.handler is None

    assert orders.pack(order, actor=anna).handler == anna
    assert orders.ship(order, actor=ben).handler == ben
    assert orders.deliver(order).handler == ben


def test_shopper_who_cancels_does_not_handle_the_order():
    shopper = make_user()
    order = make_order(user=shopper)

    assert orders.cancel_by_shopper(order, actor=shopper).handler is None


def test_conflict_names_the_state_and_the_winner_to_staff():
    anna, ben = (make_user(is_staff=True, username=name) for name in ("anna", "ben"))
    order = make_order()
    orders.pack(order, actor=anna)

    with pytest.raises(StatusConflict) as refusal:
        orders.pack(order, actor=ben)

    conflict = refusal.value
    assert (conflict.number, conflict.who) == (order.number, "anna")
    assert str(conflict) == f"{order.number} is already “packed” (anna)."


def test_note_is_an_event_that_moves_nothing_and_wins_nothing():
    anna, ben = (make_user(is_staff=True, username=name) for name in ("anna", "ben"))
    order = orders.pack(make_order(), actor=anna)

    order = orders.note(order, actor=ben, note="Call before delivery.")

    assert (order.status, order.version, order.handler) == ("packed", 3, anna)
    event = order.events.last()
    assert (event.version, event.status, event.actor) == (3, "packed", ben)
    assert event.note == "Call before delivery."
    with pytest.raises(StatusConflict) as refusal:
        orders.pack(order, actor=ben)
    assert refusal.value.who == "anna"


def test_conflict_names_nobody_to_the_shopper():
    anna = make_user(is_staff=True, username="anna")
    order = make_order()
    orders.pack(order, actor=anna)

    with pytest.raises(StatusConflict) as refusal:
        orders.cancel_by_shopper(order)

    assert refusal.value.who == ""
    assert str(refusal.value) == f"{order.number} is already “packed”."


# --- Time -------------------------------------------------------------------------


def test_order_paid_on_delivery_never_expires(settings):
    settings.PAYMENT_MINUTES = 0
    order = make_order()

    assert order.expires_at is None
    assert tasks.expire_orders() == 0
    order.refresh_from_db()
    assert order.status == Status.PENDING


def test_order_not_paid_in_time_expires_and_gives_back(settings):
    lamp = make_variant()
    settings.PAYMENT_MINUTES = 30
    fresh = make_order({lamp: 1}, method="stripe")
    settings.PAYMENT_MINUTES = 0
    overdue = make_order({lamp: 2}, method="stripe")
    paid = make_order({lamp: 3}, method="stripe")
    orders.pay(paid)

    assert tasks.expire_orders() == 1
    assert tasks.expire_orders() == 0

    statuses = dict(Order.objects.values_list("pk", "status"))
    assert statuses == {fresh.pk: "pending", overdue.pk: "expired", paid.pk: "paid"}
    assert level(lamp) == (10, 4)
    assert books.reconcile() == []


# --- What is pushed ---------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_order_that_is_placed_is_pushed_with_the_basket_it_empties(hear):
    owner = make_owner()
    basket = holds.start(make_basket(owner, {make_variant(): 1}))
    topics = [f"{kind}:{owner.key}" for kind in ("basket", "basket:lines")]

    with hear("orders:", *topics) as events:
        place(basket)

    basket.refresh_from_db()
    versions = {event["topic"]: event["version"] for event in events}
    assert versions.keys() == {"orders:", *topics}
    assert {versions[topic] for topic in topics} == {basket.version}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("verb", ["pay", "pack", "cancel", "cancel_by_shopper"])
def test_transition_is_pushed_to_its_order_and_the_board(hear, verb):
    order = make_order()
    topic = f"order:{order.access_token}"

    with hear(topic, "orders:") as events:
        VERBS[verb](order)

    versions = {event["topic"]: event["version"] for event in events}
    assert versions.keys() == {topic, "orders:"} and versions[topic] == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("status, verb", [("packed", "ship"), ("shipped", "deliver")])
def test_later_transition_is_pushed_too(hear, status, verb):
    order = make_in(status)
    topic = f"order:{order.access_token}"

    with hear(topic, "orders:") as events:
        VERBS[verb](order)

    assert {event["topic"] for event in events} == {topic, "orders:"}


@pytest.mark.django_db(transaction=True)
def test_order_that_expires_is_pushed(hear, settings):
    settings.PAYMENT_MINUTES = 0
    order = make_order(method="stripe")
    topic = f"order:{order.access_token}"

    with hear(topic, "orders:") as events:
        orders.expire_overdue()

    assert {event["topic"] for event in events} == {topic, "orders:"}


@pytest.mark.django_db(transaction=True)
def test_refusal_is_pushed_to_nobody(hear):
    lamp = make_variant()
    order = make_in(Status.SHIPPED, lines={lamp: 1})
    basket = holds.start(make_basket(Owner(user_id=make_user().pk), {lamp: 1}))

    with hear("orders:", f"order:{order.access_token}", f"stock:{lamp.pk}") as events:
        with pytest.raises(StatusConflict):
            orders.cancel(order)
        with pytest.raises(TermsChanged):
            place(basket, seen=NOTHING)

    assert events == []
