"""Counts products by the option values of their variants, for the filters of lists."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from products.models import Variant

MOST_NAMES, MOST_VALUES = 4, 12  # that a list shows
Pair = tuple[str, str]  # an option's name in small letters, and a value


class Values(NamedTuple):
    """An option, and how many products each of its values would leave."""

    key: str  # the name in small letters, as addresses have it
    name: str
    counts: dict[str, int]  # in the order of the variants


class Row(NamedTuple):
    """So many products of a category have a value of an option."""

    category: int
    key: str
    name: str
    value: str
    products: int
    position: float  # of the variants, on average


COUNT = """
SELECT s.category, lower(o.name), min(o.name), o.value, count(DISTINCT s.product),
       avg(s.position)::float
FROM ({variants}) AS s(product, category, names, option_values, position)
CROSS JOIN LATERAL unnest(s.names, s.option_values) AS o(name, value)
GROUP BY s.category, lower(o.name), o.value
"""


def count(products: QuerySet, options: Iterable[Pair], *, in_stock: bool) -> list[Row]:
    """Return the counts of these products, with one query.

    Only variants with all these `options` count; with `in_stock`, only those with units
    left.
    """
    variants = Variant.objects.with_options(options).order_by()
    variants = variants.available() if in_stock else variants.filter(is_active=True)
    rows = variants.filter(product__in=products.order_by().values("pk")).values_list(
        *("product_id", "product__category_id", "product__option_names"),
        *("option_values", "position"),
    )
    try:
        sql, values = rows.query.sql_with_params()
    except EmptyResultSet:  # a search without words has no products
        return []
    with connection.cursor() as cursor:
        cursor.execute(COUNT.format(variants=sql), values)
        return [Row(*row) for row in cursor.fetchall()]


def summed(rows: Iterable[Row], *, keep: Pair | None = None) -> list[Values]:
    """Return the most common options with their most common values.

    `keep` is a pair that is chosen, which stays even if nothing is left of it.
    """
    names: dict[str, str] = {}
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    places: dict[str, dict[str, float]] = defaultdict(dict)
    for row in rows:
        names.setdefault(row.key, row.name)
        counts[row.key][row.value] += row.products
        places[row.key].setdefault(row.value, row.position)
    if keep and keep[1] not in counts[keep[0]]:
        counts[keep[0]][keep[1]] = 0
    options = []
    for key, values in counts.items():
        common = sorted(values, key=lambda value: (-values[value], value))[:MOST_VALUES]
        if keep and keep[0] == key and keep[1] not in common:
            common.append(keep[1])
        common.sort(key=lambda value: (places[key].get(value, 0), value))
        shown = {value: values[value] for value in common}
        options.append(Values(key, names.get(key, key), shown))
    options.sort(key=lambda option: (-sum(option.counts.values()), option.key))
    return options
