"""Choosing a variant in a browser."""

import re
from decimal import Decimal

import pytest
from django.core.files.storage import default_storage
from PIL import Image
from playwright.sync_api import expect

from products.catalogue import services as catalogue
from products.models import ProductImage, Variant
from products.stock import services as stocks
from tests.browser.looks import DESK, expect_good_in_all_looks
from tests.browser.pages import buy, expect_no_reload, line, mark
from tests.support.factories import make_options, make_picture


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


# --- Pictures ---------------------------------------------------------------------


@pytest.fixture
def pictured(mugs) -> list[Variant]:
    """The mugs, with two pictures of the chalk one and one of that in tide."""
    new = []
    for colour, text, whose in [
        ("white", "Chalk", mugs[0]),
        ("silver", "Chalk from above", mugs[0]),
        ("teal", "Tide", mugs[2]),
    ]:
        upload = make_picture(f"{colour}.png", Image.new("RGB", (700, 700), colour))
        name = default_storage.save(f"products/{colour}.png", upload)
        new.append(ProductImage(file=name, alt=text, variant=whose, position=None))
    catalogue.save_pictures(mugs[0].product, new=new)
    return mugs


def test_picture_and_price_follow_the_choice_without_a_reload(visit, pictured):
    page = visit("/products/mug/?variant=M-CL", viewport=DESK)
    page.get_by_label("Quantity").fill("3")
    mark(page)
    page.locator(".choice", has_text="Tide").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Mug, Tide, S")
    expect(page.get_by_role("img", name="Tide")).to_be_visible()
    expect(page.get_by_role("img", name="Chalk", exact=True)).to_have_count(0)
    expect(page.locator(".choice[aria-current]", has_text="Tide")).to_be_focused()
    expect(page.get_by_label("Quantity")).to_have_value("3")
    assert page.url.endswith("/products/mug/?variant=M-TS")
    assert page.title().startswith("Mug, Tide, S")

    stocks.count(pictured[2].pk, 2)  # the new part is live
    expect(page.locator(".detail__stock")).to_contain_text("Only 2 left")

    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Mug, Chalk, L")
    page.get_by_role("link", name="Picture 2").click()
    expect(page.locator("#picture-2")).to_be_in_viewport(ratio=0.8)
    expect_no_reload(page)


def test_choice_shows_no_older_stock_than_the_page_did(visit, pictured):
    page = visit("/products/mug/?variant=M-CS")
    stocks.count(pictured[2].pk, 1)
    expect(page.locator(".choice", has_text="Tide")).to_contain_text("Only 1 left")
    old = page.request.get(page.url.replace("M-CS", "M-TS")).text()
    old = re.sub(
        '(data-topic="stock:%d" data-version=")[0-9]+' % pictured[2].pk, r"\g<1>0", old
    )
    page.route(
        "**/?variant=M-TS",
        lambda route: route.fulfill(
            body=old.replace("Only <b>1</b> left", "<b>3</b> in stock"),
            content_type="text/html",
        ),
    )

    page.locator(".choice", has_text="Tide").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Mug, Tide, S")
    expect(page.locator(".detail__stock")).to_contain_text("Only 1 left")
