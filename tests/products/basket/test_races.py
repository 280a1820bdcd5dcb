"""Two tabs of one shopper at one moment."""

import threading

import pytest

from products.basket import services as baskets
from products.basket.exceptions import BasketClosed
from products.live.viewers import Owner
from products.models import Basket, BasketLine
from tests.support.concurrency import together
from tests.support.factories import make_basket, make_owner, make_user, make_variant

pytestmark = pytest.mark.django_db(transaction=True)

TABS = 8


def test_add_from_many_tabs_at_once_counts_each():
    variant = make_variant()
    basket = make_basket()

    outcomes = together([lambda: baskets.add(basket, variant.pk)] * TABS)

    assert [o for o in outcomes if isinstance(o, Exception)] == []
    assert basket.lines.get().quantity == TABS
    basket.refresh_from_db()
    assert basket.version == TABS


def test_add_from_many_tabs_without_the_lock_loses_some(monkeypatch):
    """The positive control: without the basket's lock, tabs overwrite each other."""
    variant = make_variant()
    basket = make_basket(lines={variant: 1})
    all_have_read = threading.Barrier(TABS, timeout=60)

    def no_lock(basket: Basket) -> Basket:
        return Basket.objects.get(pk=basket.pk)

    def write_late(line: BasketLine, **kwargs) -> None:
        all_have_read.wait()
        BasketLine.save_base(line, **kwargs)

    monkeypatch.setattr(baskets, "_lock", no_lock)
    monkeypatch.setattr(BasketLine, "save", write_late)

    together([lambda: baskets.add(basket, variant.pk)] * TABS)

    assert basket.lines.get().quantity == 2


def test_first_add_from_many_tabs_at_once_creates_one_basket():
    owner, variant = make_owner(), make_variant()

    outcomes = together(
        [lambda: baskets.add(baskets.open_for(owner), variant.pk)] * TABS
    )

    assert [o for o in outcomes if isinstance(o, Exception)] == []
    basket = Basket.objects.get(token=owner.token)
    assert basket.lines.get().quantity == TABS


def test_sign_in_in_many_tabs_at_once_merges_once():
    anonymous, user, variant = make_owner(), make_user(), make_variant()
    make_basket(anonymous, {variant: 3})

    outcomes = together(
        [lambda: baskets.merge(token=anonymous.token, user_id=user.pk)] * TABS
    )

    assert sorted(map(len, outcomes)) == [0] * (TABS - 1) + [1], "one tab merges"
    mine = Basket.objects.open().get(user=user)
    assert mine.lines.get().quantity == 3


def test_add_during_sign_in_loses_nothing_silently():
    """A late change of the anonymous basket is told that it was closed."""
    anonymous, user, variant = make_owner(), make_user(), make_variant()
    theirs = make_basket(anonymous, {variant: 1})
    mine = make_basket(Owner(user_id=user.pk))

    adds = [lambda: baskets.add(theirs, variant.pk)] * TABS
    merge = [lambda: baskets.merge(token=anonymous.token, user_id=user.pk)]
    outcomes = together(adds + merge)

    added = [o for o in outcomes[:-1] if not isinstance(o, Exception)]
    assert {type(o) for o in outcomes[:-1] if isinstance(o, Exception)} <= {
        BasketClosed
    }
    assert mine.lines.get().quantity == 1 + len(added)
