"""A business gives its VAT number in the checkout."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from products.live.viewers import Owner
from products.models import Order, VatNumber
from products.vat import services as vat
from tests.browser.looks import expect_good_in_all_looks
from tests.browser.pages import bring_session
from tests.products.shipping.test_services import make_method, make_zone
from tests.products.vat.business import COMPANY, DANISH, give_number
from tests.support.factories import make_basket, make_shopper, make_variant
from users.models import User

BUSINESS = {
    "full_name": "Ann Lee",
    "line1": "Havnegade 1",
    "postcode": "1058",
    "city": "Copenhagen",
    "vat_number": "dk 13 58 56 28",
    "company": COMPANY,
}
REVERSE = "Reverse charge: the recipient accounts for VAT"


@pytest.fixture
def business(transactional_db) -> User:
    """Signed up, with two lamps in the basket, in a shop with two methods."""
    zone = make_zone(countries=["DE", "DK"])
    make_method(zone, (0, None, "11.90"), name="Parcel")
    make_method(zone, (0, None, "23.80"), name="Express")
    user = make_shopper()
    make_basket(Owner(user_id=user.pk), {make_variant(price="119.00"): 2})
    return user


def at_review(visit, daphne, user: User) -> Page:
    """Fill in the checkout as a Danish business, and go on to the review."""
    page = visit("/robots.txt", live=False)
    bring_session(page.context, daphne.url, user)
    page.goto("/checkout/")
    page.get_by_label("Country").select_option("DK")
    for name, value in BUSINESS.items():
        page.locator(f"input[name={name}]").fill(value)
    expect_good_in_all_looks(page)
    page.get_by_role("button", name="Continue to review").click()
    expect(page.locator(".goes-to")).to_contain_text(DANISH)
    return page


def place(page: Page, total: str) -> Locator:
    return page.get_by_role("button", name=f"Place order · {total}")


def test_number_that_staff_accept_meanwhile_takes_the_tax_off(
    visit, daphne, business, complaints
):
    page = at_review(visit, daphne, business)
    expect(page.get_by_text("We haven’t checked your VAT number yet")).to_be_visible()
    expect_good_in_all_looks(page)
    vat.accept(VatNumber.objects.get(), by=business)

    page.get_by_label("Express").check()
    place(page, "€249.90").click()

    expect(page.locator(".changes")).to_contain_text("€220.00")
    expect_good_in_all_looks(page)
    assert "409" in complaints.pop()
    place(page, "€220.00").click()
    expect(page).to_have_url(re.compile(r"/orders/[2-9A-Z]{8}/$"))
    for text in (REVERSE, COMPANY, DANISH):
        expect(page.locator("main")).to_contain_text(text)
    expect_good_in_all_looks(page)
    order = Order.objects.get()
    assert (order.total, order.tax, order.vat_number) == (220, 0, DANISH)


def test_review_of_an_accepted_business_says_who_accounts_for_the_tax(
    visit, daphne, business
):
    give_number(business)

    page = at_review(visit, daphne, business)

    expect(page.locator(".summary--order")).to_contain_text(REVERSE)
    expect(page.locator("label", has_text="Express")).to_contain_text("€20.00")
    expect_good_in_all_looks(page)
