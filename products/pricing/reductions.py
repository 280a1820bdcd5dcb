"""What sales make of a base price. Pure: plain values in, plain values out."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from products.pricing.quote import round_half_up

CENTS = 100


class Reduction(NamedTuple):
    """A sale. It has a percentage or a reduced price, and may have no end."""

    starts_at: datetime
    ends_at: datetime | None
    percent: Decimal | None
    reduced_price: Decimal | None

    def runs(self, at: datetime) -> bool:
        return self.starts_at <= at and (self.ends_at is None or at < self.ends_at)

    def price(self, base: Decimal) -> Decimal:
        """Return the price while the sale runs. It is never above the base price."""
        if self.reduced_price is not None:
            return min(base, self.reduced_price)
        off = Fraction(self.percent or 0) * Fraction(base) / 100
        return base - Decimal(round_half_up(off * CENTS)) / CENTS


def price_at(base: Decimal, reductions: Collection[Reduction], at: datetime) -> Decimal:
    """Return the price in force. Of several sales the lowest price holds."""
    return min([base, *(each.price(base) for each in reductions if each.runs(at))])


def rises_at(
    base: Decimal, reductions: Collection[Reduction], at: datetime
) -> datetime | None:
    """Return when the price in force at `at` will rise, if that is known."""
    price = price_at(base, reductions, at)
    if price == base:
        return None
    ends = sorted(each.ends_at for each in reductions if each.ends_at is not None)
    coming = (end for end in ends if end > at)
    return next(
        (end for end in coming if price_at(base, reductions, end) > price), None
    )
