"""Nobody buys past the room, whatever way they try."""

import pytest

from products.basket import holds
from products.basket import services as baskets
from products.drops import admission
from products.drops import services as drops
from products.drops import steps
from products.drops.books import reconcile_drops
from products.drops.exceptions import (
    AlreadyBought,
    DropLimit,
    NotAdmitted,
    PersonLimit,
)
from products.drops.states import STOP, Turn
from products.live.viewers import Owner
from products.models import Basket, BasketLine, Drop, Stock, Ticket, Variant
from products.orders import placing
from products.orders import services as orders
from products.stock import services as stock
from tests.support.drops import begin, buy, join, later, make_drop, take, ticket
from tests.support.factories import (
    CONTACT,
    make_basket,
    make_full_basket,
    make_order,
    make_owner,
    make_shopper,
    make_user,
    make_variant,
    terms_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def variant() -> Variant:
    return make_variant(on_hand=3)


def reserved(variant: Variant) -> int:
    return Stock.objects.get(pk=variant.pk).reserved


def test_basket_refuses_units_of_a_planned_drop(variant):
    make_drop(variant)

    with pytest.raises(NotAdmitted):
        baskets.add(make_basket(), variant.pk)


def test_hold_is_refused_without_a_turn(variant):
    basket = make_basket(lines={variant: 1})  # from before the drop was planned
    make_drop(variant)

    with pytest.raises(NotAdmitted):
        holds.start(basket)
    assert reserved(variant) == 0


def test_hold_is_refused_while_one_waits(variant):
    drop = make_drop(make_variant(on_hand=1))
    join(drop)
    drop = begin(drop)
    (late,) = join(drop)
    steps.step(drop.pk)
    line = Variant.objects.get(drop=drop)

    with pytest.raises(NotAdmitted):
        holds.start(make_full_basket(late, [line]))


def test_hold_is_refused_when_the_turn_is_over(variant):
    drop = make_drop(variant)
    (owner,) = join(drop)
    drop = begin(drop)
    Ticket.objects.update(ends_at=later(-1))

    with pytest.raises(NotAdmitted):
        holds.start(make_full_basket(owner, [variant]))


def test_hold_is_refused_once_one_has_bought(variant):
    drop = make_drop(variant)
    (owner,) = join(drop)
    begin(drop)
    buy(owner, variant)

    with pytest.raises(NotAdmitted):
        holds.start(make_full_basket(owner, [variant]))


def test_hold_of_more_units_than_allowed_is_refused(variant):
    drop = make_drop(variant, per_person=2)
    (owner,) = join(drop)
    begin(drop)
    basket = baskets.open_for(owner)
    baskets.add(basket, variant.pk, 1)
    basket = holds.start(basket)
    baskets.set_quantities(basket, {variant.pk: 3})

    with pytest.raises(DropLimit):
        holds.start(basket)
    assert reserved(variant) == 0


def test_claim_of_stock_itself_is_refused(variant):
    """The last guard: whoever forgets to ask is refused by the statement."""
    drop = make_drop(variant)

    with pytest.raises(NotAdmitted):
        stock.claim({variant.pk: 1})
    with pytest.raises(NotAdmitted):
        stock.claim({variant.pk: 1}, drops=[drop.pk + 1])
    assert stock.claim({variant.pk: 1}, drops=[drop.pk])


def test_order_is_refused_when_turn_and_hold_are_over(variant):
    drop = make_drop(variant)
    (owner,) = join(drop)
    begin(drop)
    basket = take(owner, variant)
    seen = terms_of(basket)
    Basket.objects.update(held_until=later(-1))
    Ticket.objects.update(ends_at=later(-1))

    with pytest.raises(NotAdmitted):
        placing.place(basket, CONTACT, seen=seen, method="delivery", language="en")


def test_order_within_the_hold_is_placed_after_the_turn(variant):
    drop = make_drop(variant)
    (owner,) = join(drop)
    begin(drop)
    basket = take(owner, variant)
    Ticket.objects.update(ends_at=later(-1))

    order = placing.place(
        basket, CONTACT, seen=terms_of(basket), method="delivery", language="en"
    )

    assert Ticket.objects.get().order == order


def test_order_with_an_address_that_has_bought_is_refused(variant):
    drop = make_drop(variant)
    first, second = join(drop, 2)
    begin(drop)
    for owner in (first, second):
        basket = take(owner, variant)
        seen, details = terms_of(basket), {"method": "delivery", "language": "en"}
        if owner == first:
            placing.place(basket, CONTACT, seen=seen, **details)
        else:
            with pytest.raises(AlreadyBought):
                placing.place(basket, CONTACT, seen=seen, **details)


def test_merged_basket_is_refused_without_a_turn(variant):
    drop = make_drop(variant)
    (owner,) = join(drop)
    begin(drop)
    take(owner, variant)
    user = make_shopper()
    Ticket.objects.all().delete()

    baskets.merge(token=owner.token, user_id=user.pk)

    assert reserved(variant) == 0
    with pytest.raises(NotAdmitted):
        holds.start(Basket.objects.get(user=user))


def test_revived_order_gets_its_units_again(variant):
    order = make_order({variant: 1}, method="stripe")
    orders.advance(order, orders.states.EXPIRE)
    make_drop(variant)

    orders.revive(order)

    assert reserved(variant) == 1


def test_claim_outside_of_drops_takes_no_statement_more(
    variant, django_assert_num_queries
):
    basket = make_basket(lines={variant: 1})
    lines = list(BasketLine.objects.select_related("variant").filter(basket=basket))

    with django_assert_num_queries(0):
        assert admission.check(basket, lines) == []
        assert admission.begin_order(basket, lines, "a@example.com") == []


def test_drop_is_not_limited_for_networks_as_other_holds_are(variant, settings):
    settings.HOLDS_PER_NETWORK = 1
    drop = make_drop(variant)
    owners = join(drop, 3)
    begin(drop)

    for owner in owners:
        basket = make_full_basket(owner, [variant])
        assert holds.start(basket, network="192.0.2.7").held_until


# --- One person, one ticket -------------------------------------------------------


def test_second_ticket_of_a_session_is_the_first(variant):
    drop, owner = make_drop(variant), make_owner()

    assert drops.join(drop, owner) == drops.join(drop, owner)


def test_ticket_of_an_account_is_the_same_on_each_device(variant):
    drop, user = make_drop(variant), make_shopper()
    owner = Owner(user_id=user.pk)

    first = drops.join(drop, owner, is_verified=True)

    assert drops.join(drop, owner, is_verified=True) == first


def test_signing_in_brings_the_ticket_along(variant):
    drop, owner, user = make_drop(variant), make_owner(), make_shopper()
    taken = drops.join(drop, owner)

    drops.merge(token=owner.token, user_id=user.pk)

    taken.refresh_from_db()
    assert (taken.user, taken.token) == (user, None)


@pytest.mark.parametrize("is_own_better", [True, False])
def test_signing_in_keeps_the_better_of_two_tickets(variant, is_own_better):
    drop, owner, user = make_drop(variant), make_owner(), make_user()
    theirs = drops.join(drop, owner)
    own = drops.join(drop, Owner(user_id=user.pk), is_verified=True)
    Ticket.objects.filter(pk=own.pk).update(place=1 if is_own_better else 3)
    Ticket.objects.filter(pk=theirs.pk).update(place=2)

    drops.merge(token=owner.token, user_id=user.pk)

    ticket = drops.ticket_of(drop, Owner(user_id=user.pk))
    assert ticket == (own if is_own_better else theirs)
    assert Ticket.objects.filter(state=Turn.WAITING).count() == 1


def test_signing_in_keeps_a_turn_above_a_place(variant):
    drop, user = make_drop(variant, admitted_at_once=1), make_user()
    join(drop)
    drops.join(drop, Owner(user_id=user.pk), is_verified=True)
    drop = begin(drop)
    turn = drop.tickets.get(state=Turn.ADMITTED)
    visitor = drop.tickets.exclude(token=None).get()

    drops.merge(token=visitor.token, user_id=user.pk)

    ticket = drops.ticket_of(drop, Owner(user_id=user.pk))
    assert (ticket, ticket.state) == (turn, Turn.ADMITTED)


# --- Units for each person --------------------------------------------------------


def test_hold_of_more_units_than_a_person_may_buy_is_refused(variant):
    Variant.objects.update(limit_per_person=1)
    basket = make_basket(lines={variant: 2})

    with pytest.raises(PersonLimit):
        holds.start(basket)


def test_units_that_were_ordered_count(variant):
    Variant.objects.update(limit_per_person=2)
    user = make_shopper()
    make_order({variant: 1}, user=user)

    with pytest.raises(PersonLimit):
        holds.start(make_basket(Owner(user_id=user.pk), {variant: 2}))


def test_units_of_a_cancelled_order_do_not_count(variant):
    Variant.objects.update(limit_per_person=1)
    user = make_shopper()
    orders.cancel(make_order({variant: 1}, user=user))

    assert make_order({variant: 1}, user=user)


def test_units_ordered_with_the_same_address_count(variant):
    Variant.objects.update(limit_per_person=1)
    make_order({variant: 1})

    with pytest.raises(PersonLimit):
        make_order({variant: 1})  # another session, the same address


# --- The books --------------------------------------------------------------------


def test_books_of_a_fair_drop_agree(variant):
    drop = make_drop(variant)
    owners = join(drop, 3)
    begin(drop)
    for owner in owners:
        buy(owner, variant)
    steps.step(drop.pk)

    assert reconcile_drops() == []


def test_books_find_an_order_past_the_room(variant):
    drop = begin(make_drop(variant))
    Variant.objects.update(drop=None)
    order = make_order({variant: 1})

    (fault,) = reconcile_drops()
    assert (
        str(fault) == f"drop {drop.pk}: order {order.number} was placed without a turn"
    )


def test_books_take_orders_after_the_stop_for_normal_ones(variant):
    drops.move(begin(make_drop(variant)), STOP)
    make_order({variant: 1})

    assert reconcile_drops() == []


def test_books_find_a_person_who_bought_twice(variant):
    drop = make_drop(variant)
    owners = join(drop, 2)
    begin(drop)
    for owner in owners:
        order = buy(owner, variant)
        type(order).objects.filter(pk=order.pk).update(email="one@example.com")

    (fault,) = reconcile_drops()
    assert "one person bought 2 times" in fault.what


def test_books_find_somebody_who_was_passed_over(variant):
    drop = make_drop(variant)
    owners = join(drop, 2)
    drop = begin(drop)
    first = drop.tickets.get(place=1)
    Ticket.objects.filter(pk=first.pk).update(state=Turn.WAITING)

    (fault,) = reconcile_drops()
    assert first.number in fault.what
    assert ticket(drop, owners[0])


def test_books_find_too_many_units_for_a_person(variant):
    drop = make_drop(variant, per_person=2)
    (owner,) = join(drop)
    begin(drop)
    buy(owner, variant, 2)
    Drop.objects.update(per_person=1)

    (fault,) = reconcile_drops()
    assert "has 2 units" in fault.what
