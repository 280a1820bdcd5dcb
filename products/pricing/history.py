"""The lowest price before a reduction.

A shop in the EU must show it with each reduction: directive 98/6/EC, article 6a.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from django.db import connection

PERIOD = timedelta(days=30)

# The changes in the period, and the last one before it: that price was in force when
# the period began.
CHANGES = """
SELECT variant_id, since, price FROM products_pricechange
WHERE variant_id = ANY(%(ids)s) AND since > %(begin)s
UNION ALL
(
    SELECT DISTINCT ON (variant_id) variant_id, since, price FROM products_pricechange
    WHERE variant_id = ANY(%(ids)s) AND since <= %(begin)s
    ORDER BY variant_id, since DESC
)
ORDER BY variant_id, since
"""


class Change(NamedTuple):
    """A price that came into force."""

    since: datetime
    price: Decimal


def lowest_before(changes: Iterable[Change], at: datetime) -> Decimal | None:
    """Return the lowest price that was in force in the 30 days before `at`.

    In: the changes, sorted by time. Return None if there was no price.
    """
    earlier = [change for change in changes if change.since < at]
    spells = pairwise([*earlier, Change(at, Decimal(0))])
    begin = at - PERIOD
    prices = [change.price for change, after in spells if after.since > begin]
    return min(prices, default=None)


def lowest_prices(ids: Collection[int], at: datetime) -> dict[int, Decimal | None]:
    """Return the lowest price of each variant in the 30 days before `at`."""
    changes: dict[int, list[Change]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(CHANGES, {"ids": list(ids), "begin": at - PERIOD})
        for pk, *change in cursor:
            changes[pk].append(Change(*change))
    return {pk: lowest_before(changes[pk], at) for pk in ids}
