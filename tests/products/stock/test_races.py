"""Many buyers at one moment. Each guarantee has its positive control: the same race
with the guard taken out, which must go wrong."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection

from products.basket import services as basket
from products.catalogue import services as catalogue
from products.models import Stock, StockMovement, Variant
from products.stock import services as stock
from products.stock.exceptions import NotEnoughStock
from tests.support.concurrency import together
from tests.support.factories import make_basket, make_holder, make_variant

pytestmark = pytest.mark.django_db(transaction=True)

UNITS, BUYERS = 10, 60


def race(variant: Variant, claim: Callable[[Variant], object]) -> Counter:
    """60 buyers of one unit each, all at once: how many met which end."""
    outcomes = together([lambda: claim(variant)] * BUYERS)
    return Counter(
        type(end) if isinstance(end, Exception) else "sold" for end in outcomes
    )


def claim_one(variant: Variant) -> list[stock.Level]:
    return stock.claim({variant.pk: 1})


def test_claim_by_sixty_buyers_of_ten_units_sells_exactly_ten():
    variant = make_variant(on_hand=UNITS)

    ends = race(variant, claim_one)

    assert ends == {"sold": UNITS, NotEnoughStock: BUYERS - UNITS}
    row = Stock.objects.get(pk=variant.pk)
    assert (row.on_hand, row.reserved, row.version) == (UNITS, UNITS, 1 + UNITS)
    claimed = StockMovement.objects.filter(variant=variant, kind="claimed")
    assert claimed.count() == UNITS
    make_holder(variant, units=UNITS)
    call_command("reconcile")


def test_claim_that_reads_then_writes_oversells():
    """The positive control: the race is one, for who does it as it is often done."""
    variant = make_variant(on_hand=UNITS)
    all_have_looked = threading.Barrier(BUYERS, timeout=60)

    def naive_claim(variant: Variant) -> None:
        row = Stock.objects.get(pk=variant.pk)
        all_have_looked.wait()
        if row.available < 1:
            raise NotEnoughStock(variant.pk, 1, row.available)
        row.reserved += 1
        row.save()

    ends = race(variant, naive_claim)

    assert ends["sold"] > UNITS
    assert Stock.objects.get(pk=variant.pk).reserved < ends["sold"]


def test_claim_without_its_guard_is_stopped_by_the_table(monkeypatch):
    """The CHECK is a second net: rude, an error for a refusal, but nobody falls."""
    monkeypatch.setattr(stock, "GUARD", "")
    variant = make_variant(on_hand=UNITS)

    ends = race(variant, claim_one)

    assert ends == {"sold": UNITS, IntegrityError: BUYERS - UNITS}
    make_holder(variant, units=UNITS)
    call_command("reconcile")


def test_claim_without_guard_and_check_oversells(monkeypatch):
    """The positive control of both: with the nets gone, all sixty "buy"."""
    monkeypatch.setattr(stock, "GUARD", "")
    variant = make_variant(on_hand=UNITS)

    with without_check():
        ends = race(variant, claim_one)
        reserved = Stock.objects.get(pk=variant.pk).reserved
        StockMovement.objects.all().delete()
        Stock.objects.all().delete()

    assert ends == {"sold": BUYERS}
    assert reserved == BUYERS > UNITS


@contextmanager
def without_check() -> Iterator[None]:
    checks = {check.name: check for check in Stock._meta.constraints}
    check = checks["stock_reserved_within_limit"]
    with connection.schema_editor() as editor:
        editor.remove_constraint(Stock, check)
    try:
        yield
    finally:
        with connection.schema_editor() as editor:
            editor.add_constraint(Stock, check)


def test_claims_of_many_products_in_any_order_never_deadlock():
    variants = [make_variant(on_hand=40) for _ in range(12)]
    end = time.monotonic() + 2

    def buy(seed: int) -> int:
        dice, bought = random.Random(seed), 0
        while time.monotonic() < end:
            wanted = {p.pk: dice.randint(1, 3) for p in dice.sample(variants, 6)}
            try:
                stock.claim(wanted)
            except NotEnoughStock:
                continue
            bought += 1
            giving_back = list(wanted.items())
            dice.shuffle(giving_back)
            stock.release(dict(giving_back))
        return bought

    outcomes = together([lambda seed=seed: buy(seed) for seed in range(6)])

    assert [o for o in outcomes if isinstance(o, Exception)] == []
    assert min(outcomes) > 0
    assert set(Stock.objects.values_list("reserved", flat=True)) == {0}
    call_command("reconcile")


def test_staff_and_shoppers_at_one_product_never_deadlock():
    """A new price and address locks the product, which movements and lines refer to:
    baskets, then stock, then products is the order for all."""
    variants = [make_variant(on_hand=1000) for _ in range(2)]
    baskets = [make_basket() for _ in range(2)]
    end = time.monotonic() + 2

    def until_the_end(step: Callable[[int], object]) -> Callable[[], int]:
        def run() -> int:
            turns = 0
            while time.monotonic() < end:
                step(turns)
                turns += 1
            return turns

        return run

    def reprice(turn: int) -> None:
        variant = Variant.objects.get(pk=variants[turn % 2].pk)
        variant.price += 1
        variant.product.slug = f"{variant.sku.lower()}-{turn}"
        catalogue.save(variant.product, variants=[variant])

    def buy(turn: int) -> None:
        stock.claim({variant.pk: 1 for variant in variants})
        stock.release({variant.pk: 1 for variant in variants})

    def shop(mine) -> Callable[[int], None]:
        def step(turn: int) -> None:
            for variant in variants:
                basket.add(mine, variant.pk)
            basket.clear(mine)

        return step

    steps = [reprice, reprice, buy, buy, *map(shop, baskets)]
    outcomes = together(map(until_the_end, steps))

    assert [o for o in outcomes if isinstance(o, Exception)] == []
    assert min(outcomes) > 0
    call_command("reconcile")
