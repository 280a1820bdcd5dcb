"""The pictures of a product: with a mouse, with keys, by touch and without scripts."""

import re

import pytest
from django.core.files.storage import default_storage
from PIL import Image
from playwright.sync_api import Page, expect

from products.catalogue import services as catalogue
from products.models import Product, ProductImage
from tests.browser.looks import DESK, PHONE, expect_good_in_all_looks
from tests.support.factories import make_picture, make_product

PATH = "/products/mug/"


@pytest.fixture
def mug(transactional_db) -> Product:
    product = make_product(slug="mug", name="Mug")
    new = []
    for position, colour in enumerate(("red", "green", "blue"), start=1):
        upload = make_picture(f"{colour}.png", Image.new("RGB", (700, 700), colour))
        name = default_storage.save(f"products/{colour}.png", upload)
        new.append(ProductImage(file=name, alt=f"It in {colour}", position=position))
    catalogue.save_pictures(product, new=new)
    return product


def expect_picture(page: Page, number: int) -> None:
    """Wait until one picture is shown, nearly all of it, and no other."""
    picture = page.locator(f"#picture-{number}")
    expect(picture).to_be_in_viewport(ratio=0.8)
    expect(page.locator(f"#picture-{number - 1}")).not_to_be_in_viewport(ratio=0.1)


def test_gallery_looks_good_at_any_width(visit, mug):
    expect_good_in_all_looks(visit(PATH))


def test_link_shows_its_picture_and_the_page_stays_in_its_place(visit, mug):
    page = visit(PATH, viewport=DESK)
    link = page.get_by_role("link", name="Picture 3")
    link.scroll_into_view_if_needed()
    place = page.evaluate("scrollY")

    link.click()

    expect_picture(page, 3)
    expect(link).to_have_attribute("aria-current", "true")
    marked = page.locator(".gallery [aria-current]")
    expect(marked).to_have_count(1)
    assert page.evaluate("scrollY") == place


def test_arrow_keys_turn_the_pictures(visit, mug):
    page = visit(PATH, viewport=PHONE)

    page.get_by_role("group", name="Pictures of Mug").focus()
    page.keyboard.press("ArrowRight")

    expect_picture(page, 2)


def test_sliding_stops_at_a_picture(visit, mug):
    page = visit(PATH, viewport=PHONE)

    page.locator(".gallery__pictures").evaluate(
        "(strip) => strip.scrollBy({ left: strip.clientWidth * 0.8 })"
    )

    expect_picture(page, 2)
    expect(page.locator("#picture-2")).to_be_in_viewport(ratio=0.99)


def test_links_work_without_javascript(visit, mug):
    page = visit(PATH, java_script_enabled=False)

    page.get_by_role("link", name="Picture 2").click()

    expect(page).to_have_url(re.compile("#picture-2$"))
    expect_picture(page, 2)
