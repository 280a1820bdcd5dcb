"""Every page: accessible, in its place, quiet on the console, at any width."""

import pytest
from playwright.sync_api import Page

from products.models import Variant
from tests.browser.looks import (
    DESK,
    PHONE,
    expect_each_good_in_all_looks,
    expect_good_in_all_looks,
)
from tests.browser.pages import buy
from tests.support.factories import (
    make_category,
    make_picture,
    make_variant,
    make_variants,
)

PAGES = {
    "home": "/",
    "list": "/products/",
    "category": "/products/category/lamps/",
    "search without a find": "/products/?q=xyzzy",
    "detail": "/products/brass-lamp/",
    "sold out": "/products/sold-out-lamp/",
    "sign-in": "/users/login/",
    "empty basket": "/basket/",
}
NOT_THERE = {"gone": "/products/lost-lamp/", "not found": "/products/never-was/"}

WATCH_SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    window.shift += entry.hadRecentInput ? 0 : entry.value;
  }
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture
def shelf(transactional_db) -> list[Variant]:
    """A shelf with all kinds of products, one with a picture."""
    lamps = make_category(name="Lamps", slug="lamps", description="Light.", position=1)
    other = make_category(name="A category with quite a long name", position=2)
    brass = make_variant(
        category=lamps,
        slug="brass-lamp",
        name="Brass reading lamp",
        description="A lamp.\n\nAnd a second paragraph about it.",
        image=make_picture(),
    )
    low = make_variant(category=lamps, name="Low lamp", on_hand=2)
    make_variant(category=lamps, slug="sold-out-lamp", name="Sold lamp", on_hand=0)
    make_variant(category=lamps, slug="lost-lamp", name="Lost lamp", is_active=False)
    return [brass, low, *make_variants(60, category=other)]


def test_pages_are_good_to_look_at(visit, shelf):
    expect_each_good_in_all_looks(visit(), PAGES)


def test_pages_that_are_not_there_are_good_to_look_at(visit, shelf, complaints):
    expect_each_good_in_all_looks(visit(), NOT_THERE)

    assert len(complaints) == len(NOT_THERE)  # the console tells the status
    complaints.forgive()


def test_page_filled_basket(visit, shelf):
    page = visit("/basket/", basket={shelf[0]: 1, shelf[1]: 3, shelf[5]: 2})

    expect_good_in_all_looks(page)


def test_page_with_messages(visit, shelf):
    page = visit("/products/brass-lamp/")
    buy(page, shelf[0]).click()
    page.get_by_text("is in your basket").wait_for()

    expect_good_in_all_looks(page)


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("path", ["/", "/products/", "/products/brass-lamp/"])
def test_nothing_jumps_while_a_page_loads(visit, shelf, path, size):
    def prepare(page: Page) -> None:
        page.add_init_script(WATCH_SHIFTS)

    page = visit(path, prepare=prepare, viewport=size)
    page.wait_for_timeout(300)
    page.mouse.wheel(0, 2000)
    page.wait_for_timeout(300)

    assert page.evaluate("window.shift") < 0.05
    unsized = page.locator("img:not([width][height])")
    assert unsized.count() == 0
