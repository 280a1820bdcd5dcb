"""Limits how many wrong codes a visitor may try.

Redis counts. While it is away, nothing is counted: a code is worth a discount, not an
account.
"""

from collections.abc import Mapping
from contextlib import suppress

from django.core.cache import cache

from products.pricing.exceptions import TooManyCodes

PERIOD_S = 10 * 60
PER_OWNER, PER_NETWORK = 10, 50  # an office shares one network


def limits_of(owner: str, network: str) -> dict[str, int]:
    """Return the counters of a visitor, and how far they may go."""
    limits = {f"codes:{owner}": PER_OWNER}
    return limits | ({f"codes:net:{network}": PER_NETWORK} if network else {})


def count(limits: Mapping[str, int]) -> None:
    """Count a guess before it is looked up. Raises `TooManyCodes`."""
    for key, limit in limits.items():
        cache.add(key, 0, PERIOD_S)
        with suppress(ValueError):  # the period has just ended
            if cache.incr(key) > limit:
                raise TooManyCodes


def forgive(limits: Mapping[str, int]) -> None:
    """Take back the count of a code that was right."""
    for key in limits:
        with suppress(ValueError):
            cache.decr(key)
