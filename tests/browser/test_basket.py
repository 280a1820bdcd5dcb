"""One basket in every tab, and forms that don't reload the page."""

import pytest
from playwright.sync_api import Page, expect

from products.basket import services as baskets
from products.models import Basket, Product, Variant
from products.stock import services as stocks
from tests.browser.pages import (
    another_tab,
    badge,
    buy,
    expect_no_reload,
    line,
    mark,
    messages,
    quantity,
    remove,
    stock,
    total,
)
from tests.support.factories import make_category, make_variants


@pytest.fixture
def shelf(transactional_db) -> list[Variant]:
    """A lamp, a vase and a mug: 10 of each, at 4.00, 5.00 and 6.00."""
    category = make_category()
    shelf = make_variants(3, category=category)
    for variant, name, price in zip(shelf, ("Lamp", "Vase", "Mug"), (4, 5, 6)):
        variant.product.name, variant.price = name, price
        variant.product.save()
        variant.save()
    return shelf


def click_at_once(page: Page, *variants: Variant) -> None:
    """Click the products' buttons without waiting for an answer in between."""
    ids = [variant.pk for variant in variants]
    click = (
        "ids => ids.forEach(id => document.querySelector(`[data-buy='${id}']`).click())"
    )
    page.evaluate(click, ids)


def choose(page: Page, variant: Variant, units: int) -> None:
    """Type a quantity, and leave the field."""
    quantity(page, variant).fill(str(units))
    quantity(page, variant).blur()


# --- Adding -----------------------------------------------------------------------


def test_two_tabs_after_an_add_in_one_show_the_same_count(visit, shelf):
    lamp, *_ = shelf
    one = visit("/products/")
    other = another_tab(one, lamp.get_absolute_url())

    buy(one, lamp).click()  # the very first: there was no session before

    expect(badge(one)).to_have_text("1")
    expect(badge(other)).to_have_text("1")

    buy(other, lamp).click()

    expect(badge(one)).to_have_text("2")
    expect(badge(other)).to_have_text("2")


def test_adding_from_a_card_does_not_reload_the_page(visit, shelf):
    lamp, *_ = shelf
    page = visit("/products/")
    mark(page)

    buy(page, lamp).click()

    expect(messages(page)).to_contain_text("Lamp is in your basket.")
    expect(badge(page)).to_have_text("1")
    expect_no_reload(page)


def test_adding_several_from_the_products_page_counts_them_all(visit, shelf):
    lamp, *_ = shelf
    page = visit(lamp.get_absolute_url())

    page.get_by_label("Quantity").fill("3")
    buy(page, lamp).click()

    expect(badge(page)).to_have_text("3")


def test_quick_first_clicks_on_two_products_both_count(visit, shelf):
    lamp, vase, _ = shelf
    page = visit("/products/")

    click_at_once(page, lamp, vase)

    expect(badge(page)).to_have_text("2")
    page.reload()
    expect(badge(page)).to_have_text("2")


def test_first_clicks_in_two_tabs_at_once_both_count(visit, shelf):
    lamp, vase, _ = shelf
    one = visit("/products/")
    other = another_tab(one, "/products/")

    click_at_once(one, lamp)
    click_at_once(other, vase)

    for page in (one, other):
        expect(badge(page)).to_have_text("2")
    assert Basket.objects.get().lines.count() == 2


def test_a_refused_add_says_why_and_changes_nothing(visit, shelf, complaints):
    lamp, *_ = shelf
    page = visit("/products/")
    Product.objects.filter(pk=lamp.product_id).update(
        is_active=False
    )  # and nobody was told

    buy(page, lamp).click()

    expect(messages(page)).to_contain_text("don’t sell this product")
    expect(badge(page)).to_have_text("0")
    assert not Basket.objects.exists()
    assert "422" in complaints.pop()  # the console tells every refusal


# --- The basket's page ------------------------------------------------------------


def test_a_quantity_set_in_one_tab_changes_lines_and_totals_in_both(visit, shelf):
    lamp, vase, _ = shelf
    one = visit("/basket/", basket={lamp: 1, vase: 1})
    other = another_tab(one, "/basket/")
    expect(total(other)).to_have_text("€9.00")
    for page in (one, other):
        mark(page)

    choose(one, lamp, 3)

    for page in (one, other):
        expect(total(page)).to_have_text("€17.00")
        expect(quantity(page, lamp)).to_have_value("3")
        expect(line(page, lamp)).to_contain_text("€12.00")
        expect(badge(page)).to_have_text("4")
        expect_no_reload(page)


def test_a_refused_quantity_says_why_and_changes_nothing(visit, shelf, complaints):
    lamp, *_ = shelf
    page = visit("/basket/", basket={lamp: 1})
    quantity(page, lamp).evaluate("field => field.removeAttribute('max')")

    choose(page, lamp, 500)

    expect(messages(page)).to_contain_text("from 1 to 20")
    expect(total(page)).to_have_text("€4.00")
    assert "422" in complaints.pop()


def test_a_field_being_typed_in_survives_a_change_of_another_line(visit, shelf):
    lamp, vase, _ = shelf
    page = visit("/basket/", basket={lamp: 1, vase: 1})
    other = another_tab(page, "/basket/")
    field = quantity(page, lamp)
    field.evaluate("field => window.typedIn = field")
    field.press("End")
    field.press("2")  # makes it 12

    choose(other, vase, 2)

    expect(quantity(page, vase)).to_have_value("2")
    expect(field).to_have_value("12")
    expect(field).to_be_focused()
    assert field.evaluate("field => field === window.typedIn")  # so the caret stays
    field.press("Backspace")
    expect(field).to_have_value("1")
    field.press("5")
    field.blur()
    expect(total(other)).to_have_text("€70.00")  # 15 lamps, 2 vases


def test_a_field_being_typed_in_wins_over_a_change_of_the_same_line(visit, shelf):
    lamp, *_ = shelf
    page = visit("/basket/", basket={lamp: 1})
    other = another_tab(page, "/basket/")
    quantity(page, lamp).press("ControlOrMeta+a")
    quantity(page, lamp).press("7")

    choose(other, lamp, 3)

    expect(total(page)).to_have_text("€12.00")  # the rest of the page is up to date
    expect(quantity(page, lamp)).to_have_value("7")
    expect(quantity(page, lamp)).to_be_focused()

    quantity(page, lamp).blur()

    for each in (page, other):
        expect(total(each)).to_have_text("€28.00")
        expect(quantity(each, lamp)).to_have_value("7")


def test_a_field_only_focused_shows_the_newer_value_once_it_is_left(visit, shelf):
    lamp, *_ = shelf
    page = visit("/basket/", basket={lamp: 1})
    other = another_tab(page, "/basket/")
    quantity(page, lamp).focus()

    choose(other, lamp, 3)
    expect(total(page)).to_have_text("€12.00")
    quantity(page, lamp).blur()

    expect(quantity(page, lamp)).to_have_value("3")
    page.wait_for_timeout(500)  # nothing is sent back
    expect(total(page)).to_have_text("€12.00")


def test_a_quantity_typed_is_sent_even_if_a_push_replaces_its_field(visit, shelf):
    lamp, vase, _ = shelf
    clock = {"prepare": lambda page: page.clock.install()}
    page = visit("/basket/", basket={lamp: 1, vase: 1}, **clock)
    page.clock.pause_at(page.evaluate("Date.now() / 1000 + 1"))

    choose(page, lamp, 5)  # it waits a moment in case more is typed
    baskets.set_quantities(Basket.objects.get(), {vase.pk: 2})
    expect(quantity(page, vase)).to_have_value("2")
    page.clock.run_for(1000)

    expect(total(page)).to_have_text("€30.00")
    expect(quantity(page, lamp)).to_have_value("5")


def test_two_tabs_that_set_different_lines_at_once_both_get_their_way(visit, shelf):
    lamp, vase, _ = shelf
    one = visit("/basket/", basket={lamp: 1, vase: 1})
    other = another_tab(one, "/basket/")

    choose(one, lamp, 2)
    choose(other, vase, 3)

    for page in (one, other):
        expect(total(page)).to_have_text("€23.00")


def test_removing_and_emptying_show_in_both_tabs(visit, shelf):
    lamp, vase, mug = shelf
    one = visit("/basket/", basket={lamp: 1, vase: 1, mug: 1})
    other = another_tab(one, "/basket/")

    remove(one, vase).click()

    for page in (one, other):
        expect(line(page, vase)).to_have_count(0)
        expect(total(page)).to_have_text("€10.00")

    other.get_by_role("button", name="Empty basket").click()

    for page in (one, other):
        expect(page.get_by_text("Your basket is empty")).to_be_visible()
        expect(badge(page)).to_have_text("0")


def test_a_quantity_typed_before_another_line_is_removed_is_kept(visit, shelf):
    lamp, vase, _ = shelf
    page = visit("/basket/", basket={lamp: 1, vase: 1})

    quantity(page, lamp).fill("4")
    remove(page, vase).click()

    expect(line(page, vase)).to_have_count(0)
    expect(total(page)).to_have_text("€16.00")


def test_a_basket_is_filled_and_emptied_by_the_keyboard_alone(visit, shelf):
    lamp, vase, _ = shelf
    page = visit("/products/")
    keys = page.keyboard

    for variant in (lamp, vase):
        tab_to(page, f"[data-buy='{variant.pk}']")
        keys.press("Enter")
        expect(messages(page)).to_contain_text(variant.name)
    expect(badge(page)).to_have_text("2")
    page.goto("/")
    tab_to(page, ".basket-link")
    keys.press("Enter")
    page.wait_for_url("**/basket/")

    tab_to(page, f"[name='quantity-{lamp.pk}']")
    keys.press("ControlOrMeta+a")
    keys.type("3")
    keys.press("Enter")
    expect(total(page)).to_have_text("€17.00")
    expect(quantity(page, lamp)).to_be_focused()

    keys.press("Tab")
    keys.press("Enter")
    expect(line(page, lamp)).to_have_count(0)
    expect(remove(page, vase)).to_be_focused()

    keys.press("Enter")
    expect(page.get_by_text("Your basket is empty")).to_be_visible()
    expect(page.get_by_role("link", name="Shop all products")).to_be_focused()


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until `selector` has the focus."""
    for _ in range(60):
        if page.evaluate(
            "selector => document.activeElement.matches(selector)", selector
        ):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never comes to {selector}")


# --- More topics than a socket watches --------------------------------------------


def test_in_a_basket_of_100_lines_those_in_view_are_live(visit, transactional_db):
    variants = make_variants(100, category=make_category())
    page = visit("/basket/", basket=dict.fromkeys(variants, 1))
    first, last = variants[0], variants[-1]

    stocks.count(first.pk, 3)
    expect(stock(page, first)).to_contain_text("3")

    line(page, last).scroll_into_view_if_needed()
    stocks.count(last.pk, 2)
    expect(stock(page, last)).to_contain_text("2")

    line(page, first).scroll_into_view_if_needed()
    stocks.count(first.pk, 1)
    expect(stock(page, first)).to_contain_text("1")
