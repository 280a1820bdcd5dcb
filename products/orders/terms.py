"""The terms that a shopper agrees to: who gets what, where, and at which price.

The review page shows the terms and its form carries them, so that only what was shown
is ordered. These are plain values; nothing here queries the database.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
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


class Goods(NamedTuple):
    """Some units of one product. Prices are for one unit, in the shop's currency."""

    product: int
    name: str
    quantity: int
    price: Decimal


class Change(NamedTuple):
    """A difference in one product. `before` or `after` is None if there are none."""

    name: str
    before: Goods | None
    after: Goods | None


@dataclass(frozen=True, slots=True)
class Terms:
    """A contact and the goods, sorted by product."""

    contact: Contact
    goods: tuple[Goods, ...]

    @classmethod
    def of(cls, contact: Contact, goods: Iterable[Goods]) -> Self:
        """Return the terms of goods in any order."""
        return cls(contact, tuple(sorted(goods)))

    @property
    def total(self) -> Decimal:
        return sum((g.quantity * g.price for g in self.goods), Decimal(0))

    def changes(self, now: Self) -> list[Change]:
        """Return how the goods of `now` differ from these."""
        before = {g.product: g for g in self.goods}
        after = {g.product: g for g in now.goods}
        pairs = [(before.get(pk), after.get(pk)) for pk in sorted(before | after)]
        return [Change((b or a).name, b, a) for b, a in pairs if b != a]

    def to_json(self) -> list:
        """Return the terms as plain values for `from_json`."""
        goods = [[g.product, g.name, g.quantity, str(g.price)] for g in self.goods]
        return [asdict(self.contact), goods]

    @classmethod
    def from_json(cls, values: list) -> Self:
        """Return the terms that `to_json` wrote, perhaps in an earlier release."""
        contact, goods = values
        return cls.of(
            Contact(**contact),
            (
                Goods(pk, name, quantity, Decimal(price))
                for pk, name, quantity, price in goods
            ),
        )


def contact_of(row: Any) -> Contact:
    """Return the contact of an order, or of anything with the same fields."""
    return Contact(**{f.name: str(getattr(row, f.name)) for f in fields(Contact)})
