"""Businesses with VAT numbers, for tests."""

from products.models import VatNumber
from products.vat import services as vat
from users.models import User

DANISH, FRENCH = "DK13585628", "FR40303265045"
COMPANY = "Hav ApS"


def give_number(user: User, *, accepted: bool = True) -> VatNumber:
    """Return a Danish number of the account."""
    number = vat.give(user=user, number=DANISH, company=COMPANY)
    return vat.accept(number, by=user) if accepted else number
