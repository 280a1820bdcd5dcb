"""Sales on pages that people look at."""

import re
from datetime import timedelta

import pytest
from django.utils.http import http_date
from playwright.sync_api import Route, expect

from products.models import Variant
from products.pricing import clock, flips
from tests.browser.pages import another_tab, expect_no_reload, mark, stock, total
from tests.support.factories import make_sale, make_variant


@pytest.fixture
def lamp(transactional_db) -> Variant:
    return make_variant(name="Lamp", price="4.00")


def test_a_sale_shows_the_price_before_on_card_detail_and_in_the_basket(visit, lamp):
    page = visit("/products/", basket={lamp: 1})
    detail = another_tab(page, lamp.get_absolute_url())
    basket = another_tab(page, "/basket/")
    pages = (page, detail, basket)
    for each in pages:
        mark(each)

    sale = make_sale(lamp, percent="25", ends_at=clock.now() + timedelta(hours=1))
    flips.settle_all()

    for each in pages:
        expect(stock(each, lamp)).to_contain_text("€3.00")
        expect(stock(each, lamp).locator("s")).to_have_text("Price before: €4.00")
        expect_no_reload(each)
    expect(total(basket)).to_have_text("€3.00")
    lowest = "Lowest price in the 30 days before: €4.00"
    expect(detail.get_by_text(lowest)).to_be_visible()
    expect(page.get_by_text(lowest)).to_be_hidden()

    flips.end_sale(sale)
    flips.settle_all()

    for each in pages:
        expect(stock(each, lamp).locator("s")).to_have_count(0)
        expect(stock(each, lamp)).to_contain_text("€4.00")


THREE_DAYS_LATE = "const now = Date.now; Date.now = () => now() + 3 * 86400000;"


def add_date(route: Route) -> None:
    """Say the server's time, as a proxy in front of it does."""
    if route.request.method == "HEAD":
        return route.fulfill(headers={"Date": http_date(clock.now().timestamp())})
    return route.fallback()


def test_a_countdown_goes_by_the_server_and_not_by_the_visitors_clock(visit, lamp):
    make_sale(lamp, ends_at=clock.now() + timedelta(hours=2))
    flips.settle_all()
    page = visit("/products/")
    page.add_init_script(THREE_DAYS_LATE)
    page.route("**/*", add_date)

    page.goto(lamp.get_absolute_url())

    countdown = page.locator(".stock__clock")
    expect(countdown).to_have_text(re.compile(r"^01:5\d:\d\d$"))


def test_a_sale_without_an_end_has_no_countdown(visit, lamp):
    make_sale(lamp)
    flips.settle_all()

    page = visit(lamp.get_absolute_url())

    expect(stock(page, lamp).locator("s")).to_have_text("Price before: €4.00")
    expect(page.locator(".stock__clock")).to_have_count(0)
