"""Which prices are in force: base prices, or those of running sales.

The price in force is a column, so lists, baskets and orders all read the same number.
Code that saves a base price calls `set_prices` first. When a sale begins, ends or
changes, `products.pricing.flips` does so.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import connection

from products.models import Sale, Variant
from products.pricing import clock, history
from products.pricing.reach import Reach
from products.pricing.reductions import Reduction, price_at, rises_at

COLUMNS = ["price", "full_price", "prior_price", "price_until"]

WRITE = """
UPDATE products_variant AS v
SET price = w.price, full_price = w.full_price, prior_price = w.prior_price,
    price_until = w.price_until
FROM unnest(%s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[],
            %s::timestamptz[])
    AS w(id, price, full_price, prior_price, price_until)
WHERE v.id = w.id
"""


def set_prices(
    variants: Collection[Variant],
    before: Mapping[int, Variant],
    *,
    at: datetime | None = None,
) -> None:
    """Set the prices in force of variants from their base prices and the sales.

    Needs the variants' products. `before` has the stored variants by key, and none for
    a new one; their products are locked. This saves nothing.
    """
    at = at or clock.now()
    reductions = _Reductions(variants, at)
    newly_reduced = []
    for variant in variants:
        earlier = before.get(variant.pk)
        _reduce(variant, reductions.of(variant), at)
        if not variant.is_reduced:
            variant.prior_price = None
        elif earlier and earlier.is_reduced and variant.price <= earlier.price:
            variant.prior_price = earlier.prior_price  # still the same reduction
        else:
            newly_reduced.append(variant)
    if newly_reduced:
        ids = [variant.pk for variant in newly_reduced if variant.pk]
        lowest = history.lowest_prices(ids, at)
        for variant in newly_reduced:
            variant.prior_price = lowest.get(variant.pk)


def write_prices(variants: Collection[Variant]) -> None:
    """Save the prices of variants."""
    columns = [[getattr(v, name) for v in variants] for name in ["pk", *COLUMNS]]
    with connection.cursor() as cursor:
        cursor.execute(WRITE, columns)


def _reduce(variant: Variant, reductions: list[Reduction], at: datetime) -> None:
    base = variant.base_price
    variant.price = price_at(base, reductions, at)
    variant.full_price = base if variant.price < base else None
    variant.price_until = rises_at(base, reductions, at)


class _Reductions:
    """The sales of some variants that run or will run."""

    def __init__(self, variants: Collection[Variant], at: datetime) -> None:
        sales = Sale.objects.unended(at).values_list("pk", *Reduction._fields)
        self._by_sale = {pk: Reduction(*fields) for pk, *fields in sales}
        self._reach = Reach(Sale, self._by_sale, variants)

    def of(self, variant: Variant) -> list[Reduction]:
        return [self._by_sale[sale] for sale in self._reach.of(variant)]
