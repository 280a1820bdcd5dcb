"""The one calculation of what an order costs.

A pure function over plain values: it reads no database and imports the standard library
only, so anyone can call it. Amounts are integers in minor units (cents). Fractions are
rounded half up.

The order of the steps decides every cent:

1. A line is its unit price times its quantity.
2. A line discount is the larger of a percentage of the line and a fixed amount a unit.
3. An order discount is taken from the sum of the lines, and shared among them.
4. Shipping is split over the tax rates of the goods, unless it has a rate of its own.
5. Tax is calculated once for each rate and code, and shared among its items.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Literal, NamedTuple

Number = str | Decimal | int  # floats cannot say 10.7

SPLIT: Literal["split"] = "split"


@dataclass(frozen=True)
class Line:
    """Something that is bought.

    `unit` is the price of one, in minor units; `rate` the tax in percent; `code` tells
    apart taxes of the same rate. Of the two discounts the better one counts.
    """

    unit: int
    quantity: int
    rate: Number
    line_percent: Number | None = None
    line_fixed_per_unit: int = 0
    code: str = ""


@dataclass(frozen=True)
class QuotedLine:
    """What a line costs: `amount` is after both discounts.

    `amount` includes `tax` if prices are gross.
    """

    unit: int
    quantity: int
    line_discount: int
    order_discount: int
    amount: int
    tax: int
    rate: str
    code: str


@dataclass(frozen=True)
class QuotedShipping:
    """The part of the shipping that is taxed at one rate."""

    amount: int
    tax: int
    rate: str
    code: str


@dataclass(frozen=True)
class Quote:
    """What an order costs. All amounts are in minor units.

    `total` is what is paid. `tax_by_rate` has the rates as keys, without needless
    zeros: "19", "10.75".
    """

    lines: tuple[QuotedLine, ...]
    shipping: tuple[QuotedShipping, ...]
    order_discount: int
    tax: int
    tax_by_rate: dict[str, int]
    total: int

    @property
    def goods(self) -> int:
        """The lines after all discounts."""
        return sum(line.amount for line in self.lines)

    @property
    def shipping_amount(self) -> int:
        return sum(part.amount for part in self.shipping)


class _Tax(NamedTuple):
    """One kind of tax. Sorted by rate, then by code."""

    rate: Decimal
    code: str


def quote(
    lines: Iterable[Line],
    *,
    order_percent: Number | None = None,
    order_fixed: int = 0,
    shipping: int = 0,
    shipping_rate: Number = SPLIT,
    gross_prices: bool = True,
) -> Quote:
    """Calculate what `lines` cost.

    In: a discount on the order, as a percentage or a fixed amount, not both; the price
    of shipping after its own discount; its tax rate in percent, or "split" for the
    rates of the goods; whether prices include tax.

    Raises: `TypeError` for amounts that are not integers and for rates that are floats,
    `ValueError` for values that no order can have. The message names the value.
    """
    lines = tuple(lines)
    for line in lines:
        _check_line(line)
    _check_amount("order_fixed", order_fixed)
    _check_amount("shipping", shipping)

    line_discounts = [_line_discount(line) for line in lines]
    reduced = [
        line.unit * line.quantity - discount
        for line, discount in zip(lines, line_discounts)
    ]
    order_discount = _order_discount(sum(reduced), order_percent, order_fixed)
    shares = allocate(order_discount, reduced)
    amounts = [amount - share for amount, share in zip(reduced, shares)]

    taxes = [_Tax(_rate(line.rate), line.code) for line in lines]
    parts = _split_shipping(shipping, shipping_rate, taxes, amounts)
    tax_by_kind, spread = _spread_taxes(
        [*taxes, *(tax for tax, _ in parts)],
        [*amounts, *(amount for _, amount in parts)],
        gross_prices,
    )
    line_taxes, part_taxes = spread[: len(lines)], spread[len(lines) :]
    tax = sum(tax_by_kind.values())
    return Quote(
        lines=tuple(
            map(_quoted_line, lines, line_discounts, shares, amounts, line_taxes)
        ),
        shipping=tuple(
            QuotedShipping(amount, part_tax, _text(kind.rate), kind.code)
            for (kind, amount), part_tax in zip(parts, part_taxes)
        ),
        order_discount=order_discount,
        tax=tax,
        tax_by_rate=_by_rate(tax_by_kind),
        total=sum(amounts) + shipping + (0 if gross_prices else tax),
    )


def _quoted_line(
    line: Line, line_discount: int, order_discount: int, amount: int, tax: int
) -> QuotedLine:
    return QuotedLine(
        unit=line.unit,
        quantity=line.quantity,
        line_discount=line_discount,
        order_discount=order_discount,
        amount=amount,
        tax=tax,
        rate=_text(_rate(line.rate)),
        code=line.code,
    )


def allocate(amount: int, weights: Sequence[int]) -> list[int]:
    """Split `amount` in proportion to `weights`, by the largest remainder.

    Each share is rounded down first. The units that are left go to the shares with the
    largest remainders, one each; of equal remainders the earlier share comes first. If
    all weights are zero, all shares are zero.

    In: minor units, not negative; weights, not negative.
    Raises: `ValueError` if a number is negative, or there is an amount but no weight.
    """
    total = sum(weights)
    if amount < 0 or any(weight < 0 for weight in weights):
        raise ValueError("Amounts and weights cannot be negative.")
    if not total:
        if amount:
            raise ValueError("An amount needs a weight above zero to be split.")
        return [0] * len(weights)
    shares = [amount * weight // total for weight in weights]
    remainders = [amount * weight % total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: -remainders[i])
    for index in by_remainder[: amount - sum(shares)]:
        shares[index] += 1
    return shares


# --- Discounts --------------------------------------------------------------------


def _line_discount(line: Line) -> int:
    """The better of the two, for the whole line."""
    of_units = min(line.line_fixed_per_unit, line.unit) * line.quantity
    if line.line_percent is None:
        return of_units
    percent = _percent("line_percent", line.line_percent)
    return max(of_units, round_half_up(percent * line.unit * line.quantity / 100))


def _order_discount(goods: int, percent: Number | None, fixed: int) -> int:
    """At most what the goods cost."""
    if percent is None:
        return min(fixed, goods)
    if fixed:
        raise ValueError("An order has one discount: order_percent or order_fixed.")
    return round_half_up(_percent("order_percent", percent) * goods / 100)


# --- Shipping ---------------------------------------------------------------------


def _split_shipping(
    shipping: int, rate: Number, taxes: Sequence[_Tax], amounts: Sequence[int]
) -> list[tuple[_Tax, int]]:
    """The taxes of the shipping, lowest rate first, and how much has each.

    If all goods are free, all of it has the highest rate.
    """
    if rate != SPLIT:
        kind = _Tax(_rate(rate), "")
        return [(kind, shipping)] if shipping else []
    if not shipping:
        return []
    if not taxes:
        raise ValueError("Shipping cannot be split: there are no lines.")
    kinds = sorted(set(taxes))
    weights = [
        sum(amount for tax, amount in zip(taxes, amounts) if tax == kind)
        for kind in kinds
    ]
    if not any(weights):
        weights[-1] = 1
    return list(zip(kinds, allocate(shipping, weights)))


# --- Tax --------------------------------------------------------------------------


def _spread_taxes(
    taxes: Sequence[_Tax], amounts: Sequence[int], gross_prices: bool
) -> tuple[dict[_Tax, int], list[int]]:
    """The tax of each kind, and that of each item."""
    by_kind, spread = {}, [0] * len(amounts)
    for kind in sorted(set(taxes)):
        items = [i for i, tax in enumerate(taxes) if tax == kind]
        weights = [amounts[i] for i in items]
        by_kind[kind] = _tax_of(sum(weights), kind.rate, gross_prices)
        for i, share in zip(items, allocate(by_kind[kind], weights)):
            spread[i] = share
    return by_kind, spread


def _tax_of(amount: int, rate: Decimal, gross_prices: bool) -> int:
    exact = Fraction(rate)
    return round_half_up(amount * exact / (100 + exact if gross_prices else 100))


def _by_rate(by_kind: dict[_Tax, int]) -> dict[str, int]:
    by_rate: dict[str, int] = {}
    for kind, tax in by_kind.items():
        rate = _text(kind.rate)
        by_rate[rate] = by_rate.get(rate, 0) + tax
    return by_rate


# --- Numbers ----------------------------------------------------------------------


def round_half_up(value: Fraction) -> int:
    """Round to a whole number. In: a value that is not negative."""
    return int(value + Fraction(1, 2))


def _text(rate: Decimal) -> str:
    return f"{rate.normalize():f}"


def _rate(value: Number) -> Decimal:
    return _decimal("rate", value)


def _percent(name: str, value: Number) -> Fraction:
    percent = _decimal(name, value)
    if percent > 100:
        raise ValueError(f"{name} cannot be above 100: {value!r}")
    return Fraction(percent)


def _decimal(name: str, value: Number) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | Decimal | int):
        raise TypeError(f"{name} must be a string, a Decimal or an integer: {value!r}")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{name} is not a number: {value!r}") from None
    if not number.is_finite() or number < 0:
        raise ValueError(f"{name} must be zero or more: {value!r}")
    return number


def _check_line(line: Line) -> None:
    _check_amount("unit", line.unit)
    _check_amount("quantity", line.quantity)
    _check_amount("line_fixed_per_unit", line.line_fixed_per_unit)
    if line.quantity < 1:
        raise ValueError(f"quantity must be one or more: {line.quantity!r}")


def _check_amount(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer: {value!r}")
    if value < 0:
        raise ValueError(f"{name} must be zero or more: {value!r}")
