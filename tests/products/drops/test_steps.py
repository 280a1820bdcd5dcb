"""A drop from its plan to its end, step by step."""

import hashlib

import pytest
from django.utils import timezone

from products.basket import holds
from products.drops import services as drops
from products.drops import steps
from products.drops.exceptions import DropConflict, DropOver
from products.drops.states import PAUSE, RESUME, STOP, Status, Turn
from products.models import Drop, Stock, Variant
from products.orders import services as orders
from products.stock import backorders
from products.stock import services as stock
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
    ticket,
)
from tests.support.factories import make_options, make_owner, make_variant

pytestmark = pytest.mark.django_db


def test_start_shuffles_early_tickets_by_the_published_seed():
    drop = make_drop(make_variant(on_hand=3))
    join(drop, 20)
    assert drop.published_seed == ""
    assert set(drop.tickets.values_list("place", flat=True)) == {None}

    drop = begin(drop)

    seed = drop.published_seed
    assert hashlib.sha256(seed.encode()).hexdigest() == drop.seed_sha256
    numbers = list(drops.line_of(drop).values_list("number", flat=True))
    assert numbers == sorted(
        numbers, key=lambda n: hashlib.sha256(f"{seed}:{n}".encode()).hexdigest()
    )
    assert numbers != list(drop.tickets.order_by("pk").values_list("number", flat=True))
    assert drop.early == drop.last_place == 20
    assert drop.status == Status.RUNNING


def test_tickets_taken_after_the_start_queue_behind_in_their_order():
    drop = make_drop(make_variant(on_hand=1))
    join(drop, 3)
    drop = begin(drop)

    late = join(drop, 3)
    steps.step(drop.pk)

    assert [ticket(drop, owner).place for owner in late] == [4, 5, 6]


def test_step_before_the_start_does_nothing():
    drop = make_drop(in_s=30)
    join(drop)

    assert not steps.step(drop.pk)
    assert steps.step_all() == 0

    drop.refresh_from_db()
    assert drop.status == Status.PLANNED
    assert drop.version == 1


def test_no_more_people_are_admitted_than_units_are_left():
    drop = make_drop(make_variant(on_hand=3), admitted_at_once=10)
    join(drop, 8)

    drop = begin(drop)

    assert admitted(drop) == [1, 2, 3]
    assert drop.facts["serving"] == 3
    assert (drop.facts["left"], drop.facts["waiting"]) == (3, 5)


def test_no_more_people_are_admitted_than_the_pace_allows():
    drop = make_drop(make_variant(on_hand=30), admitted_at_once=2)
    join(drop, 5)

    drop = begin(drop)
    steps.step(drop.pk)

    assert admitted(drop) == [1, 2]


def test_each_admitted_person_finds_as_many_units_as_they_may_buy():
    drop = make_drop(make_variant(on_hand=5), per_person=2)
    join(drop, 5)

    assert admitted(begin(drop)) == [1, 2]


def test_last_unit_is_offered_to_one_person():
    drop = make_drop(make_variant(on_hand=1), per_person=2)
    join(drop, 3)

    assert admitted(begin(drop)) == [1]


def test_hold_of_an_admitted_person_lets_in_the_next_one():
    variant = make_variant(on_hand=10)
    drop = make_drop(variant, admitted_at_once=1)
    join(drop, 3)
    drop = begin(drop)

    take(at_place(drop, 1), variant)
    steps.step(drop.pk)

    assert admitted(drop) == [1, 2]
    drop.refresh_from_db()
    assert (drop.facts["left"], drop.facts["held"]) == (9, 1)


def test_turn_that_is_not_used_passes_on():
    drop = make_drop(make_variant(on_hand=1), turn_s=30)
    join(drop, 2)
    drop = begin(drop)

    steps.step(drop.pk, later(31))

    assert admitted(drop) == [2]
    assert drop.tickets.get(place=1).state == Turn.PASSED


def test_turn_goes_on_while_its_units_are_held():
    variant = make_variant(on_hand=1)
    drop = make_drop(variant, turn_s=30)
    join(drop, 2)
    drop = begin(drop)
    take(at_place(drop, 1), variant)

    steps.step(drop.pk, later(31))

    assert admitted(drop) == [1]


def test_turn_ends_with_the_hold_if_nothing_was_bought():
    variant = make_variant(on_hand=1)
    drop = make_drop(variant, turn_s=30)
    join(drop, 2)
    drop = begin(drop)
    basket = take(at_place(drop, 1), variant)
    holds.give_up(basket)

    steps.step(drop.pk, later(31))

    assert admitted(drop) == [2]


def test_order_makes_the_ticket_bought():
    variant = make_variant(on_hand=2)
    drop = make_drop(variant)
    (owner,) = join(drop)
    drop = begin(drop)

    placed = buy(owner, variant)

    assert ticket(drop, owner).state == Turn.BOUGHT
    assert ticket(drop, owner).order == placed


def test_drop_is_sold_out_once_the_last_unit_is_ordered():
    variant = make_variant(on_hand=1)
    drop = make_drop(variant)
    join(drop, 2)
    drop = begin(drop)
    basket = take(at_place(drop, 1), variant)
    steps.step(drop.pk)
    drop.refresh_from_db()
    assert drop.status == Status.RUNNING  # it may come back

    order(basket, "ann@example.com")
    steps.step(drop.pk)

    drop.refresh_from_db()
    assert drop.status == Status.SOLD_OUT
    with pytest.raises(DropOver):
        drops.join(drop, make_owner())


def test_unit_that_comes_back_goes_to_the_next_person():
    variant = make_variant(on_hand=1)
    drop = make_drop(variant)
    join(drop, 2)
    drop = begin(drop)
    placed = buy(at_place(drop, 1), variant)
    steps.step(drop.pk)

    orders.cancel(placed)
    steps.step(drop.pk)

    drop.refresh_from_db()
    assert drop.status == Status.RUNNING
    assert admitted(drop) == [2]


def test_paused_drop_admits_nobody_and_gives_places():
    drop = make_drop(make_variant(on_hand=9), turn_s=30, admitted_at_once=1)
    join(drop, 2)
    drop = drops.move(begin(drop), PAUSE)
    (late,) = join(drop)

    steps.step(drop.pk, later(31))

    assert admitted(drop) == []
    assert ticket(drop, late).place == 3
    drops.move(drop, RESUME)
    steps.step(drop.pk)
    assert admitted(drop) == [2]


def test_stopped_drop_sells_normally():
    variant = make_variant(on_hand=9)
    drop = begin(make_drop(variant))

    drops.move(drop, STOP)

    assert take(make_owner(), variant).held_until
    assert not steps.step(drop.pk)
    with pytest.raises(DropConflict):
        drops.move(drop, RESUME)


def test_person_who_leaves_gives_their_turn_to_the_next_one():
    drop = make_drop(make_variant(on_hand=1))
    join(drop, 2)
    drop = begin(drop)

    assert drops.leave(drop, at_place(drop, 1))
    steps.step(drop.pk)

    assert admitted(drop) == [2]


def test_person_whose_turn_has_passed_can_queue_again_at_the_end():
    drop = make_drop(make_variant(on_hand=1), turn_s=30)
    join(drop, 3)
    drop = begin(drop)
    owner = at_place(drop, 1)
    steps.step(drop.pk, later(31))

    again = drops.join(drop, owner)
    steps.step(drop.pk)

    again.refresh_from_db()
    assert again.place == 4
    assert drops.ticket_of(drop, owner) == again


def test_step_without_news_pushes_nothing():
    drop = begin(make_drop(make_variant(on_hand=1)))
    version = drop.version

    steps.step(drop.pk)

    drop.refresh_from_db()
    assert drop.version == version


def test_drop_without_chosen_variants_sells_all_of_the_product():
    small, large = make_options(
        *({"option_values": ["S"]}, {"option_values": ["L"]}), names=["Size"]
    )
    drop = make_drop(product=small.product)

    gated = Variant.objects.filter(drop=drop)

    assert set(gated) == {small, large}


def test_variant_that_is_added_later_is_sold_by_the_planned_drop():
    small, large = make_options(
        *({"option_values": ["S"]}, {"option_values": ["L"]}), names=["Size"]
    )
    drop = make_drop(product=small.product)
    Variant.objects.filter(pk=large.pk).update(drop=None)  # as if it were new

    steps.keep_gates_closed()

    assert Variant.objects.get(pk=large.pk).drop == drop


def test_variants_of_another_drop_are_refused():
    variant = make_variant()
    make_drop(variant)

    with pytest.raises(DropConflict):
        make_drop(variant)


def test_drop_that_has_begun_keeps_its_start():
    drop = begin(make_drop())
    drop.starts_at = later(60)

    with pytest.raises(DropConflict):
        drops.save(drop)


def test_pace_is_the_slowest_possible_until_it_is_known():
    drop = make_drop(make_variant(on_hand=9), admitted_at_once=3, turn_s=60)
    join(drop, 9)

    assert begin(drop).facts["pace"] == 3.0


def test_pace_counts_the_people_who_were_admitted_lately():
    drop = make_drop(make_variant(on_hand=9), admitted_at_once=1, turn_s=20)
    join(drop, 9)
    drop = begin(drop)

    for seconds in (21, 42, 63):
        steps.step(drop.pk, later(seconds))

    drop.refresh_from_db()
    assert 2.5 < drop.facts["pace"] <= 3


def test_steps_are_due_every_second_while_a_drop_runs():
    assert steps.pauses(5) == []
    make_drop(in_s=60)
    assert steps.pauses(5) == []
    begin(make_drop(make_variant(on_hand=1)))

    assert steps.pauses(5) == [1, 2, 3, 4]


def test_steps_are_due_at_the_second_when_a_drop_begins():
    make_drop(in_s=2.5)

    assert any(2 < pause <= 2.5 for pause in steps.pauses(5))


def test_request_makes_the_step_that_is_late():
    drop = make_drop(make_variant(on_hand=1))
    join(drop)
    Drop.objects.filter(pk=drop.pk).update(starts_at=later(-3))
    drop.refresh_from_db()

    steps.step_if_late(drop)

    assert drop.status == Status.RUNNING
    assert admitted(drop) == [1]


def test_units_that_are_sold_before_they_are_here_let_in_people():
    variant = make_variant(on_hand=1)
    backorders.set_limit(variant.pk, 2, timezone.localdate())
    drop = make_drop(variant, admitted_at_once=10)
    join(drop, 5)

    assert admitted(begin(drop)) == [1, 2, 3]


def test_received_units_let_in_more_people():
    variant = make_variant(on_hand=1)
    drop = make_drop(variant)
    join(drop, 3)
    drop = begin(drop)

    stock.receive(variant.pk, 1)
    steps.step(drop.pk)

    assert admitted(drop) == [1, 2]


def test_units_that_are_sold_before_they_are_here_count():
    variant = make_variant(on_hand=0)
    Stock.objects.update(backorder_limit=2, ships_from=later(86_400).date())
    drop = make_drop(variant)
    join(drop, 3)

    assert admitted(begin(drop)) == [1, 2]
