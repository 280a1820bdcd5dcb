"""Signing in or out in one tab, seen from another."""

import pytest
from playwright.sync_api import Page, expect

from products.basket import services as baskets
from products.live.viewers import Owner
from products.models import Variant
from tests.browser.pages import (
    another_tab,
    badge,
    buy,
    expect_no_reload,
    line,
    make_shopper,
    mark,
    sign_in,
    total,
)
from tests.support.factories import make_basket, make_category, make_variants
from users.models import User


@pytest.fixture
def shelf(transactional_db) -> list[Variant]:
    return make_variants(3, category=make_category(), price="5.00")


@pytest.fixture
def shopper(transactional_db) -> User:
    return make_shopper()


def sign_out(tab: Page) -> None:
    tab.get_by_role("button", name="Sign out").click()
    expect(tab.get_by_role("link", name="Sign in").first).to_be_visible()


def test_another_tab_follows_with_the_merged_basket(visit, shelf, shopper):
    ours, theirs, _ = shelf
    make_basket(Owner(user_id=shopper.pk), {theirs: 2})
    tab = visit("/products/", basket={ours: 1})
    listed = another_tab(tab, "/products/")
    basket = another_tab(tab, "/basket/")
    for page in (listed, basket):
        mark(page)

    sign_in(tab)

    for page in (listed, basket):
        expect(badge(page)).to_have_text("3")
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        expect_no_reload(page)
    expect(line(basket, theirs)).to_be_visible()
    expect(total(basket)).to_have_text("€15.00")


def test_another_tab_follows_even_if_both_baskets_have_the_same_version(
    visit, shelf, shopper
):
    ours, theirs, more = shelf
    tab = visit("/products/", basket={ours: 1, more: 1})  # version 2; 3 once closed
    make_basket(Owner(user_id=shopper.pk), {theirs: 2, more: 1})  # 2 too: merged, 3
    other = another_tab(tab, "/basket/")

    sign_in(tab)

    expect(badge(other)).to_have_text("5")
    expect(total(other)).to_have_text("€25.00")


def test_another_tab_adds_to_the_new_basket(visit, shelf, shopper):
    tab = visit("/products/")
    other = another_tab(tab, "/products/")
    mark(other)
    sign_in(tab)
    expect(other.get_by_role("button", name="Sign out")).to_be_visible()

    buy(other, shelf[0]).click()

    expect(badge(other)).to_have_text("1")
    expect(badge(tab)).to_have_text("1")
    expect_no_reload(other)
    assert baskets.open_for(Owner(user_id=shopper.pk)).lines.count() == 1


def test_a_tab_that_slept_through_the_sign_in_adds_all_the_same(
    visit, shelf, shopper, complaints
):
    """Its form's token is outdated: the first answer is 403, the second is not."""
    tab = visit("/products/")
    tab.context.add_init_script("Storage.prototype.setItem = () => {}")
    other = another_tab(tab, "/products/")
    sign_in(tab)

    buy(other, shelf[0]).click()

    expect(badge(other)).to_have_text("1")
    expect(other.get_by_role("button", name="Sign out")).to_be_visible()
    assert baskets.open_for(Owner(user_id=shopper.pk)).lines.count() == 1
    assert len(complaints) == 1 and "403" in complaints.pop()


def test_a_page_kept_alive_from_before_the_sign_in_follows_when_one_goes_back(
    keeping_browser, daphne, shelf, shopper
):
    make_basket(Owner(user_id=shopper.pk), {shelf[0]: 2})
    page = keeping_browser.new_page(base_url=daphne.url)
    page.goto("/products/")
    mark(page)
    sign_in(page)

    page.evaluate("history.go(-2)")

    expect(page).to_have_url("/products/")
    expect(badge(page)).to_have_text("2")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    expect_no_reload(page)


def test_signing_out_empties_the_other_tab(visit, shelf, shopper):
    make_basket(Owner(user_id=shopper.pk), {shelf[0]: 1})
    tab = visit("/products/")
    sign_in(tab)
    listed = another_tab(tab, "/products/")
    basket = another_tab(tab, "/basket/")
    expect(badge(listed)).to_have_text("1")
    for page in (listed, basket):
        mark(page)

    sign_out(tab)

    for page in (listed, basket):
        expect(badge(page)).to_have_text("0")
        expect(page.get_by_role("link", name="Sign in").first).to_be_visible()
        expect_no_reload(page)
    expect(basket.get_by_text("Your basket is empty")).to_be_visible()


def test_two_browsers_of_one_shopper_show_the_same_basket(visit, shelf, shopper):
    laptop, phone = visit("/products/"), visit("/products/")
    for page in (laptop, phone):
        sign_in(page)
        page.goto("/products/")

    buy(laptop, shelf[0]).click()
    expect(badge(phone)).to_have_text("1")
    buy(phone, shelf[1]).click()
    expect(badge(laptop)).to_have_text("2")


def test_another_visitor_sees_nothing_of_it(visit, shelf):
    mine, theirs = visit("/products/"), visit("/products/")

    buy(mine, shelf[0]).click()
    expect(badge(mine)).to_have_text("1")

    theirs.wait_for_timeout(500)
    expect(badge(theirs)).to_have_text("0")
