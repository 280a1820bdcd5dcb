"""What staff change reaches the pages of people who just look."""

import pytest
from playwright.sync_api import Page, expect

from products.models import Stock, Variant
from products.stock import services as stocks
from tests.browser.pages import (
    another_tab,
    badge,
    buy,
    expect_no_reload,
    fill_sign_in,
    line,
    make_shopper,
    mark,
    quantity,
    stock,
    total,
)
from tests.support.factories import make_variant


@pytest.fixture
def lamp(transactional_db) -> Variant:
    return make_variant(name="Lamp", on_hand=7, price="4.00")


@pytest.fixture
def staff(visit, lamp) -> Page:
    """The lamp's stock in the admin, after signing in there."""
    make_shopper("staff", is_staff=True, is_superuser=True)
    page = visit(f"/admin/products/stock/{lamp.pk}/change/", live=False)
    fill_sign_in(page, "staff")
    expect(page.get_by_role("heading", name="Stock of Lamp")).to_be_visible()
    return page


def receive(staff: Page, units: int) -> None:
    staff.get_by_label("Units received").fill(str(units))
    staff.get_by_role("button", name="Receive").click()
    expect(staff.get_by_text(f"{units:+d} on hand")).to_be_visible()


def count(staff: Page, units: int) -> None:
    staff.get_by_label("Units on the shelf").fill(str(units))
    staff.get_by_role("button", name="Count").click()
    expect(staff.get_by_text(f"now {units}.")).to_be_visible()


def test_units_received_in_the_admin_reach_list_and_detail_of_a_visitor(
    visit, lamp, staff
):
    listed = visit("/products/")
    detail = visit(lamp.get_absolute_url())
    for page in (listed, detail):
        expect(stock(page, lamp)).to_contain_text("7 in stock")
        mark(page)

    receive(staff, 20)

    for page in (listed, detail):
        expect(stock(page, lamp)).to_contain_text("27 in stock")
        expect_no_reload(page)
    assert Stock.objects.get().available == 27


def test_sold_out_disables_the_button_and_a_restock_enables_it(visit, lamp, staff):
    listed = visit("/products/")
    detail = visit(lamp.get_absolute_url())

    count(staff, 0)

    for page in (listed, detail):
        expect(stock(page, lamp)).to_contain_text("Sold out")
        expect(buy(page, lamp)).to_be_disabled()
        expect(buy(page, lamp)).to_contain_text("Sold out")

    receive(staff, 2)

    for page in (listed, detail):
        expect(stock(page, lamp)).to_contain_text("Only 2 left")
        expect(buy(page, lamp)).to_be_enabled()
    buy(listed, lamp).click()
    expect(badge(listed)).to_have_text("1")


def test_a_price_set_in_the_admin_shows_on_card_detail_and_in_the_basket(
    visit, lamp, staff
):
    page = visit("/products/", basket={lamp: 1})
    detail = another_tab(page, lamp.get_absolute_url())
    basket = another_tab(page, "/basket/")
    pages = (page, detail, basket)
    for each in pages:
        mark(each)

    staff.goto(f"/admin/products/product/{lamp.product.pk}/change/")
    staff.get_by_role("spinbutton", name="Price").fill("4.50")
    staff.get_by_role("button", name="Save", exact=True).click()

    for each in pages:
        expect(stock(each, lamp)).to_contain_text("€4.50")
        expect_no_reload(each)
    expect(total(basket)).to_have_text("€4.50")
    expect(line(basket, lamp)).to_contain_text("Was €4.00 when you added it")
    expect(page.locator('[data-topic="basket"]')).to_contain_text("€4.50")


def test_a_product_taken_out_of_the_shop_says_so_where_it_is_shown(visit, lamp, staff):
    listed = visit("/products/")
    detail = visit(lamp.get_absolute_url())

    staff.goto(f"/admin/products/product/{lamp.product.pk}/change/")
    staff.get_by_label("Active").uncheck()
    staff.get_by_role("button", name="Save", exact=True).click()

    for page in (listed, detail):
        expect(stock(page, lamp)).to_contain_text("No longer sold")
        expect(buy(page, lamp)).to_be_disabled()


def test_the_note_that_fewer_are_left_comes_and_goes(visit, lamp):
    page = visit("/basket/", basket={lamp: 1})
    note = line(page, lamp).get_by_text("You wanted")
    quantity(page, lamp).fill("5")
    quantity(page, lamp).blur()
    expect(total(page)).to_have_text("€20.00")
    expect(note).to_be_hidden()
    mark(page)

    stocks.claim({lamp.pk: 4})  # somebody else buys

    expect(note).to_be_visible()
    expect(note).to_contain_text("You wanted 5, but only 3 left")

    stocks.claim({lamp.pk: 1})
    expect(note).to_contain_text("only 2 left")

    quantity(page, lamp).fill("2")
    quantity(page, lamp).blur()
    expect(note).to_be_hidden()

    stocks.claim({lamp.pk: 2})
    expect(note).to_contain_text("You wanted 2, but only 0 left")

    stocks.receive(lamp.pk, 20)
    expect(note).to_be_hidden()
    expect_no_reload(page)


def test_a_burst_of_sales_ends_at_the_right_number(visit, transactional_db):
    lamp = make_variant(on_hand=60)
    page = visit("/products/")

    for _ in range(57):
        stocks.claim({lamp.pk: 1})

    expect(stock(page, lamp)).to_contain_text("Only 3 left")
