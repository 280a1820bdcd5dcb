"""What sales make of a base price."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from products.pricing.reductions import Reduction, price_at, rises_at

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TEN = Decimal("10.00")


def make_reduction(
    starts: int, ends: int | None, *, percent: str = "", price: str = ""
) -> Reduction:
    """A reduction that starts and ends so many seconds after noon."""
    return Reduction(
        NOON + starts * SECOND,
        None if ends is None else NOON + ends * SECOND,
        Decimal(percent) if percent else None,
        Decimal(price) if price else None,
    )


@pytest.mark.parametrize(
    "percent, base, price",
    [
        ("20", "10.00", "8.00"),
        ("33.33", "10.00", "6.67"),
        ("50", "0.01", "0.00"),  # half a cent off is rounded up
        ("12.50", "0.04", "0.03"),
        ("99.99", "9999999999.99", "1000000.00"),
    ],
)
def test_percent_off_is_rounded_half_up_to_a_cent(percent, base, price):
    reduction = make_reduction(0, None, percent=percent)

    assert reduction.price(Decimal(base)) == Decimal(price)


def test_reduced_price_above_the_base_price_changes_nothing():
    assert make_reduction(0, None, price="12.00").price(TEN) == TEN


@pytest.mark.parametrize(
    "second, price", [(-1, "10.00"), (0, "8.00"), (9, "8.00"), (10, "10.00")]
)
def test_sale_holds_from_its_first_second_until_before_its_last(second, price):
    reductions = [make_reduction(0, 10, percent="20")]

    assert price_at(TEN, reductions, NOON + second * SECOND) == Decimal(price)


def test_lowest_price_of_overlapping_sales_holds():
    reductions = [
        make_reduction(0, 10, percent="20"),
        make_reduction(5, 15, price="7.00"),
        make_reduction(0, None, percent="10"),
    ]

    prices = [price_at(TEN, reductions, NOON + n * SECOND) for n in (0, 5, 10, 15)]

    assert prices == [Decimal(price) for price in ("8.00", "7.00", "7.00", "9.00")]


def test_price_rises_when_no_other_sale_is_as_low():
    reductions = [
        make_reduction(0, 10, percent="20"),
        make_reduction(10, 20, price="8.00"),  # takes over at the same second
        make_reduction(15, 30, price="7.00"),
    ]

    assert rises_at(TEN, reductions, NOON) == NOON + 30 * SECOND
    assert rises_at(TEN, reductions, NOON + 15 * SECOND) == NOON + 30 * SECOND


def test_price_that_is_not_reduced_does_not_rise():
    later = [make_reduction(10, 20, percent="20")]

    assert rises_at(TEN, later, NOON) is None


def test_price_of_a_sale_without_an_end_does_not_rise():
    assert rises_at(TEN, [make_reduction(0, None, percent="20")], NOON) is None
