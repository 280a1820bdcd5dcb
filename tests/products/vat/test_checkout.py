"""A business orders: what it sees is what is placed."""

from decimal import Decimal

import pytest

from products.live.viewers import Owner
from products.models import Order, Variant, VatNumber
from products.pricing import discount_books
from products.vat import services as vat
from tests.products.orders.test_checkout import (
    CHECKOUT,
    GUEST,
    PLACE,
    REVIEW,
    fields,
    order_page,
    table,
)
from tests.products.staff.test_board import make_clerk
from tests.products.vat.business import COMPANY, DANISH, give_number
from tests.support.factories import (
    make_basket,
    make_discount,
    make_shopper,
    make_variant,
)
from users.models import User

pytestmark = pytest.mark.django_db

REASON = "Reverse charge: the recipient accounts for VAT"
BUSINESS = PLACE | {
    "country": "DK",
    "postcode": "1401",
    "vat_number": "dk 13 58 56 28",
    "company": COMPANY,
}


@pytest.fixture
def shopper(client) -> User:
    """Signed in, with two lamps at 119.00 in the basket."""
    shopper = make_shopper()
    client.force_login(shopper)
    make_basket(Owner(user_id=shopper.pk), {make_variant(price="119.00"): 2})
    return shopper


def test_accepted_business_orders_without_tax(client, shopper, mailoutbox):
    give_number(shopper)
    client.post(CHECKOUT, BUSINESS)

    page = client.get(REVIEW)
    client.post(REVIEW, fields(page.text))

    order = Order.objects.get()
    line = order.lines.get()
    assert REASON in page.text and DANISH in page.text
    assert "Place order · €200.00" in page.text
    assert (order.total, order.tax, line.unit_price) == (200, 0, 100)
    assert (line.tax_rate, line.tax_code, line.tax_reason) == (0, "reverse", REASON)
    assert (order.company, order.vat_number) == (COMPANY, DANISH)
    shown = client.get(order_page()).text
    assert REASON in shown and DANISH in shown and COMPANY in shown
    mail = mailoutbox[-1]
    html = mail.alternatives[0][0]
    for text in (mail.body, html):
        assert REASON in text and DANISH in text


def test_discounts_of_a_business_are_without_tax_and_reconcile_agrees(client, shopper):
    give_number(shopper)
    autumn = make_discount(code="", name="Autumn", amount="11.90", is_on_lines=True)
    autumn.variants.set(Variant.objects.all())
    make_discount(code="", name="Week", amount="23.80")
    client.post(CHECKOUT, BUSINESS)

    client.post(REVIEW, fields(client.get(REVIEW).text))

    order = Order.objects.get()
    assert order.lines.get().line_discount == 20
    assert (order.goods, order.discount, order.total) == (180, 20, 160)
    assert discount_books.drifts() == []


def test_staff_see_the_business_on_board_slip_and_export(client, shopper):
    give_number(shopper)
    client.post(CHECKOUT, BUSINESS)
    client.post(REVIEW, fields(client.get(REVIEW).text))
    number = Order.objects.get().number
    client.force_login(make_clerk("view_order"))

    for page in (f"/staff/orders/{number}/", f"/staff/orders/{number}/slip/"):
        text = client.get(page).text
        assert COMPANY in text and DANISH in text and REASON in text

    query = {"since": "2000-01-01", "until": "2100-01-01", "rows": "lines"}
    export = client.get("/staff/orders/export.csv", query).getvalue().decode()
    assert COMPANY in export and DANISH in export and REASON in export


def test_number_that_is_not_accepted_is_ordered_with_tax(client, shopper):
    client.post(CHECKOUT, BUSINESS)

    page = client.get(REVIEW)
    client.post(REVIEW, fields(page.text))

    order = Order.objects.get()
    assert "We haven’t checked your VAT number yet." in page.text
    assert (order.total, order.tax) == (238, Decimal("47.60"))
    assert order.vat_number == DANISH
    assert VatNumber.objects.get(user=shopper).status == "given"


def test_number_that_is_accepted_meanwhile_must_be_confirmed(client, shopper):
    client.post(CHECKOUT, BUSINESS)
    agreed = fields(client.get(REVIEW).text)
    vat.accept(VatNumber.objects.get(), by=shopper)

    page = client.post(REVIEW, agreed)

    assert page.status_code == 409
    assert table(page)["Total"] == ["€238.00", "€200.00"]
    assert table(page)["VAT"] == ["€47.60", "€0.00"]
    assert not Order.objects.exists()

    client.post(REVIEW, fields(page.text))

    assert Order.objects.get().total == 200


def test_number_that_is_refused_meanwhile_must_be_confirmed(client, shopper):
    number = give_number(shopper)
    client.post(CHECKOUT, BUSINESS)
    agreed = fields(client.get(REVIEW).text)
    vat.refuse(number, by=shopper)

    page = client.post(REVIEW, agreed)

    assert page.status_code == 409
    assert "We couldn’t accept your VAT number" in page.text
    assert table(page)["Total"] == ["€200.00", "€238.00"]


@pytest.mark.parametrize("country, postcode", [("DE", "12345"), ("US", "10001")])
def test_business_pays_as_everybody_where_no_reverse_charge_holds(
    client, shopper, country, postcode
):
    give_number(shopper)
    place = {"country": country, "postcode": postcode, "region": "NY"}
    client.post(CHECKOUT, BUSINESS | place)

    client.post(REVIEW, fields(client.get(REVIEW).text))

    assert Order.objects.get().total == 238
    assert Order.objects.get().lines.get().tax_code != "reverse"


def test_next_checkout_offers_the_company_of_the_last_one(client, shopper):
    client.post(CHECKOUT, BUSINESS)
    client.post(REVIEW, fields(client.get(REVIEW).text))
    make_basket(Owner(user_id=shopper.pk), {make_variant(): 1})

    page = client.get(CHECKOUT)

    form = page.context["form"]
    assert (form["vat_number"].value(), form["company"].value()) == (DANISH, COMPANY)


@pytest.mark.parametrize(
    "wrong, field, error",
    [
        ({"vat_number": "DK1"}, "vat_number", "This is not a VAT number of the EU."),
        ({"vat_number": "DE136695976"}, "vat_number", "in our own country"),
        ({"company": " "}, "company", "Enter the name of the company"),
    ],
)
def test_wrong_number_or_no_company_is_said_at_the_field(
    client, shopper, wrong, field, error
):
    page = client.post(CHECKOUT, BUSINESS | wrong)

    assert error in str(page.context["form"].errors[field])
    assert not VatNumber.objects.exists()


def test_guest_is_not_asked_for_a_number(client):
    session = client.session
    session["basket_token"] = "abc"
    session.save()
    make_basket(Owner(token="abc"), {make_variant(): 1})

    assert "VAT number" not in client.get(CHECKOUT).text
    client.post(CHECKOUT, BUSINESS | {"email": GUEST["email"]})
    assert not VatNumber.objects.exists()


def test_shop_outside_the_eu_asks_for_no_number(client, shopper, settings):
    settings.SHOP_COUNTRY = "US"

    assert "VAT number" not in client.get(CHECKOUT).text
