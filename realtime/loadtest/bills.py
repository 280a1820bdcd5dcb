"""What an order costs: this program's own copy of the rules.

It imports nothing of the shop, so a mistake in the shop's calculation is not repeated.
All amounts are in minor units.
"""

import base64
import json
import zlib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple, Self

from realtime.loadtest.visit import Unexpected

Kind = tuple[Fraction, str]  # a tax: its rate in percent, and its code


class Line(NamedTuple):
    """Units of one variant. `unit` is the price of one, other amounts are for all."""

    variant: str
    quantity: int
    unit: int
    line_discount: int
    order_discount: int
    amount: int
    tax: int
    kind: Kind

    @property
    def before(self) -> int:
        """What the line costs before the order's discount."""
        return self.unit * self.quantity - self.line_discount


class Bill(NamedTuple):
    """What a shopper agrees to. Without `is_gross`, the tax is added to the goods."""

    lines: list[Line]
    goods: int
    discount: int
    shipping: int
    tax: int
    total: int
    is_gross: bool

    @classmethod
    def read(cls, shown: str) -> Self:
        """Read the signed value of a review's form. Raises `Unexpected`."""
        try:
            text = shown.partition(":")[0]
            data = base64.urlsafe_b64decode(text.lstrip(".") + "==")
            _basket, _user, (_contact, goods, _delivery, costs) = json.loads(
                zlib.decompress(data) if text.startswith(".") else data
            )
            lines = [_line(row) for row in goods]
            amount, discount, shipping, tax, total = map(minor, costs[:5])
            is_gross = bool(costs[5])
            return cls(lines, amount, discount, shipping, tax, total, is_gross)
        except (ArithmeticError, LookupError, TypeError, ValueError, zlib.error) as e:
            raise Unexpected(f"the review carries no terms: {e}") from None


def minor(text: str) -> int:
    """Return an amount in minor units. Raises `ValueError` if it has parts of one."""
    amount = Decimal(text) * 100
    if amount != int(amount):
        raise ValueError(f"{text} has parts of a cent")
    return int(amount)


def _line(row: list[Any]) -> Line:
    variant, _name, quantity, unit = row[:4]
    line_discount, order_discount, amount, tax = map(minor, row[4:8])
    discounts = line_discount, order_discount
    kind = Fraction(row[8]), row[9]
    return Line(str(variant), quantity, minor(unit), *discounts, amount, tax, kind)


def faults(bill: Bill) -> list[str]:
    """Return what is wrong with a bill; nothing if it adds up."""
    return [text for is_right, text in (*_sums(bill), *_taxes(bill)) if not is_right]


def _sums(bill: Bill) -> Iterator[tuple[bool, str]]:
    lines, before = bill.lines, [line.before for line in bill.lines]
    for line in lines:
        name = f"variant {line.variant}"
        yield line.line_discount >= 0 and line.before >= 0, f"discount of {name}"
        yield line.amount == line.before - line.order_discount, f"amount of {name}"
    yield bill.goods == sum(before), "goods"
    yield 0 <= bill.discount <= bill.goods and bill.shipping >= 0, "discount, delivery"
    shares = [line.order_discount for line in lines]
    yield is_split(bill.discount, before, shares), "shares of the discount"
    added = 0 if bill.is_gross else bill.tax
    yield bill.total == bill.goods - bill.discount + bill.shipping + added, "total"


def _taxes(bill: Bill) -> Iterator[tuple[bool, str]]:
    kinds = sorted({line.kind for line in bill.lines})
    goods = [sum(x.amount for x in bill.lines if x.kind == kind) for kind in kinds]
    delivery = split(bill.shipping, goods if any(goods) else [0] * len(goods[1:]) + [1])
    taxes = 0
    for kind, part in zip(kinds, delivery, strict=True):
        lines = [line for line in bill.lines if line.kind == kind]
        weights = [*(line.amount for line in lines), part]
        over = 100 + kind[0] if bill.is_gross else 100
        tax = int(sum(weights) * kind[0] / over + Fraction(1, 2))  # half up
        shares = [line.tax for line in lines]
        text = f"tax of {float(kind[0]):g} %"
        yield is_split(tax, weights, [*shares, tax - sum(shares)]), text
        taxes += tax
    yield bill.tax == taxes, "tax"


# --- Largest remainders -----------------------------------------------------------


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """Split an amount; of equal remainders, the first get what is left."""
    whole = sum(weights) or 1
    shares = [amount * weight // whole for weight in weights]
    rest = sorted(range(len(weights)), key=lambda i: -(amount * weights[i] % whole))
    for i in rest[: amount - sum(shares)]:
        shares[i] += 1
    return shares


def is_split(amount: int, weights: Sequence[int], shares: Sequence[int]) -> bool:
    """Whether these are the shares, whichever of equal remainders got more."""
    whole = sum(weights) or 1
    extra = [s - amount * w // whole for s, w in zip(shares, weights, strict=True)]
    if sum(shares) != amount * any(weights) or not set(extra) <= {0, 1}:
        return False
    remainders = [amount * weight % whole for weight in weights]
    more = [r for r, is_more in zip(remainders, extra) if is_more]
    less = [r for r, is_more in zip(remainders, extra) if not is_more]
    return not more or not less or min(more) >= max(less)
