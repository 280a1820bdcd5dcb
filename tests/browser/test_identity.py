"""What an open page does when its visitor is no longer who it was made for."""

import re

import pytest
from django.contrib.auth.models import Permission
from playwright.sync_api import Page, expect

from products.live.viewers import Owner
from products.models import Variant
from products.stock import services as stocks
from tests.browser.pages import (
    another_tab,
    badge,
    buy,
    expect_no_reload,
    make_shopper,
    mark,
    messages,
    sign_in,
    stock,
    wait_until_live,
)
from tests.support.factories import make_basket, make_category, make_variants
from users.models import Session, User


@pytest.fixture
def shelf(transactional_db) -> list[Variant]:
    return make_variants(2, category=make_category(), price="5.00")


@pytest.fixture
def shopper(transactional_db) -> User:
    return make_shopper()


def sessions() -> set[str]:
    return set(Session.objects.values_list("pk", flat=True))


def end(session_keys: set[str]) -> None:
    """As "sign out there" does."""
    for row in Session.objects.filter(pk__in=session_keys):
        row.delete()


def is_signed_out(page: Page) -> None:
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()
    expect(page.get_by_role("button", name="Sign out")).to_have_count(0)


def test_page_of_a_session_ended_from_elsewhere_says_so_and_shows_nothing_of_it(
    visit, shelf, shopper
):
    make_basket(Owner(user_id=shopper.pk), {shelf[0]: 2})
    laptop, phone = visit("/products/"), visit("/products/")
    sign_in(laptop)
    on_the_laptop = sessions()
    sign_in(phone)
    for page in (laptop, phone):
        page.goto("/products/")
        wait_until_live(page)
        expect(badge(page)).to_have_text("2")
        mark(page)

    end(sessions() - on_the_laptop)

    is_signed_out(phone)
    expect(messages(phone)).to_have_text("You have been signed out.")
    expect(badge(phone)).to_have_text("0")
    expect(badge(laptop)).to_have_text("2")
    for page in (laptop, phone):
        expect_no_reload(page)


def test_page_that_was_signed_out_goes_on_as_a_visitors(visit, shelf, shopper):
    page = visit("/products/")
    sign_in(page)
    page.goto("/products/")
    wait_until_live(page)
    mark(page)
    end(sessions())
    is_signed_out(page)

    left = shelf[1].stock.available
    stocks.claim({shelf[1].pk: left})
    expect(stock(page, shelf[1])).to_contain_text("Sold out")
    buy(page, shelf[0]).click()

    expect(badge(page)).to_have_text("1")
    expect_no_reload(page)


def test_private_page_of_an_ended_session_gives_way_to_the_sign_in(visit, shopper):
    page = visit("/products/")
    sign_in(page)
    page.goto("/users/profile/")
    wait_until_live(page)

    end(sessions())

    expect(page).to_have_url(re.compile("/users/login/"))


def test_sign_in_with_another_tab_open_stays_signed_in(visit, shelf, shopper):
    """The other tab's socket is closed, for its session has got another key; asking
    for its page too early would take the new cookie away."""
    tab = visit("/products/", basket={shelf[0]: 1})
    others = [another_tab(tab, "/products/") for _ in range(3)]

    sign_in(tab)

    for other in others:
        expect(other.get_by_role("button", name="Sign out")).to_be_visible()
    tab.wait_for_timeout(3_000)  # whoever would be late is
    tab.reload()
    expect(tab.get_by_role("button", name="Sign out")).to_be_visible()
    expect(messages(others[0])).to_have_text("")


def test_staff_page_moves_and_closes_when_the_rights_are_gone(visit, shelf, complaints):
    staff = make_shopper("staff", is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename="view_stock"))
    variant = shelf[0]
    page = visit("/products/")
    sign_in(page, "staff")
    page.goto(f"/admin/products/stock/{variant.pk}/change/")
    wait_until_live(page)
    mark(page)
    before = variant.stock.on_hand

    stocks.claim({variant.pk: 2})

    expect(page.locator(".shelf")).to_contain_text(f"{before} on hand, 2 reserved")
    expect_no_reload(page)

    staff.is_staff = False
    staff.save()

    expect(page.locator(".shelf")).to_have_count(0)
    complaints.forgive()  # the page that refuses is a 403
