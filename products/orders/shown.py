"""What a page of the checkout showed, as its form carries it.

It is signed, so that it is what we wrote.
"""

from dataclasses import dataclass
from decimal import InvalidOperation
from typing import Self

from django.core import signing

from products.orders.terms import Terms

SALT = "products.checkout"


@dataclass(frozen=True, slots=True)
class Shown:
    """Which basket, whose (None: a guest's), and the terms of its order."""

    basket: int
    user: int | None
    terms: Terms

    def sign(self) -> str:
        """A text for a form, which `read` takes."""
        values = [self.basket, self.user, self.terms.to_json()]
        return signing.dumps(values, salt=SALT, compress=True)

    @classmethod
    def read(cls, text: str) -> Self | None:
        """What was shown; None if the text is not one of ours."""
        try:
            basket, user, terms = signing.loads(text, salt=SALT)
            return cls(basket, user, Terms.from_json(terms))
        except (signing.BadSignature, InvalidOperation, TypeError, ValueError):
            return None  # forged, or of a release that wrote something else
