"""Who gives VAT numbers, and who accepts them."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from products.basket import services as baskets
from products.live import baskets as live
from products.live.viewers import Owner
from products.models import Basket, VatNumber
from products.personal import SECTIONS
from products.vat import services as vat
from products.vat.exceptions import BadVatNumber, TooManyVatNumbers
from tests.products.vat.business import COMPANY, DANISH, FRENCH, give_number
from tests.support.factories import make_basket, make_shopper, make_variant

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "text, number",
    [
        ("dk 13 58 56 28", DANISH),
        ("FR 40 303 265 045", FRENCH),
        ("EL 094259216", "EL094259216"),
    ],
)
def test_number_is_stored_without_spaces(text, number):
    assert vat.parse(text) == number


@pytest.mark.parametrize(
    "text",
    [
        *("DK13585629", "13585628", "hello", "GB980780684", "XI980780684"),
        *("EU372022452", "CHE107787577IVA", "DE136695976", "\0"),
    ],
)
def test_number_that_is_of_no_use_is_refused(text):
    with pytest.raises(BadVatNumber):
        vat.parse(text)


def test_number_of_another_company_must_be_accepted_again():
    shopper = make_shopper()
    give_number(shopper)

    again = vat.give(user=shopper, number=DANISH, company=COMPANY)
    other = vat.give(user=shopper, number=DANISH, company="Another ApS")

    assert again.status == "accepted"
    assert (other.status, other.decided_by, other.decided_at) == ("given", None, None)


def test_number_is_accepted_for_the_account_that_gave_it_alone():
    shopper, other = make_shopper(), make_shopper()
    give_number(shopper)

    assert vat.accepted(shopper.pk, DANISH) == DANISH
    assert vat.accepted(other.pk, DANISH) == ""
    assert vat.accepted(None, DANISH) == ""


def test_account_gives_only_so_many_numbers(monkeypatch):
    monkeypatch.setattr(vat, "PER_ACCOUNT", 1)
    shopper = make_shopper()
    give_number(shopper)

    with pytest.raises(TooManyVatNumbers):
        vat.give(user=shopper, number=FRENCH, company=COMPANY)


def basket_to_denmark(shopper) -> Basket:
    basket = make_basket(Owner(user_id=shopper.pk), {make_variant(price="119.00"): 2})
    return baskets.set_destination(basket, "DK", "1401", DANISH)


def test_open_basket_loses_its_tax_when_the_number_is_accepted():
    shopper = make_shopper()
    number = give_number(shopper, accepted=False)
    basket = basket_to_denmark(shopper)
    before = live.contents(Owner(user_id=shopper.pk))

    vat.accept(number, by=shopper)

    after = live.contents(Owner(user_id=shopper.pk))
    assert (before.facts["total"], before.facts["tax"]) == ("238.00", "47.60")
    assert (after.facts["total"], after.facts["tax"]) == ("200.00", "0.00")
    assert after.facts["lines"][0]["was"] is None
    assert after.version == basket.version + 1


def test_basket_gets_its_tax_back_when_the_number_is_refused():
    shopper = make_shopper()
    number = give_number(shopper)
    basket_to_denmark(shopper)

    vat.refuse(number, by=shopper)

    facts = live.contents(Owner(user_id=shopper.pk)).facts
    assert (facts["total"], facts["tax"]) == ("238.00", "47.60")


def test_earlier_price_of_a_business_is_without_tax_too():
    shopper = make_shopper()
    give_number(shopper)
    basket = basket_to_denmark(shopper)
    basket.lines.update(price_when_added="238.00")

    line = live.contents(Owner(user_id=shopper.pk)).facts["lines"][0]

    assert (line["was"], line["price"]) == ("200.00", "100.00")


def test_basket_with_a_number_takes_one_query_more():
    shopper = make_shopper()
    give_number(shopper)
    basket = basket_to_denmark(shopper)

    with CaptureQueriesContext(connection) as with_number:
        live.contents(Owner(user_id=shopper.pk))
    baskets.set_destination(basket, "DK", "1401")
    with CaptureQueriesContext(connection) as without:
        live.contents(Owner(user_id=shopper.pk))

    assert len(with_number) == len(without) + 1


def test_export_of_personal_data_has_the_numbers():
    (section,) = [s for s in SECTIONS if s.model is VatNumber and s.by != "decided_by"]

    assert {"number", "company", "status"} <= {*section.fields}
