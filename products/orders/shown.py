"""What the review page showed, as its form carries it.

The value is signed, so that nobody can change it.
"""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Self

from django.core import signing

from products.orders.terms import Contact, Costs, Delivery, Goods, Terms

SALT = "products.checkout"


@dataclass(frozen=True, slots=True)
class Shown:
    """A basket, its user (None for a guest), and the terms of its order."""

    basket: int
    user: int | None
    terms: Terms

    def sign(self) -> str:
        """Return the signed text for a form."""
        values = [self.basket, self.user, self.terms.to_json()]
        return signing.dumps(values, salt=SALT, compress=True)

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Return what was shown, or None if the text is not valid."""
        try:
            basket, user, terms = signing.loads(text, salt=SALT)
            return cls(basket, user, Terms.from_json(terms))
        except (signing.BadSignature, InvalidOperation, TypeError, ValueError):
            return None  # forged, or from another release


def shown_terms(contact: Contact, basket: dict) -> Terms:
    """Return the terms that a page shows. In: the facts of its basket."""
    goods = (
        Goods(
            variant=line["variant"],
            name=line["name"],
            quantity=line["quantity"],
            price=Decimal(line["price"]),
            line_discount=Decimal(line["line_discount"]),
            order_discount=Decimal(line["order_discount"]),
            amount=Decimal(line["amount"]),
            tax=Decimal(line["tax"]),
            tax_rate=Decimal(line["tax_rate"]),
            tax_code=line["tax_code"],
            discount_name=line["discount_name"],
            ships_from=line.get("ships_from", ""),
        )
        for line in basket["lines"]
    )
    offer = basket["delivery"]["chosen"]
    days_from, days_to = offer["days"] or (None, None)
    delivery = Delivery(
        offer["name"], offer["carrier"], days_from, days_to, offer["is_pickup"]
    )
    costs = Costs(
        goods=Decimal(basket["goods"]),
        discount=Decimal(basket["discount"]),
        shipping=Decimal(basket["shipping"]),
        tax=Decimal(basket["tax"]),
        total=Decimal(basket["total"]),
        includes_tax=basket["includes_tax"],
        discount_name=basket["discount_name"],
    )
    return Terms.of(contact, goods, delivery, costs)
