"""Checkout holds stock for a while."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from products import tasks
from products.basket import holds
from products.basket import services as baskets
from products.basket.exceptions import BasketClosed, BasketEmpty, LineLimit, Shortage
from products.live.viewers import Owner
from products.models import Basket, Stock, Variant
from products.stock import books
from tests.support.factories import (
    make_basket,
    make_order,
    make_owner,
    make_user,
    make_variant,
)

pytestmark = pytest.mark.django_db


def reserved(variant: Variant) -> int:
    return Stock.objects.get(pk=variant.pk).reserved


def make_lapsed(lines: dict[Variant, int], owner: Owner | None = None) -> Basket:
    """A basket whose hold has run out a moment ago, and nobody has noticed."""
    basket = holds.start(make_basket(owner, lines))
    moment = timezone.now() - timedelta(seconds=1)
    Basket.objects.filter(pk=basket.pk).update(held_until=moment)
    basket.refresh_from_db()
    return basket


def test_start_reserves_every_line_for_ten_minutes():
    lamp, jug = make_variant(), make_variant()

    basket = holds.start(make_basket(lines={lamp: 2, jug: 3}))

    assert (reserved(lamp), reserved(jug)) == (2, 3)
    left = basket.held_until - timezone.now()
    assert timedelta(minutes=9.9) < left <= timedelta(minutes=10)
    assert books.reconcile() == []


def test_start_with_too_few_left_names_each_line_and_holds_nothing():
    lamp, jug, mug = (make_variant(on_hand=n) for n in (1, 9, 2))
    basket = make_basket(lines={lamp: 3, jug: 3, mug: 3})

    with pytest.raises(Shortage) as refusal:
        holds.start(basket)

    assert refusal.value.left == {lamp.pk: 1, mug.pk: 2}
    assert [reserved(p) for p in (lamp, jug, mug)] == [0, 0, 0]


def test_start_with_an_inactive_product_is_a_shortage():
    lamp = make_variant()
    basket = make_basket(lines={lamp: 1})
    lamp.is_active = False
    lamp.save()

    with pytest.raises(Shortage) as refusal:
        holds.start(basket)

    assert refusal.value.left == {lamp.pk: 0}


def test_start_of_an_empty_basket_is_refused():
    with pytest.raises(BasketEmpty):
        holds.start(make_basket())


@pytest.mark.parametrize("verb", [holds.start, holds.give_up])
def test_checkout_of_an_ordered_or_deleted_basket_is_refused(verb):
    ordered, deleted = make_order().basket, make_basket()
    Basket.objects.filter(pk=deleted.pk).delete()

    for basket in (ordered, deleted):
        with pytest.raises(BasketClosed):
            verb(basket)


def test_start_again_extends_the_hold_up_to_thirty_minutes():
    lamp = make_variant()
    basket = holds.start(make_basket(lines={lamp: 2}))
    earlier = timezone.now() - timedelta(minutes=25)
    soon = timezone.now() + timedelta(minutes=1)
    Basket.objects.filter(pk=basket.pk).update(held_since=earlier, held_until=soon)

    basket = holds.start(basket)

    assert basket.held_until == basket.held_since + timedelta(minutes=30)
    assert holds.start(basket).held_until == basket.held_until
    assert reserved(lamp) == 2


def test_start_again_raises_the_version_for_the_countdown():
    """Other tabs count down too, and the hub keeps the state it was told of last."""
    basket = holds.start(make_basket(lines={make_variant(): 2}))
    version, until = basket.version, basket.held_until

    basket = holds.start(basket)

    assert basket.version == version + 1 and basket.held_until > until
    basket.refresh_from_db()
    assert basket.version == version + 1


def test_start_after_a_lapsed_hold_claims_again():
    lamp = make_variant(on_hand=2)
    basket = make_lapsed({lamp: 2})

    basket = holds.start(basket)

    assert holds.is_held(basket)
    assert basket.held_until > timezone.now() + timedelta(minutes=9)
    assert reserved(lamp) == 2


def test_start_after_others_bought_the_units_is_a_shortage():
    lamp = make_variant(on_hand=2)
    basket = make_lapsed({lamp: 2})
    assert holds.release_lapsed() == 1
    holds.start(make_basket(lines={lamp: 1}))

    with pytest.raises(Shortage) as refusal:
        holds.start(basket)

    assert refusal.value.left == {lamp.pk: 1}


@pytest.mark.parametrize(
    "change",
    [
        lambda basket, lamp: baskets.add(basket, lamp.pk, 1),
        lambda basket, lamp: baskets.add(basket, make_variant().pk, 1),
        lambda basket, lamp: baskets.set_quantities(basket, {lamp.pk: 5}),
        lambda basket, lamp: baskets.remove(basket, lamp.pk),
        lambda basket, lamp: baskets.clear(basket),
        lambda basket, lamp: holds.give_up(basket),
    ],
)
def test_change_of_a_basket_releases_its_hold(change):
    lamp = make_variant()
    basket = holds.start(make_basket(lines={lamp: 2}))

    change(basket, lamp)

    basket.refresh_from_db()
    assert reserved(lamp) == 0 and basket.held_until is None
    assert books.reconcile() == []


def test_refused_change_keeps_the_hold():
    lamp = make_variant()
    basket = holds.start(make_basket(lines={lamp: 2}))

    with pytest.raises(LineLimit):
        baskets.add(basket, lamp.pk, settings.BASKET_LINE_LIMIT)

    basket.refresh_from_db()
    assert reserved(lamp) == 2 and holds.is_held(basket)


def test_unchanged_quantities_keep_the_hold():
    lamp = make_variant()
    basket = holds.start(make_basket(lines={lamp: 2}))

    baskets.set_quantities(basket, {lamp.pk: 2})

    basket.refresh_from_db()
    assert reserved(lamp) == 2 and holds.is_held(basket)


def test_sign_in_releases_the_holds_of_both_baskets():
    lamp, user = make_variant(), make_user()
    mine = holds.start(make_basket(Owner(user_id=user.pk), {lamp: 1}))
    theirs = holds.start(make_basket(make_owner(), {lamp: 2}))

    baskets.merge(token=theirs.token, user_id=user.pk)

    assert reserved(lamp) == 0
    assert mine.lines.get().quantity == 3
    assert books.reconcile() == []


def test_deleted_account_releases_its_hold():
    lamp, user = make_variant(), make_user()
    holds.start(make_basket(Owner(user_id=user.pk), {lamp: 2}))

    user.delete()

    assert reserved(lamp) == 0
    assert books.reconcile() == []


def test_deleted_account_keeps_its_orders():
    user, lamp = make_user(), make_variant()
    order = make_order({lamp: 2}, user=user)

    user.delete()

    order.refresh_from_db()
    assert (order.user, order.basket) == (None, None)
    assert reserved(lamp) == 2 and books.reconcile() == []


def test_stale_basket_with_a_hold_is_not_deleted(settings):
    lamp = make_variant()
    long_ago = timezone.now() - timedelta(days=settings.STALE_BASKET_DAYS + 1)
    held = holds.start(make_basket(lines={lamp: 2}))
    forgotten = make_basket(lines={lamp: 2})
    both = Basket.objects.filter(pk__in=[held.pk, forgotten.pk])
    both.update(updated_at=long_ago)

    tasks.forget_stale_baskets()

    assert both.get() == held
    assert books.reconcile() == []


def test_lapsed_holds_are_released_and_fresh_ones_stay():
    lamp = make_variant()
    basket = make_lapsed({lamp: 2})
    fresh = holds.start(make_basket(lines={lamp: 1}))

    assert tasks.release_lapsed_holds() == 1

    basket.refresh_from_db()
    assert reserved(lamp) == 1 and basket.held_until is None
    fresh.refresh_from_db()
    assert holds.is_held(fresh)
    assert tasks.release_lapsed_holds() == 0
    assert books.reconcile() == []


@pytest.mark.django_db(transaction=True)
def test_hold_that_begins_and_lapses_is_pushed_to_its_owner_and_to_everybody(hear):
    lamp, owner = make_variant(), make_owner()
    basket = make_basket(owner, {lamp: 2})
    topics = f"basket:hold:{owner.key}", f"stock:{lamp.pk}"

    with hear(*topics) as begun:
        holds.start(basket)
    Basket.objects.update(held_until=timezone.now())
    with hear(*topics) as lapsed:
        holds.release_lapsed()

    for events, version, available in ((begun, 2, 8), (lapsed, 3, 10)):
        by_topic = {event["topic"]: event for event in events}
        assert by_topic[topics[0]]["version"] == version
        assert by_topic[topics[1]]["facts"]["available"] == available
