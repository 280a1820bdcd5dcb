"""What baskets cost, and what placed orders cost.

Rows and decimal amounts go in, decimal amounts come out. Only this module turns amounts
into minor units and back; `products.pricing.quote` calculates with them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone

from products.models import BasketLine, Discount, Order, OrderLine
from products.pricing import quote as calculation
from products.pricing.models import Taxed
from products.pricing.quote import Quote, QuotedLine, QuotedShipping
from products.pricing.tax import (
    UNKNOWN,
    Rate,
    domestic,
    is_reverse_charged,
    rates_for,
    reverse_charged,
)

Amount = Decimal | int
PLACES = 2
UNTAXED = Rate(Decimal(0), UNKNOWN)


class Item(NamedTuple):
    """Units of one variant, at the price of one, and the line's discount.

    `percent` is taken off the line, `per_unit` off each unit.
    """

    price: Decimal
    quantity: int
    tax_class: str
    percent: Decimal | None = None
    per_unit: Amount = 0
    discount_name: str = ""


class Tax(NamedTuple):
    """A tax and its rate in percent. `reason` says why there is none."""

    rate: Decimal
    code: str
    reason: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PricedLine:
    """What a line costs; `amount` is after both discounts."""

    price: Decimal
    quantity: int
    line_discount: Decimal
    order_discount: Decimal
    amount: Decimal
    tax: Tax
    discount_name: str = ""

    @property
    def subtotal(self) -> Decimal:
        """The price before the order's discount."""
        return self.amount + self.order_discount

    @property
    def facts(self) -> dict[str, str]:
        """The line, JSON-ready."""
        names = ("price", "line_discount", "order_discount", "subtotal", "amount")
        return {name: f"{getattr(self, name):.2f}" for name in names} | {
            "discount_name": self.discount_name,
            "tax": f"{self.tax.amount:.2f}",
            "tax_rate": percent(self.tax.rate),
            "tax_code": self.tax.code,
        }


@dataclass(frozen=True, slots=True)
class PricedShipping:
    """The part of the shipping that is taxed at one rate."""

    amount: Decimal
    tax: Tax


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums of a basket or an order.

    `goods` are the lines after their own discounts, `discount` is that of the order,
    with its name. `total` is what is paid. Without `includes_tax`, the tax is added to
    the others.
    """

    goods: Decimal
    discount: Decimal
    shipping: Decimal
    tax: Decimal
    total: Decimal
    includes_tax: bool
    taxes: tuple[Tax, ...]
    discount_name: str = ""

    @property
    def discounted_goods(self) -> Decimal:
        """The goods after all discounts."""
        return self.goods - self.discount

    @property
    def facts(self) -> dict:
        """The sums, JSON-ready. Taxes of which no rate is known are left out."""
        names = ("goods", "discount", "shipping", "tax", "total")
        return {name: f"{getattr(self, name):.2f}" for name in names} | {
            "discount_name": self.discount_name,
            "includes_tax": self.includes_tax,
            "taxes": [
                {
                    "rate": percent(tax.rate),
                    "code": tax.code,
                    "tax": f"{tax.amount:.2f}",
                }
                for tax in self.taxes
                if tax.code != UNKNOWN
            ],
        }


@dataclass(frozen=True, slots=True)
class PricedBasket:
    """What a basket costs. The lines are in the order of the basket's."""

    lines: tuple[PricedLine, ...]
    shipping: tuple[PricedShipping, ...]
    sums: Sums


def item(line: BasketLine, discount: Discount | None = None) -> Item:
    """Return what is priced of a basket's line: the one place that reads its price.

    `discount` is one on lines.
    """
    variant = line.variant
    plain = Item(variant.price, line.quantity, str(variant.product.tax_class_id))
    if discount is None:
        return plain
    return plain._replace(
        percent=discount.percent,
        per_unit=discount.amount or 0,
        discount_name=str(discount),
    )


def todays_rates(
    country: str, version: str | None = None, *, vat_number: str = ""
) -> dict[str, Rate]:
    """Return today's rate of each tax class. Without a country: of the shop's.

    `version` is as in `rates_for`; `vat_number` is that of a business, accepted by the
    shop, or empty.
    """
    today = timezone.localdate()
    if is_reverse_charged(country, vat_number):
        return reverse_charged(today, version)
    return rates_for(country or settings.SHOP_COUNTRY, today, version)


def price_items(
    items: Iterable[Item],
    rates: Mapping[str, Rate],
    *,
    shipping: Amount = 0,
    order_percent: Decimal | None = None,
    order_fixed: Amount = 0,
    discount_name: str = "",
) -> PricedBasket:
    """Return what the items cost, with the rates of their tax classes.

    A class of which no rate is given is not taxed. With reverse charge, prices that
    include tax are those without the tax of the shop's country.
    """
    items = list(items)
    if settings.PRICES_INCLUDE_TAX and domestic(rates) != rates:
        items, shipping, order_fixed = _without_tax(
            items, domestic(rates), shipping, order_fixed
        )
    taxes = [rates.get(item.tax_class, UNTAXED) for item in items]
    quote = calculation.quote(
        [
            calculation.Line(
                unit=to_minor(item.price),
                quantity=item.quantity,
                rate=rate.percent,
                code=rate.code,
                line_percent=item.percent,
                line_fixed_per_unit=to_minor(item.per_unit),
            )
            for item, rate in zip(items, taxes)
        ],
        shipping=to_minor(shipping),
        order_percent=order_percent,
        order_fixed=to_minor(order_fixed),
        gross_prices=settings.PRICES_INCLUDE_TAX,
    )
    name = discount_name if quote.order_discount else ""
    reasons = {rate.code: rate.reason for rate in taxes}
    return _priced(quote, reasons, [item.discount_name for item in items], name)


def _without_tax(
    items: list[Item], rates: Mapping[str, Rate], shipping: Amount, fixed: Amount
) -> tuple[list[Item], Decimal, Decimal]:
    """Return items, shipping and the amount off the order without their tax.

    The tax is that of one unit, so that a price times its quantity is still the sum.
    """

    def net(priced: PricedBasket) -> Decimal:
        return sum((part.amount - part.tax.amount for part in priced.lines), Decimal(0))

    def net_item(item: Item) -> Item:
        plain = item._replace(quantity=1, percent=None, per_unit=0)
        reduced = plain._replace(per_unit=item.per_unit)
        price = net(price_items([plain], rates))
        off = price - net(price_items([reduced], rates)) if item.per_unit else 0
        return item._replace(price=price, per_unit=off)

    net_items = [net_item(item) for item in items]
    parts = price_items(items, rates, shipping=shipping).shipping
    net_shipping = sum((part.amount - part.tax.amount for part in parts), Decimal(0))
    net_fixed = net(price_items(items, rates)) - net(
        price_items(items, rates, order_fixed=fixed)
    )
    return net_items, net_shipping, net_fixed


def goods_of(prices: Iterable[tuple[Decimal, int]]) -> Decimal:
    """Return what units cost before taxes are known. In: the price of one, how many."""
    items = [Item(price, quantity, "") for price, quantity in prices]
    return price_items(items, {}).sums.goods


def sums_of(order: Order, lines: Iterable[OrderLine]) -> Sums:
    """Return the sums of an order as they were agreed."""
    parts: list[Taxed] = [*lines]
    if order.shipping:
        parts += order.shipping_parts.all()
    return Sums(
        goods=order.goods,
        discount=order.discount,
        shipping=order.shipping,
        tax=order.tax,
        total=order.total,
        includes_tax=order.prices_include_tax,
        taxes=by_rate(
            Tax(part.tax_rate, part.tax_code, part.tax_reason, part.tax)
            for part in parts
        ),
        discount_name=order.discount_name,
    )


def by_rate(taxes: Iterable[Tax]) -> tuple[Tax, ...]:
    """Return the sum of the taxes of each rate and reason, the highest rate first."""
    sums: dict[tuple[Decimal, str], Tax] = {}
    for tax in taxes:
        key = (-tax.rate, tax.reason)
        if key in sums:
            tax = tax._replace(amount=tax.amount + sums[key].amount)
        sums[key] = tax
    return tuple(sums[key] for key in sorted(sums))


def percent(rate: Decimal) -> str:
    """Return a rate without needless zeros: "19", "10.75"."""
    return f"{rate.normalize():f}"


# --- Minor units ------------------------------------------------------------------


def to_minor(amount: Amount) -> int:
    """Return an amount in minor units. Raises `ValueError` if it has parts of one."""
    minor = Decimal(amount).scaleb(PLACES)
    if minor != int(minor):
        raise ValueError(f"An amount has {PLACES} decimal places at most: {amount}")
    return int(minor)


def from_minor(minor: int) -> Decimal:
    return Decimal(minor).scaleb(-PLACES)


def _priced(
    quote: Quote,
    reasons: Mapping[str, str],
    line_names: Iterable[str],
    discount_name: str,
) -> PricedBasket:
    def tax(part: QuotedLine | QuotedShipping) -> Tax:
        reason = reasons.get(part.code, "")
        return Tax(Decimal(part.rate), part.code, reason, from_minor(part.tax))

    lines = tuple(
        PricedLine(
            price=from_minor(line.unit),
            quantity=line.quantity,
            line_discount=from_minor(line.line_discount),
            order_discount=from_minor(line.order_discount),
            amount=from_minor(line.amount),
            tax=tax(line),
            discount_name=name if line.line_discount else "",
        )
        for line, name in zip(quote.lines, line_names, strict=True)
    )
    shipping = tuple(
        PricedShipping(from_minor(part.amount), tax(part)) for part in quote.shipping
    )
    sums = Sums(
        goods=from_minor(quote.goods + quote.order_discount),
        discount=from_minor(quote.order_discount),
        shipping=from_minor(quote.shipping_amount),
        tax=from_minor(quote.tax),
        total=from_minor(quote.total),
        includes_tax=settings.PRICES_INCLUDE_TAX,
        taxes=by_rate([*(line.tax for line in lines), *(p.tax for p in shipping)]),
        discount_name=discount_name,
    )
    return PricedBasket(lines, shipping, sums)
