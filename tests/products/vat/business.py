"""Businesses with VAT numbers, for tests."""

from dataclasses import replace

from products.models import VatNumber
from products.vat import services as vat
from tests.support.factories import CONTACT
from users.models import User

DANISH, FRENCH = "DK13585628", "FR40303265045"
COMPANY = "Hav ApS"
BUSINESS = replace(
    CONTACT, country="DK", postcode="1401", company=COMPANY, vat_number=DANISH
)


def give_number(user: User, *, accepted: bool = True) -> VatNumber:
    """Return a Danish number of the account."""
    number = vat.give(user=user, number=DANISH, company=COMPANY)
    return vat.accept(number, by=user) if accepted else number
