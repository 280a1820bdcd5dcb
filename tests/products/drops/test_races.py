"""Drops while many people, and several processes, do things at one moment."""

import pytest

from products.basket import holds
from products.drops import services as drops
from products.drops import steps
from products.drops.exceptions import AlreadyBought, PersonLimit, TooManyTickets
from products.drops.states import Turn
from products.live.viewers import Owner
from products.models import Drop, Order, Stock, Ticket, Variant
from products.orders import placing
from products.stock import services as stock
from tests.support.concurrency import together
from tests.support.drops import (
    admitted,
    at_place,
    begin,
    buy,
    join,
    later,
    make_drop,
    order,
    take,
)
from tests.support.factories import make_basket, make_owner, make_shopper, make_variant

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 8


def errors(outcomes: list) -> list:
    return [each for each in outcomes if isinstance(each, Exception)]


def test_button_pressed_many_times_gives_one_ticket():
    drop, owner = make_drop(), make_owner()

    outcomes = together([lambda: drops.join(drop, owner)] * MANY)

    assert errors(outcomes) == []
    assert Ticket.objects.count() == 1


def test_network_gets_no_more_tickets_than_allowed_at_once(settings):
    settings.DROP_TICKETS_PER_NETWORK = 3
    drop = make_drop()

    outcomes = together(
        [lambda: drops.join(drop, make_owner(), network="192.0.2.7")] * MANY
    )

    assert {type(each) for each in errors(outcomes)} == {TooManyTickets}
    assert Ticket.objects.count() == 3


def test_steps_of_several_processes_admit_each_person_once():
    drop = make_drop(make_variant(on_hand=9), admitted_at_once=3)
    join(drop, 9)
    Drop.objects.update(starts_at=later(-1))

    outcomes = together([lambda: steps.step(drop.pk)] * MANY)

    assert errors(outcomes) == []
    assert True in outcomes
    assert admitted(drop) == [1, 2, 3]
    places = drop.tickets.order_by("place").values_list("place", flat=True)
    assert list(places) == [*range(1, 10)]


def test_people_who_come_during_the_start_get_a_place_each():
    drop = make_drop(make_variant(on_hand=1))
    join(drop, 3)
    Drop.objects.update(starts_at=later(-1))
    arrivals = [lambda: join(drop)] * MANY

    together([*arrivals, lambda: steps.step(drop.pk)])
    steps.step(drop.pk)

    places = drop.tickets.order_by("place").values_list("place", flat=True)
    assert list(places) == [*range(1, MANY + 4)]


def test_everybody_buys_at_once_and_only_the_admitted_ones_get_units():
    variant = make_variant(on_hand=3)
    drop = make_drop(variant)
    owners = join(drop, MANY)
    drop = begin(drop)
    lucky = {at_place(drop, place) for place in (1, 2, 3)}

    outcomes = together([lambda o=o: buy(o, variant) for o in owners])

    bought = {o for o, got in zip(owners, outcomes) if isinstance(got, Order)}
    assert bought == lucky
    assert Stock.objects.get(pk=variant.pk).reserved == 3


def test_everybody_buys_at_once_without_the_gate_and_others_get_units(monkeypatch):
    """The positive control."""
    variant = make_variant(on_hand=3)
    drop = make_drop(variant)
    owners = join(drop, MANY)
    drop = begin(drop)
    lucky = {at_place(drop, place) for place in (1, 2, 3)}
    monkeypatch.setattr(stock, "GATE", "")
    monkeypatch.setattr(holds.admission, "check", lambda basket, lines: [])
    monkeypatch.setattr(holds.admission, "is_admitted", lambda basket, drop: True)
    others = [o for o in owners if o not in lucky]

    outcomes = together([lambda o=o: buy(o, variant) for o in others])

    assert [got for got in outcomes if isinstance(got, Order)]


@pytest.mark.parametrize("turn", range(4))
def test_turn_that_ends_while_it_is_used_is_used_or_passed_on(turn):
    """Never both: then two people would have a right to the same unit."""
    variant = make_variant(on_hand=1)
    drop = make_drop(variant)
    join(drop, 2)
    drop = begin(drop)
    first = at_place(drop, 1)
    ends = drop.tickets.get(place=1).ends_at

    got, _stepped = together(
        [lambda: take(first, variant), lambda: steps.step(drop.pk, ends)]
    )

    is_held = not isinstance(got, Exception)
    assert admitted(drop) == ([1] if is_held else [2])


def test_two_orders_with_one_address_at_once_buy_once():
    variant = make_variant(on_hand=2)
    drop = make_drop(variant)
    owners = join(drop, 2)
    begin(drop)
    held = [take(owner, variant) for owner in owners]

    outcomes = together([lambda b=b: order(b, "one@example.com") for b in held])

    assert sum(isinstance(each, Order) for each in outcomes) == 1
    assert [type(each) for each in errors(outcomes)] == [AlreadyBought]


def test_units_for_each_person_hold_for_orders_placed_at_once():
    variant = make_variant(on_hand=5)
    Variant.objects.update(limit_per_person=1)
    held = [holds.start(make_basket(lines={variant: 1})) for _ in range(4)]

    outcomes = together([lambda b=b: order(b, "one@example.com") for b in held])

    assert sum(isinstance(each, Order) for each in outcomes) == 1
    assert {type(each) for each in errors(outcomes)} == {PersonLimit}


def test_units_for_each_person_without_the_lock_are_exceeded(monkeypatch):
    """The positive control."""
    variant = make_variant(on_hand=5)
    Variant.objects.update(limit_per_person=1)
    held = [holds.start(make_basket(lines={variant: 1})) for _ in range(4)]
    monkeypatch.setattr(placing.limits, "lock_mailbox", lambda email: None)

    outcomes = together([lambda b=b: order(b, "one@example.com") for b in held])

    assert sum(isinstance(each, Order) for each in outcomes) > 1


def test_signing_in_while_the_drop_steps_keeps_one_ticket():
    drop = make_drop(make_variant(on_hand=5))
    owners = join(drop, 4)
    user = make_shopper()
    drops.join(drop, Owner(user_id=user.pk), is_verified=True)
    Drop.objects.update(starts_at=later(-1))

    outcomes = together(
        [
            lambda: drops.merge(token=owners[0].token, user_id=user.pk),
            *[lambda: steps.step(drop.pk)] * 3,
        ]
    )

    assert errors(outcomes) == []
    live = Ticket.objects.filter(user=user).exclude(state=Turn.PASSED)
    assert live.count() == 1
