"""Choosing a variant in a browser."""

from decimal import Decimal

import pytest
from playwright.sync_api import expect

from products.models import Variant
from products.stock import services as stocks
from tests.browser.looks import expect_good_in_all_looks
from tests.browser.pages import buy, expect_no_reload, line, mark
from tests.support.factories import make_options


@pytest.fixture
def mugs(transactional_db) -> list[Variant]:
    return make_options(
        {"sku": "M-CS", "option_values": ["Chalk", "S"], "price": Decimal(18)},
        {"sku": "M-CL", "option_values": ["Chalk", "L"], "price": Decimal(24)},
        {"sku": "M-TS", "option_values": ["Tide", "S"], "on_hand": 3},
        names=["Colour", "Size"],
        name="Mug",
        slug="mug",
    )


@pytest.mark.parametrize("sku", ["M-CS", "M-TS", "never-was"])
def test_page_with_a_chooser_is_good_in_all_looks(visit, mugs, sku):
    stocks.count(mugs[1].pk, 0)

    expect_good_in_all_looks(visit(f"/products/mug/?variant={sku}"))


def test_list_with_variants_is_good_in_all_looks(visit, mugs):
    page = visit("/products/")

    expect(page.get_by_text("from", exact=True)).to_be_visible()
    expect_good_in_all_looks(page)


def test_a_combination_greys_out_on_open_pages_when_it_sells(visit, mugs):
    page = visit("/products/mug/?variant=M-CS")
    tide = page.locator(".choice", has_text="Tide")
    expect(tide).to_have_css("border-style", "solid")
    mark(page)

    stocks.count(mugs[2].pk, 0)

    expect(tide).to_have_css("border-style", "dashed")
    expect(tide).to_contain_text("Sold out")
    expect(buy(page, mugs[0])).to_be_enabled()
    expect_no_reload(page)


def test_a_variant_is_chosen_and_bought_with_the_keyboard(visit, mugs):
    page = visit("/products/mug/")
    page.locator('.choice[href*="M-CL"]').focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Mug, Chalk, L")

    buy(page, mugs[1]).press("Enter")
    page.get_by_text("is in your basket").wait_for()
    page.goto("/basket/")

    expect(line(page, mugs[1])).to_contain_text("Mug, Chalk, L")
