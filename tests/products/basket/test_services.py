"""What shoppers do to a basket, one at a time."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from products.basket import holds, renewals
from products.basket import services as baskets
from products.basket.exceptions import (
    BadQuantity,
    BasketClosed,
    BasketFull,
    LineLimit,
    NotInBasket,
    SoldOut,
)
from products.catalogue.exceptions import UnknownProduct
from products.live.viewers import Owner
from products.models import Basket, BasketLine
from tests.support.factories import (
    make_basket,
    make_full_basket,
    make_order,
    make_owner,
    make_user,
    make_variant,
    make_variants,
)

pytestmark = pytest.mark.django_db


def contents(basket: Basket) -> dict[int, int]:
    return dict(basket.lines.values_list("variant_id", "quantity"))


def version(basket: Basket) -> int:
    return Basket.objects.get(pk=basket.pk).version


def refused(basket: Basket, error: type[Exception], call) -> Exception:
    """The refusal, which left the basket as it was."""
    before = contents(basket), version(basket)
    with pytest.raises(error) as refusal:
        call()
    assert (contents(basket), version(basket)) == before
    return refusal.value


# --- Opening ----------------------------------------------------------------------


@pytest.mark.parametrize("signed_in", [True, False])
def test_open_for_an_owner_twice_gives_the_same_basket(signed_in):
    owner = Owner(user_id=make_user().pk) if signed_in else make_owner()

    assert baskets.open_for(owner) == baskets.open_for(owner)


def test_open_for_two_owners_gives_each_their_own():
    assert baskets.open_for(make_owner()) != baskets.open_for(make_owner())


def test_open_for_an_owner_of_an_ordered_basket_continues_its_versions():
    owner = make_owner()
    old = make_basket(owner, {make_variant(): 2, make_variant(): 1})
    Basket.objects.filter(pk=old.pk).update(status=Basket.Status.ORDERED)

    new = baskets.open_for(owner)

    assert new != old
    assert new.version == old.version == 2
    baskets.add(new, make_variant().pk)
    assert version(new) == 3


def test_second_open_basket_of_one_owner_is_refused_by_the_table():
    user = make_user()
    Basket.objects.create(user=user)

    with pytest.raises(IntegrityError), transaction.atomic():
        Basket.objects.create(user=user)


def test_basket_without_an_owner_is_refused_by_the_table():
    with pytest.raises(IntegrityError), transaction.atomic():
        Basket.objects.create()


# --- Adding -----------------------------------------------------------------------


def test_add_of_a_product_creates_a_line_with_its_present_price():
    basket, variant = make_basket(), make_variant(price=Decimal("9.90"))

    line = baskets.add(basket, variant.pk, 2)

    assert contents(basket) == {variant.pk: 2}
    assert line.price_when_added == Decimal("9.90")
    assert version(basket) == 1


def test_add_of_a_product_in_the_basket_adds_to_its_line():
    variant = make_variant()
    basket = make_basket(lines={variant: 2})

    baskets.add(basket, variant.pk, 3)

    assert contents(basket) == {variant.pk: 5}
    assert version(basket) == 2


def test_add_of_more_than_available_is_allowed():
    variant = make_variant(on_hand=2)
    basket = make_basket()

    line = baskets.add(basket, variant.pk, 5)

    assert line.quantity == 5
    variant.stock.refresh_from_db()
    assert variant.stock.reserved == 0


def test_add_up_to_the_line_limit_is_allowed(settings):
    variant = make_variant()
    basket = make_basket(lines={variant: 15})

    baskets.add(basket, variant.pk, 5)

    assert contents(basket) == {variant.pk: settings.BASKET_LINE_LIMIT}


def test_add_beyond_the_line_limit_is_refused_with_the_present_units():
    variant = make_variant()
    basket = make_basket(lines={variant: 15})

    error = refused(basket, LineLimit, lambda: baskets.add(basket, variant.pk, 6))

    assert "at most 20" in str(error) and "15" in str(error)


def test_add_of_one_product_too_many_is_refused(settings):
    settings.BASKET_LINES_LIMIT = 3
    variants = make_variants(4)
    basket = make_full_basket(make_owner(), variants[:3])

    refused(basket, BasketFull, lambda: baskets.add(basket, variants[3].pk))

    baskets.add(basket, variants[0].pk)  # more of what is in it is no new line


@pytest.mark.parametrize("quantity", [0, -1, 21, 10**30])
def test_add_of_a_bad_quantity_is_refused(quantity):
    variant = make_variant()
    basket = make_basket(lines={variant: 1})

    refused(basket, BadQuantity, lambda: baskets.add(basket, variant.pk, quantity))


@pytest.mark.parametrize("variant_id", [0, -1, 10**9, 10**30])
def test_add_of_an_unknown_product_is_refused(variant_id):
    basket = make_basket(lines={make_variant(): 1})

    refused(basket, UnknownProduct, lambda: baskets.add(basket, variant_id))


def test_add_of_an_inactive_product_is_refused():
    variant = make_variant(is_active=False)
    basket = make_basket()

    refused(basket, UnknownProduct, lambda: baskets.add(basket, variant.pk))


def test_add_of_a_product_without_available_units_is_refused():
    variant = make_variant(on_hand=3, reserved=3, name="Brass lamp")
    basket = make_basket()

    error = refused(basket, SoldOut, lambda: baskets.add(basket, variant.pk))

    assert str(error) == "Brass lamp is sold out."


# --- Changing ---------------------------------------------------------------------


def test_set_quantities_of_some_lines_keeps_the_others():
    one, two, three = (make_variant() for _ in range(3))
    basket = make_basket(lines={one: 1, two: 2, three: 3})

    baskets.set_quantities(basket, {one.pk: 7, two.pk: 8})

    assert contents(basket) == {one.pk: 7, two.pk: 8, three.pk: 3}
    assert version(basket) == 4


def test_set_quantities_without_a_change_keeps_the_version():
    variant = make_variant()
    basket = make_basket(lines={variant: 2})

    baskets.set_quantities(basket, {variant.pk: 2})

    assert version(basket) == 1


def test_set_quantities_keeps_the_price_when_added():
    variant = make_variant(price=Decimal("5.00"))
    basket = make_basket(lines={variant: 2})
    variant.price = Decimal("6.00")
    variant.save()

    baskets.set_quantities(basket, {variant.pk: 3})

    assert basket.lines.get().price_when_added == Decimal("5.00")


@pytest.mark.parametrize("quantity", [0, -1, 21, 10**30])
def test_set_quantities_with_a_bad_one_changes_none(quantity):
    one, two = make_variant(), make_variant()
    basket = make_basket(lines={one: 1, two: 1})

    wanted = {one.pk: 5, two.pk: quantity}
    refused(basket, BadQuantity, lambda: baskets.set_quantities(basket, wanted))


def test_set_quantities_of_a_removed_line_changes_none():
    one, two = make_variant(), make_variant()
    basket = make_basket(lines={one: 1})

    wanted = {one.pk: 5, two.pk: 1}
    refused(basket, NotInBasket, lambda: baskets.set_quantities(basket, wanted))


def test_remove_deletes_the_line():
    one, two = make_variant(), make_variant()
    basket = make_basket(lines={one: 1, two: 1})

    baskets.remove(basket, one.pk)

    assert contents(basket) == {two.pk: 1}
    assert version(basket) == 3


def test_remove_of_a_removed_line_is_refused():
    basket = make_basket(lines={make_variant(): 1})

    refused(basket, NotInBasket, lambda: baskets.remove(basket, 10**9))


def test_remove_of_an_inactive_product_works():
    variant = make_variant()
    basket = make_basket(lines={variant: 1})
    variant.is_active = False
    variant.save()

    baskets.remove(basket, variant.pk)

    assert contents(basket) == {}


def test_clear_deletes_every_line():
    basket = make_basket(lines={make_variant(): 1, make_variant(): 2})

    baskets.clear(basket)

    assert contents(basket) == {}
    assert version(basket) == 3


@pytest.mark.parametrize("status", [Basket.Status.MERGED, Basket.Status.ORDERED])
@pytest.mark.parametrize(
    "change",
    [
        lambda basket, pk: baskets.add(basket, pk),
        lambda basket, pk: baskets.set_quantities(basket, {pk: 2}),
        lambda basket, pk: baskets.remove(basket, pk),
        lambda basket, pk: baskets.clear(basket),
    ],
)
def test_any_change_of_a_closed_basket_is_refused(status, change):
    variant = make_variant()
    basket = make_basket(lines={variant: 1})
    Basket.objects.filter(pk=basket.pk).update(status=status)

    refused(basket, BasketClosed, lambda: change(basket, variant.pk))


# --- Merging at sign-in -----------------------------------------------------------


def test_merge_into_no_basket_moves_everything():
    anonymous, user, variant = make_owner(), make_user(), make_variant()
    theirs = make_basket(anonymous, {variant: 3})

    baskets.merge(token=anonymous.token, user_id=user.pk)

    mine = Basket.objects.open().get(user=user)
    assert contents(mine) == {variant.pk: 3}
    theirs.refresh_from_db()
    assert theirs.status == Basket.Status.MERGED


def test_merge_into_a_basket_adds_up_to_the_line_limit():
    anonymous, user = make_owner(), make_user()
    both, much, only = (make_variant() for _ in range(3))
    mine = make_basket(Owner(user_id=user.pk), {both: 2, much: 15})
    make_basket(anonymous, {both: 3, much: 15, only: 1})

    baskets.merge(token=anonymous.token, user_id=user.pk)

    assert contents(mine) == {both.pk: 5, much.pk: 20, only.pk: 1}


def test_merge_after_the_limit_was_lowered_removes_nothing(settings):
    anonymous, user, variant = make_owner(), make_user(), make_variant()
    mine = make_basket(Owner(user_id=user.pk), {variant: 15})
    make_basket(anonymous, {variant: 15})
    settings.BASKET_LINE_LIMIT = 10

    baskets.merge(token=anonymous.token, user_id=user.pk)

    assert contents(mine) == {variant.pk: 15}


def test_merge_of_too_many_products_leaves_out_the_rest(settings):
    settings.BASKET_LINES_LIMIT = 3
    anonymous, user = make_owner(), make_user()
    one, two, three, four = make_variants(4)
    mine = make_full_basket(Owner(user_id=user.pk), [one, two])
    theirs = make_full_basket(anonymous, [three, four, one])

    baskets.merge(token=anonymous.token, user_id=user.pk)

    assert contents(mine) == {one.pk: 2, two.pk: 1, three.pk: 1}
    assert four.pk in contents(theirs)


def test_merge_twice_merges_once():
    anonymous, user, variant = make_owner(), make_user(), make_variant()
    mine = make_basket(Owner(user_id=user.pk), {variant: 2})
    make_basket(anonymous, {variant: 3})

    baskets.merge(token=anonymous.token, user_id=user.pk)
    baskets.merge(token=anonymous.token, user_id=user.pk)

    assert contents(mine) == {variant.pk: 5}
    assert version(mine) == 2


def test_merge_of_an_unknown_token_changes_nothing():
    user, variant = make_user(), make_variant()
    mine = make_basket(Owner(user_id=user.pk), {variant: 2})

    baskets.merge(token="nobody's", user_id=user.pk)

    assert (contents(mine), version(mine)) == ({variant.pk: 2}, 1)


@pytest.mark.django_db(transaction=True)
def test_merge_pushes_both_baskets(hear):
    anonymous, user, variant = make_owner(), make_user(), make_variant()
    make_basket(anonymous, {variant: 3})
    topics = [f"basket:u{user.pk}", f"basket:{anonymous.key}"]

    with hear(*topics) as events:
        baskets.merge(token=anonymous.token, user_id=user.pk)

    assert sorted((e["topic"], e["version"]) for e in events) == sorted(
        [(topics[0], 1), (topics[1], 2)]
    )


# --- What leaves ------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_committed_change_is_pushed_without_contents(hear):
    owner, variant = make_owner(), make_variant()
    basket = make_basket(owner)
    topics = [f"basket:{owner.key}", f"basket:lines:{owner.key}"]

    with hear(*topics) as events:
        baskets.add(basket, variant.pk)

    assert events == [
        {"type": "live", "topic": topic, "version": 1, "facts": None}
        for topic in topics
    ]


@pytest.mark.django_db(transaction=True)
def test_refused_change_is_not_pushed(hear):
    owner = make_owner()
    basket = make_basket(owner)

    with hear(f"basket:{owner.key}", f"basket:lines:{owner.key}") as events:
        with pytest.raises(UnknownProduct):
            baskets.add(basket, 10**9)

    assert events == []


@pytest.mark.django_db(transaction=True)
def test_prices_changed_pushes_only_open_baskets_with_the_product(hear):
    variant, other = make_variant(), make_variant()
    holder, bystander, former = make_owner(), make_owner(), make_owner()
    held = make_basket(holder, {variant: 1})
    apart = make_basket(bystander, {other: 1})
    closed = make_basket(former, {variant: 1})
    Basket.objects.filter(pk=closed.pk).update(status=Basket.Status.ORDERED)
    topics = [f"basket:{owner.key}" for owner in (holder, bystander, former)]

    with hear(*topics) as events:
        with transaction.atomic():
            renewals.prices_changed([variant.pk])

    assert [version(basket) for basket in (held, apart, closed)] == [2, 1, 1]
    assert [(e["topic"], e["version"]) for e in events] == [(topics[0], 2)]


# --- Forgetting -------------------------------------------------------------------


def test_stale_baskets_are_anonymous_and_unused_for_long(settings):
    settings.STALE_BASKET_DAYS = 0
    variant = make_variant()
    forgotten = make_basket(lines={variant: 1})
    make_basket(Owner(user_id=make_user().pk), {variant: 1})
    ordered = make_basket(lines={variant: 1})
    Basket.objects.filter(pk=ordered.pk).update(status=Basket.Status.ORDERED)

    assert list(Basket.objects.stale()) == [forgotten]

    settings.STALE_BASKET_DAYS = 1
    assert not Basket.objects.stale().exists()


def test_line_without_units_is_refused_by_the_table():
    basket = make_basket(lines={make_variant(): 1})

    with pytest.raises(IntegrityError), transaction.atomic():
        BasketLine.objects.filter(basket=basket).update(quantity=0)


# --- Where the goods are sent -----------------------------------------------------


def test_country_gives_the_basket_a_version_and_keeps_its_hold():
    basket = holds.start(make_basket(lines={make_variant(): 2}))

    after = baskets.set_destination(basket, "FR", "")

    assert (after.country, after.version) == ("FR", basket.version + 1)
    assert after.held_until == basket.held_until
    assert after.lines.get().held == 2


def test_country_of_an_ordered_basket_stays():
    basket = make_order().basket

    with pytest.raises(BasketClosed):
        baskets.set_destination(basket, "FR", "")


def test_new_basket_has_the_country_of_the_owners_last():
    owner = make_owner()
    last = baskets.set_destination(make_basket(owner), "FR", "44000")
    Basket.objects.filter(pk=last.pk).update(status=Basket.Status.ORDERED)

    new = baskets.open_for(owner)
    assert (new.country, new.postcode) == ("FR", "44000")


@pytest.mark.parametrize("own, expected", [("", "FR"), ("DK", "DK")])
def test_merged_basket_has_the_country_of_the_one_that_has_any(own, expected):
    user, visitor = make_user(), make_owner()
    baskets.set_destination(make_basket(Owner(user_id=user.pk)), own, "")
    baskets.set_destination(make_basket(visitor, {make_variant(): 1}), "FR", "44000")

    baskets.merge(token=visitor.token, user_id=user.pk)

    assert baskets.open_for(Owner(user_id=user.pk)).country == expected
