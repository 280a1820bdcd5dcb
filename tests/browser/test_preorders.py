"""Preorders, from the admin to the pages of shoppers and staff."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.formats import date_format
from playwright.sync_api import Page, expect

from products.models import Order, Variant
from products.orders import preorders
from products.stock import services as stocks
from tests.browser.looks import expect_good_in_all_looks
from tests.browser.pages import (
    another_tab,
    buy,
    expect_no_reload,
    fill_sign_in,
    line,
    make_shopper,
    mark,
    stock,
)
from tests.support.factories import make_variant

SOON = timezone.localdate() + timedelta(days=30)
LATER = SOON + timedelta(days=14)


def text(day) -> str:
    return f"Preorder: ships from {date_format(day, 'DATE_FORMAT')}"


@pytest.fixture
def lamp(transactional_db) -> Variant:
    return make_variant(name="Lamp", on_hand=1, price="4.00")


@pytest.fixture
def staff(visit, lamp) -> Page:
    """The lamp's stock in the admin, after signing in there."""
    make_shopper("staff", is_staff=True, is_superuser=True)
    page = visit(f"/admin/products/stock/{lamp.pk}/change/", live=False)
    fill_sign_in(page, "staff")
    expect(page.get_by_role("heading", name="Stock of Lamp")).to_be_visible()
    return page


def test_preorders_of_staff_reach_every_open_page(visit, lamp, staff):
    stocks.claim({lamp.pk: 1})
    listed = visit("/products/")
    detail = another_tab(listed, lamp.get_absolute_url())
    for page in (listed, detail):
        expect(stock(page, lamp)).to_contain_text("Sold out")
        mark(page)

    staff.get_by_label("Units sold before they are here").fill("5")
    staff.get_by_label("They ship from").fill(SOON.isoformat())
    staff.get_by_role("button", name="Preorders").click()

    expect(staff.locator(".shelf")).to_contain_text("Preorders: up to 5 units")
    for page in (listed, detail):
        expect(stock(page, lamp)).to_contain_text(text(SOON))
        expect(buy(page, lamp)).to_be_enabled()
        expect_no_reload(page)
    expect_good_in_all_looks(detail)
    for _ in range(5):
        stocks.claim({lamp.pk: 1})
    expect(stock(listed, lamp)).to_contain_text("Sold out")


def test_line_says_when_it_ships_while_others_take_the_units(visit, lamp):
    stocks.receive(lamp.pk, 1)
    preorders.offer(lamp.pk, 5, SOON)
    basket = visit("/basket/", basket={lamp: 2})
    note = line(basket, lamp).locator("[data-preorder]")
    expect(note).to_be_hidden()
    mark(basket)

    stocks.claim({lamp.pk: 1})

    expect(stock(basket, lamp)).to_contain_text("Only 1 left")
    expect(note).to_be_visible()
    expect(note).to_have_text(text(SOON))
    expect_no_reload(basket)
    expect_good_in_all_looks(basket)
    stocks.claim({lamp.pk: 1})
    expect(stock(basket, lamp)).to_contain_text(text(SOON))
    expect(note).to_be_hidden()  # the stock says it
    stocks.release({lamp.pk: 2})
    expect(stock(basket, lamp)).to_contain_text("Only 2 left")
    expect(note).to_be_hidden()


def test_order_follows_the_day_that_staff_change(visit, lamp):
    preorders.offer(lamp.pk, 5, SOON)
    page = visit("/checkout/", basket={lamp: 2})
    for name, value in {
        "email": "ann@example.com",
        "full_name": "Ann Lee",
        "line1": "High Street 1",
        "postcode": "12345",
        "city": "Port",
    }.items():
        page.locator(f"input[name={name}]").fill(value)
    page.get_by_label("Country").select_option("DE")
    page.get_by_role("button", name="Continue to review").click()
    expect(page.locator(".good [data-preorder]")).to_have_text(text(SOON))
    expect_good_in_all_looks(page)
    page.get_by_role("button", name="Place order").click()
    expect(page).to_have_url(re.compile(r"/orders/[2-9A-Z]{8}/$"))
    status = page.locator(".order-status")
    expect(status).to_contain_text(text(SOON))
    expect_good_in_all_looks(page)
    mark(page)

    preorders.offer(lamp.pk, 5, LATER)

    expect(status).to_contain_text(text(LATER))
    expect_no_reload(page)
    assert Order.objects.get().lines.get().ships_from == LATER
