"""The history of prices, and the lowest price before a reduction."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection

from products.catalogue import services as catalogue
from products.models import PriceChange, Variant
from products.pricing.history import Change, lowest_before, lowest_prices
from tests.support.factories import make_variant, make_variants

VECTORS = json.loads(Path(__file__).with_name("quote.json").read_text())
START = datetime(2026, 11, 28, tzinfo=UTC)
DAY = timedelta(days=1)


def history_of(variant: Variant) -> list[tuple[Decimal, Decimal | None]]:
    """The prices in force with their full prices, the oldest first."""
    rows = PriceChange.objects.filter(variant=variant).order_by("since", "pk")
    return list(rows.values_list("price", "full_price"))


def changes(*prices: tuple[float, str]) -> list[Change]:
    return [Change(START + day * DAY, Decimal(price)) for day, price in prices]


# --- The lowest price before ------------------------------------------------------


def test_lowest_price_before_has_the_expected_result():
    vector = VECTORS["prior_price"]

    lowest = lowest_before(
        changes(*vector["prices"]), START + vector["reduced_on_day"] * DAY
    )

    assert lowest == Decimal(vector["expected"])


@pytest.mark.parametrize(
    "prices, expected",
    [
        ([], None),
        ([(0, "5.00")], None),  # the reduction itself
        ([(-3, "5.00")], "5.00"),  # younger than 30 days
        ([(-45, "5.00"), (-30, "10.00")], "10.00"),  # ended as the period began
        ([(-45, "5.00"), (-29.99, "10.00")], "5.00"),
        ([(-45, "9.00"), (-10, "4.00"), (-9, "9.00"), (0, "3.00")], "4.00"),
        ([(-45, "9.00"), (1, "3.00")], "9.00"),
    ],
)
def test_lowest_price_before_counts_what_was_in_force(prices, expected):
    lowest = lowest_before(changes(*prices), START)

    assert lowest == (expected and Decimal(expected))


@pytest.mark.django_db
def test_lowest_prices_are_read_for_many_products_at_once(django_assert_num_queries):
    lamp, jug = make_variants(2)
    PriceChange.objects.all().delete()
    for variant, *prices in [
        (lamp, (-100, "1.00"), (-45, "5.00"), (-20, "10.00"), (-5, "15.00")),
        (jug, (-100, "7.00"), (-2, "8.00")),
    ]:
        PriceChange.objects.bulk_create(
            PriceChange(variant=variant, **change._asdict())
            for change in changes(*prices)
        )

    with django_assert_num_queries(1):
        lowest = lowest_prices([lamp.pk, jug.pk], START)

    assert lowest == {lamp.pk: Decimal("5.00"), jug.pk: Decimal("7.00")}


# --- Writing ----------------------------------------------------------------------


@pytest.mark.django_db
def test_new_price_is_written_to_the_history_whoever_sets_it():
    variant = make_variant(price=Decimal("12.50"))

    variant.base_price = Decimal("9.90")
    catalogue.save(variant.product, variants=[variant])
    Variant.objects.filter(pk=variant.pk).update(price=8, full_price=11)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE products_variant SET full_price = NULL")

    prices = [("12.50", None), ("9.90", None), ("8", "11"), ("8", None)]
    assert history_of(variant) == [
        (Decimal(price), full and Decimal(full)) for price, full in prices
    ]


@pytest.mark.django_db
def test_products_created_at_once_begin_their_history():
    variants = make_variants(3, price=Decimal("4.00"))

    for variant in variants:
        assert history_of(variant) == [(4, None)]


@pytest.mark.django_db
def test_change_of_something_else_adds_nothing_to_the_history():
    variant = make_variant()

    variant.weight = 5
    variant.save()

    assert len(history_of(variant)) == 1
