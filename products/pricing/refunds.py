"""What units of a paid line are worth when they are returned.

Pure, and cumulative: parts in any order add up to what was paid, to the last cent.
"""

from fractions import Fraction
from typing import NamedTuple

from products.pricing.quote import round_half_up


class Refund(NamedTuple):
    """In minor units. `amount` includes `tax` if the line's amount does."""

    amount: int
    tax: int


def refund(amount: int, tax: int, *, units: int, returned: int, count: int) -> Refund:
    """What `count` more units of a line are worth.

    In: the amount and tax of the whole line in minor units, the units bought, and how
    many of them were returned before.
    Raises: `ValueError` if that many units are not left, or an amount is negative.
    """
    if amount < 0 or tax < 0:
        raise ValueError("Amount and tax must be zero or more.")
    if units < 1 or returned < 0 or count < 0 or returned + count > units:
        raise ValueError(
            f"Cannot return {count} more of {units} units: {returned} are back."
        )
    before = amount * returned // units
    after = amount * (returned + count) // units
    return Refund(
        after - before, _tax_up_to(after, amount, tax) - _tax_up_to(before, amount, tax)
    )


def _tax_up_to(part: int, amount: int, tax: int) -> int:
    """The tax in the first `part` of an amount, rounded half up."""
    if not amount:
        return 0
    return round_half_up(Fraction(tax * part, amount))
