"""Everything that needs no script works without one."""

import pytest
from playwright.sync_api import Page, expect

from products.basket import services as baskets
from products.catalogue import services as catalogue
from products.live.viewers import Owner
from products.models import Basket, Product, Variant
from products.stock import services as stocks
from tests.browser.pages import (
    badge,
    buy,
    line,
    make_shopper,
    messages,
    quantity,
    remove,
    sign_in,
    total,
)
from tests.support.factories import make_basket, make_category, make_variants


@pytest.fixture
def shelf(transactional_db) -> list[Variant]:
    """30 products from 1.00 to 30.00, "Item 01" the cheapest."""
    shelf = make_variants(30, category=make_category(name="Things", slug="things"))
    for price, variant in enumerate(shelf, start=1):
        variant.product.name, variant.price = f"Item {price:02}", price
        catalogue.save(variant.product, variants=[variant])
    return shelf


@pytest.fixture
def page(visit, shelf) -> Page:
    """The list of all products, with JavaScript off."""
    return visit("/products/", java_script_enabled=False)


def names(page: Page) -> list[str]:
    return page.locator(".card__name").all_inner_texts()


def test_a_visitor_browses_sorts_and_turns_pages(page):
    page.get_by_role("navigation", name="Categories").get_by_text("Things").click()
    expect(page).to_have_title("Things · Tidewater")

    page.get_by_label("Sort by").select_option("-price")
    page.get_by_role("button", name="Sort").click()

    assert names(page)[0] == "Item 30"

    page.get_by_role("link", name="Next").click()

    assert names(page) == [f"Item {n:02}" for n in range(6, 0, -1)]


def test_a_visitor_searches(page, shelf):
    Product.objects.filter(pk=shelf[0].product_id).update(name="Brass kettle")

    page.get_by_role("searchbox").fill("kettle brass")
    page.get_by_role("searchbox").press("Enter")

    assert names(page) == ["Brass kettle"]


def test_an_add_comes_back_to_the_list_with_a_message(page, shelf):
    page.get_by_label("Sort by").select_option("price")
    page.get_by_role("button", name="Sort").click()

    buy(page, shelf[3]).click()

    expect(page).to_have_url("/products/?sort=price")
    expect(messages(page)).to_contain_text("Item 04 is in your basket.")
    expect(badge(page)).to_have_text("1")


def test_an_add_from_the_products_page_takes_its_quantity(page, shelf):
    page.goto(shelf[0].get_absolute_url())

    page.get_by_label("Quantity").fill("4")
    buy(page, shelf[0]).click()

    expect(badge(page)).to_have_text("4")


def test_a_sold_out_product_cannot_be_added(page, shelf):
    stocks.count(shelf[0].pk, 0)

    buy(page, shelf[0]).click()  # the page still offers it

    expect(messages(page)).to_contain_text("Item 01 is sold out.")
    expect(badge(page)).to_have_text("0")
    expect(buy(page, shelf[0])).to_be_disabled()


def test_quantities_are_set_lines_removed_and_the_basket_emptied(page, shelf):
    for variant in shelf[:3]:
        buy(page, variant).click()
    page.goto("/basket/")
    expect(total(page)).to_have_text("€6.00")

    quantity(page, shelf[0]).fill("5")
    quantity(page, shelf[1]).fill("2")
    page.get_by_role("button", name="Update basket").click()

    expect(messages(page)).to_contain_text("up to date")
    expect(total(page)).to_have_text("€12.00")

    remove(page, shelf[0]).click()

    expect(line(page, shelf[0])).to_have_count(0)
    expect(total(page)).to_have_text("€7.00")

    page.get_by_role("button", name="Empty basket").click()

    expect(page.get_by_text("Your basket is empty")).to_be_visible()
    expect(messages(page)).to_contain_text("We’ve emptied your basket.")


def test_enter_in_a_quantity_sets_it_and_removes_nothing(page, shelf):
    for variant in shelf[:2]:
        buy(page, variant).click()
    page.goto("/basket/")

    quantity(page, shelf[1]).fill("3")
    quantity(page, shelf[1]).press("Enter")

    expect(total(page)).to_have_text("€7.00")


def test_a_line_that_another_tab_changed_is_left_as_it_is(page, shelf):
    for variant in shelf[:2]:
        buy(page, variant).click()
    page.goto("/basket/")
    baskets.set_quantities(Basket.objects.get(), {shelf[0].pk: 9})

    quantity(page, shelf[1]).fill("3")
    page.get_by_role("button", name="Update basket").click()

    expect(quantity(page, shelf[0])).to_have_value("9")
    expect(total(page)).to_have_text("€15.00")


def test_signing_in_brings_the_basket_along_and_signing_out_leaves_it(page, shelf):
    shopper = make_shopper()
    make_basket(Owner(user_id=shopper.pk), {shelf[1]: 2})
    buy(page, shelf[0]).click()

    sign_in(page)

    expect(messages(page)).to_contain_text("signed in")
    expect(badge(page)).to_have_text("3")

    page.get_by_role("button", name="Sign out").click()

    expect(badge(page)).to_have_text("0")
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()


def test_a_wrong_password_is_refused_with_a_sentence(page):
    page.goto("/users/login/")

    page.get_by_label("Email or username").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in", exact=True).click()

    expect(page.get_by_role("alert")).to_contain_text(
        "Incorrect email, username or password"
    )
