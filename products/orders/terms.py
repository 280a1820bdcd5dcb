"""The terms that a shopper agrees to: who gets what, where, and what it costs.

The review page shows the terms and its form carries them, so that only what was shown
is ordered. These are plain values; nothing here queries the database.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple, Self


@dataclass(frozen=True, slots=True)
class Contact:
    """Who gets the order, and where. A form has checked it."""

    email: str
    full_name: str
    line1: str
    postcode: str
    city: str
    country: str
    line2: str = ""
    region: str = ""
    phone: str = ""
    company: str = ""
    vat_number: str = ""


class Goods(NamedTuple):
    """Some units of one variant. The price is for one, the amounts are for all."""

    variant: int
    name: str
    quantity: int
    price: Decimal
    line_discount: Decimal
    order_discount: Decimal
    amount: Decimal
    tax: Decimal
    tax_rate: Decimal
    tax_code: str
    discount_name: str
    ships_from: str  # the day (ISO 8601) if it is a preorder

    @property
    def offer(self) -> tuple:
        """What is compared when the terms have changed; sums are compared apart."""
        discount = self.line_discount, self.discount_name
        return self.name, self.quantity, self.price, *discount, self.ships_from


class Costs(NamedTuple):
    """The sums of an order, as in `products.pricing.baskets.Sums`."""

    goods: Decimal
    discount: Decimal
    shipping: Decimal
    tax: Decimal
    total: Decimal
    includes_tax: bool
    discount_name: str


class Delivery(NamedTuple):
    """How the goods are delivered. A shop without zones has no names for it."""

    name: str
    carrier: str
    days_from: int | None
    days_to: int | None
    is_pickup: bool

    @property
    def days(self) -> tuple[int, int] | None:
        if self.days_from is None or self.days_to is None:
            return None
        return self.days_from, self.days_to


class Change(NamedTuple):
    """A difference in one variant. `before` or `after` is None if there are none."""

    name: str
    before: Goods | None
    after: Goods | None


@dataclass(frozen=True, slots=True)
class Terms:
    """A contact, the goods, sorted by variant, their delivery, and the sums."""

    contact: Contact
    goods: tuple[Goods, ...]
    delivery: Delivery
    costs: Costs

    @classmethod
    def of(
        cls, contact: Contact, goods: Iterable[Goods], delivery: Delivery, costs: Costs
    ) -> Self:
        """Return the terms of goods in any order."""
        return cls(contact, tuple(sorted(goods)), delivery, costs)

    @property
    def total(self) -> Decimal:
        return self.costs.total

    def changes(self, now: Self) -> list[Change]:
        """Return how the goods of `now` differ from these, apart from taxes."""
        before = {g.variant: g for g in self.goods}
        after = {g.variant: g for g in now.goods}
        pairs = [(before.get(pk), after.get(pk)) for pk in sorted(before | after)]
        return [
            Change(goods.name, b, a)
            for b, a in pairs
            if (goods := b or a) and (b is None or a is None or b.offer != a.offer)
        ]

    def cost_changes(self, now: Self) -> dict[str, tuple[Decimal, Decimal]]:
        """Return the sums that are different in `now`, by name: before and after."""
        names = ("discount", "shipping", "tax", "total")
        pairs = {
            name: (getattr(self.costs, name), getattr(now.costs, name))
            for name in names
        }
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    def discount_change(self, now: Self) -> dict[str, str]:
        """Return the names of the discount before and after, if they differ."""
        before, after = self.costs.discount_name, now.costs.discount_name
        return {} if before == after else {"before": before, "after": after}

    def to_json(self) -> list:
        """Return the terms as plain values for `from_json`."""
        goods = [*map(_plain, self.goods)]
        return [asdict(self.contact), goods, [*self.delivery], _plain(self.costs)]

    @classmethod
    def from_json(cls, values: list) -> Self:
        """Return the terms that `to_json` wrote, perhaps in an earlier release."""
        contact, goods, delivery, costs = values
        return cls.of(
            Contact(**contact),
            [Goods(*_values(Goods, row)) for row in goods],
            Delivery(*_values(Delivery, delivery)),
            Costs(*_values(Costs, costs)),
        )


def _plain(row: tuple) -> list:
    return [str(value) if isinstance(value, Decimal) else value for value in row]


def _values(kind: type, row: list) -> list:
    """Return the values of `_plain` with the types of a named tuple's fields."""
    types = kind.__annotations__.values()
    return [
        Decimal(value) if of is Decimal else value
        for of, value in zip(types, row, strict=True)
    ]


def contact_of(row: Any) -> Contact:
    """Return the contact of an order, or of anything with the same fields."""
    return Contact(**{f.name: str(getattr(row, f.name)) for f in fields(Contact)})


def iso(day: date | None) -> str:
    """Return a day for `Goods.ships_from`."""
    return day.isoformat() if day else ""
