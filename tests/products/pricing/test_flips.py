"""Prices that change at the second when a sale begins or ends."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from products.catalogue import services as catalogue
from products.live import baskets as live_baskets
from products.models import Basket, Product, Sale, StockMovement, Variant
from products.pricing import clock, flips, sales
from products.pricing.exceptions import SaleHasBegun, SaleIsNotRunning
from products.stock import services as stock
from tests.support.concurrency import together
from tests.support.factories import (
    make_basket,
    make_category,
    make_order,
    make_owner,
    make_sale,
    make_variant,
    make_variants,
)

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def now() -> datetime:
    return clock.now()


def price_of(variant: Variant) -> Decimal:
    return Variant.objects.get(pk=variant.pk).price


def facts_of(variant: Variant) -> dict:
    return Variant.objects.get(pk=variant.pk).stock_facts


# --- At the second ----------------------------------------------------------------


def test_prices_follow_a_sale_at_its_first_and_its_last_second(now):
    variant, start, end = make_variant(), now + HOUR, now + 2 * HOUR
    make_sale(variant, percent="20", starts_at=start, ends_at=end)
    moments = [start - SECOND, start, end - SECOND, end]

    prices = []
    for at in moments:
        flips.settle_all(at)
        prices.append(price_of(variant))

    assert prices == [Decimal(price) for price in ("12.50", "10.00", "10.00", "12.50")]


def test_sale_of_a_category_reduces_its_products_and_no_others(now):
    shelf = make_category()
    inside, outside = make_variant(category=shelf), make_variant()
    make_sale(shelf, reduced_price="5.00")

    flips.settle_all()

    assert (price_of(inside), price_of(outside)) == (Decimal("5.00"), Decimal("12.50"))


def test_lowest_price_of_overlapping_sales_is_in_force(now):
    variant = make_variant()
    make_sale(variant, percent="20")
    make_sale(
        variant, variant.product.category, reduced_price="9.00", ends_at=now + HOUR
    )

    flips.settle_all()
    during = price_of(variant)
    flips.settle_all(now + HOUR)

    assert (during, price_of(variant)) == (Decimal("9.00"), Decimal("10.00"))


def test_flip_happens_once(now):
    variant = make_variant()
    make_sale(variant, percent="20")

    assert [flips.settle_all(), flips.settle_all()] == [1, 0]
    assert StockMovement.objects.filter(variant=variant, kind="offer").count() == 1


def test_flip_that_was_missed_is_made_up_for(now):
    """Nothing ran from before the sale until long after its end."""
    variant, later = make_variant(), make_variant()
    make_sale(variant, percent="20", starts_at=now + HOUR, ends_at=now + 2 * HOUR)
    make_sale(later, percent="20", starts_at=now + 3 * HOUR)
    flips.settle_all(now)

    flips.settle_all(now + 4 * HOUR)

    assert (price_of(variant), price_of(later)) == (Decimal("12.50"), Decimal("10.00"))


def test_seconds_to_the_next_flip_are_those_to_the_nearest_begin_or_end(now):
    assert flips.seconds_to_next() is None
    make_sale(make_variant(), starts_at=now - HOUR, ends_at=now + HOUR)
    make_sale(make_variant(), starts_at=now + 2 * HOUR)

    assert 3590 < flips.seconds_to_next() <= 3600


def test_flip_task_calls_itself_when_a_sale_begins_before_the_next_sweep(
    now, settings, monkeypatch
):
    sent = []
    monkeypatch.setattr(
        flips, "later", lambda task, countdown: sent.append((task.name, countdown))
    )
    settings.HOLD_SWEEP_S = 5
    make_sale(make_variant(), starts_at=now + 3 * SECOND)

    flips.flip_prices()

    [(name, countdown)] = sent
    assert name == "products.pricing.flips.flip_prices" and 0 < countdown <= 3


# --- What pages and baskets show --------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_flip_is_logged_and_pushed_with_the_price_before(hear, now):
    variant, end = make_variant(), now + HOUR
    make_sale(variant, percent="20", ends_at=end)

    with hear(f"stock:{variant.pk}") as events:
        flips.settle_all()

    assert [(event["version"], event["facts"]) for event in events] == [
        (
            2,
            {
                "variant": variant.pk,
                "available": 10,
                "state": "in",
                "price": "10.00",
                "was": "12.50",
                "lowest": "12.50",
                "until": end.isoformat(),
            },
        )
    ]
    movement = StockMovement.objects.get(variant=variant, version=2)
    assert (movement.kind, movement.note) == ("offer", "12.50 → 10.00")


@pytest.mark.django_db(transaction=True)
def test_flip_gives_baskets_their_next_version_and_price(hear):
    variant, other = make_variant(), make_variant()
    owner, bystander = make_owner(), make_owner()
    make_basket(owner, {variant: 2})
    make_basket(bystander, {other: 1})
    make_sale(variant, percent="20")
    topics = [f"basket:{owner.key}", f"basket:{bystander.key}"]

    with hear(*topics) as events:
        flips.settle_all()

    assert [event["topic"] for event in events] == topics[:1]
    assert live_baskets.summary(owner).facts == {"count": 2, "total": "20.00"}
    assert Basket.objects.get(token=owner.token).version == 2


def test_order_costs_the_price_in_force():
    variant = make_variant()
    make_sale(variant, percent="20")
    flips.settle_all()

    assert make_order({variant: 2}).total == Decimal("20.00")


def test_stock_that_moves_during_a_sale_still_tells_the_reduction(now):
    variant = make_variant()
    make_sale(variant, percent="20")
    flips.settle_all()

    level = stock.claim({variant.pk: 1})[0]

    assert level.prices == Variant.objects.get(pk=variant.pk).prices
    assert facts_of(variant)["was"] == "12.50"


def test_product_without_a_reduction_tells_none():
    assert facts_of(make_variant()).keys() == {"variant", "available", "state", "price"}


def test_inactive_product_tells_neither_price_nor_reduction():
    variant = make_variant(is_active=False)
    make_sale(variant, percent="20")
    flips.settle_all()

    assert facts_of(variant) == {
        "variant": variant.pk,
        "available": 0,
        "state": "gone",
        "price": None,
    }


def test_end_of_a_reduction_is_told_only_where_the_price_rises_then(now):
    variant = make_variant()
    make_sale(variant, percent="20", ends_at=now + HOUR)
    sale = make_sale(variant, percent="20", starts_at=now + HOUR)
    flips.settle_all()
    unknown = facts_of(variant)["until"]

    sale.starts_at = now + 2 * HOUR
    flips.save_sale(sale)
    flips.settle_all()

    assert (unknown, facts_of(variant)["until"]) == (None, (now + HOUR).isoformat())


# --- The lowest price before ------------------------------------------------------


def test_lowest_price_stays_while_the_reduction_grows(now):
    variant = make_variant()
    make_sale(variant, percent="20", starts_at=now + HOUR)
    make_sale(variant, percent="40", starts_at=now + 2 * HOUR)

    flips.settle_all(now + HOUR)
    flips.settle_all(now + 2 * HOUR)

    assert Variant.objects.get(pk=variant.pk).prior_price == Decimal("12.50")


def test_lowest_price_counts_an_earlier_reduction(now):
    """A smaller reduction after a larger one is a new one."""
    variant = make_variant()
    make_sale(variant, percent="40", ends_at=now + HOUR)
    make_sale(variant, percent="20")

    flips.settle_all()
    flips.settle_all(now + HOUR)

    row = Variant.objects.get(pk=variant.pk)
    assert (row.price, row.prior_price) == (Decimal("10.00"), Decimal("7.50"))


# --- Base prices that change ------------------------------------------------------


def test_base_price_saved_during_a_sale_is_reduced_at_once():
    variant = make_variant()
    make_sale(variant, percent="20")
    flips.settle_all()
    variant = Variant.objects.get(pk=variant.pk)
    variant.base_price = Decimal("20.00")

    catalogue.save(variant.product, variants=[variant])

    row = Variant.objects.get(pk=variant.pk)
    assert (row.price, row.full_price) == (Decimal("16.00"), Decimal("20.00"))


def test_base_price_saved_under_a_fixed_price_tells_the_new_price_before():
    variant = make_variant()
    make_sale(variant, reduced_price="5.00")
    flips.settle_all()
    version = Variant.objects.get(pk=variant.pk).stock.version
    variant = Variant.objects.get(pk=variant.pk)
    variant.base_price = Decimal("20.00")

    catalogue.save(variant.product, variants=[variant])

    row = Variant.objects.get(pk=variant.pk)
    assert (row.stock_facts["price"], row.stock_facts["was"]) == ("5.00", "20.00")
    assert row.stock.version == version + 1


def test_new_product_of_a_reduced_category_is_reduced():
    shelf = make_category()
    make_sale(shelf, percent="20")

    catalogue.save(
        Product(category=shelf, name="Jug", slug="jug"),
        variants=[Variant(sku="J", price=10)],
    )

    assert Variant.objects.get().price == Product.objects.get().lowest_price == 8


def test_product_that_leaves_a_reduced_category_costs_its_base_price():
    variant = make_variant()
    make_sale(variant.product.category, percent="20")
    flips.settle_all()
    variant = Variant.objects.get(pk=variant.pk)
    variant.product.category = make_category()

    catalogue.save(variant.product, variants=[variant])

    assert price_of(variant) == Decimal("12.50")


# --- Sales that change ------------------------------------------------------------


def test_sale_with_another_percentage_changes_prices(now):
    variant = make_variant()
    sale = make_sale(variant, percent="20")
    flips.settle_all()

    sale.percent = 40
    flips.save_sale(sale)
    flips.settle_all()

    assert price_of(variant) == Decimal("7.50")


def test_product_taken_out_of_a_sale_costs_its_base_price():
    inside, outside = make_variant(), make_variant()
    sale = make_sale(inside, outside, percent="20")
    flips.settle_all()

    flips.save_sale(sale)
    sale.products.remove(outside.product)
    flips.settle_all()

    assert (price_of(inside), price_of(outside)) == (Decimal("10.00"), Decimal("12.50"))


def test_sale_changed_while_prices_follow_it_stays_unsettled(now):
    sale = make_sale(make_variant(), percent="20")
    stale = Sale.objects.get(pk=sale.pk)
    flips.save_sale(sale)

    assert flips.settle(stale) is False
    assert list(Sale.objects.unsettled(now)) == [sale]


def test_sale_that_is_ended_now_gives_the_base_price_back():
    variant = make_variant()
    sale = make_sale(variant, percent="20")
    flips.settle_all()

    flips.end_sale(sale)
    flips.settle_all()

    assert price_of(variant) == Decimal("12.50")
    with pytest.raises(SaleIsNotRunning):
        flips.end_sale(sale)


def test_sale_that_has_begun_is_not_deleted(now):
    begun, coming = make_sale(make_variant()), make_sale(starts_at=now + HOUR)

    with pytest.raises(SaleHasBegun):
        flips.delete_sales([begun])
    flips.delete_sales([coming])

    assert list(Sale.objects.all()) == [begun]


def test_end_of_a_reduction_is_told_once_the_sale_that_followed_is_deleted(now):
    variant = make_variant()
    make_sale(variant, percent="20", ends_at=now + HOUR)
    coming = make_sale(variant, percent="20", starts_at=now + HOUR)
    flips.settle_all()

    flips.delete_sales([coming])
    flips.settle_all()

    assert facts_of(variant)["until"] == (now + HOUR).isoformat()


# --- Many at once -----------------------------------------------------------------


def test_large_sale_is_written_in_batches(monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr(flips, "BATCH", 10)
    shelf = make_category()
    products = make_variants(25, category=shelf, price=Decimal("10.00"))
    make_sale(shelf, percent="50")

    with django_assert_max_num_queries(3 * 30):
        flips.settle_all()

    assert {price_of(variant) for variant in products} == {5}


@pytest.mark.django_db(transaction=True)
def test_workers_that_flip_at_once_agree():
    products = make_variants(20, price=Decimal("10.00"))
    make_sale(*products, percent="50")

    outcomes = together([flips.settle_all] * 4)

    assert [o for o in outcomes if isinstance(o, Exception)] == []
    assert {price_of(variant) for variant in products} == {5}
    assert StockMovement.objects.filter(kind="offer").count() == 20


@pytest.mark.django_db(transaction=True)
def test_workers_that_flip_at_once_without_looking_again_write_twice(monkeypatch):
    """The positive control: prices are compared again once the rows are locked."""
    products = make_variants(5, price=Decimal("10.00"))
    make_sale(*products, percent="50")
    rows = Variant.objects.select_related("product")
    first_look = flips._changes(rows, None)
    monkeypatch.setattr(flips, "_changes", lambda rows, at: list(rows) and first_look)

    together([flips.settle_all] * 4)

    assert StockMovement.objects.filter(kind="offer").count() > 5


def test_prices_without_sales_take_one_query(django_assert_num_queries):
    products = make_variants(3)

    with django_assert_num_queries(2):  # the clock, and the sales
        sales.set_prices(products, {})
