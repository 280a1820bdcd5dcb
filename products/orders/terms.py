"""What a shopper agrees to: who gets what, where, and at which price.

The review shows the terms and the order's form carries them, so that nothing else is
ordered than what was shown. Pure values: nothing here asks the database.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any, NamedTuple, Self


@dataclass(frozen=True, slots=True)
class Contact:
    """Who gets it and where; checked by a form before."""

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
    """How the goods of one product differ; None where there were or are none."""

    name: str
    before: Goods | None
    after: Goods | None


@dataclass(frozen=True, slots=True)
class Terms:
    """A contact and the goods, in the order of their products."""

    contact: Contact
    goods: tuple[Goods, ...]

    @classmethod
    def of(cls, contact: Contact, goods: Iterable[Goods]) -> Self:
        """The terms, whatever the order of the goods."""
        return cls(contact, tuple(sorted(goods)))

    @property
    def total(self) -> Decimal:
        return sum((g.quantity * g.price for g in self.goods), Decimal(0))

    def changes(self, now: Self) -> list[Change]:
        """How the goods of `now` differ from these."""
        before = {g.product: g for g in self.goods}
        after = {g.product: g for g in now.goods}
        pairs = [(before.get(pk), after.get(pk)) for pk in sorted(before | after)]
        return [Change((b or a).name, b, a) for b, a in pairs if b != a]

    def to_json(self) -> list:
        """The terms as plain values, for `from_json`."""
        goods = [[g.product, g.name, g.quantity, str(g.price)] for g in self.goods]
        return [asdict(self.contact), goods]

    @classmethod
    def from_json(cls, values: list) -> Self:
        """The terms that `to_json` wrote, perhaps by an earlier release."""
        contact, goods = values
        return cls.of(
            Contact(**contact),
            (
                Goods(pk, name, quantity, Decimal(price))
                for pk, name, quantity, price in goods
            ),
        )


def contact_of(row: Any) -> Contact:
    """The contact that stands in an order, or whatever has its fields."""
    return Contact(**{f.name: str(getattr(row, f.name)) for f in fields(Contact)})
