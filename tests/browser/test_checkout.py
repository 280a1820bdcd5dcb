"""From the basket to the order, as people do it."""

import re
from decimal import Decimal

import pytest
from playwright.sync_api import Locator, Page, expect

from products.basket import holds
from products.catalogue import services as catalogue
from products.live.viewers import Owner
from products.models import Basket, Order, Stock, Variant
from products.stock import services as stocks
from tests.browser.looks import (
    expect_errors_beside_their_fields,
    expect_good_in_all_looks,
)
from tests.browser.pages import (
    another_tab,
    bring_session,
    expect_no_reload,
    make_shopper,
    mark,
    total,
)
from tests.support.factories import (
    EmailAddress,
    make_address,
    make_basket,
    make_category,
    make_variants,
)
from users.models import User

CHECKOUT, REVIEW = "/checkout/", "/checkout/review/"
ORDER = re.compile(r"/orders/[2-9A-Z]{8}/$")
ADDRESS = {
    "full_name": "Ann Lee",
    "line1": "High Street 1",
    "postcode": "12345",
    "city": "Port",
}


@pytest.fixture
def lamp(transactional_db) -> Variant:
    """Five of it, at 4.00."""
    fields = {"name": "Lamp", "price": Decimal("4.00"), "on_hand": 5}
    (lamp,) = make_variants(1, category=make_category(), **fields)
    return lamp


@pytest.fixture(scope="module")
def hasty(make_daphne):
    """A shop that holds things for six seconds."""
    return make_daphne(HOLD_MINUTES="0.1")


def hold(page: Page) -> Locator:
    return page.locator('[data-topic="basket:hold"]')


def again(page: Page) -> Locator:
    return hold(page).get_by_role("link", name="Reserve again")


def fill_in(page: Page, **fields: str) -> None:
    for name, value in (ADDRESS | fields).items():
        page.locator(f"input[name={name}]").fill(value)
    page.get_by_label("Country").select_option("DE")


def go_on(page: Page) -> None:
    page.get_by_role("button", name="Continue to review").click()


def place(page: Page) -> Locator:
    return page.get_by_role("button", name="Place order")


def at_review(page: Page) -> Page:
    """A guest who is in the checkout goes on to the review."""
    page.goto(CHECKOUT)
    fill_in(page, email="ann@example.com")
    go_on(page)
    expect(page).to_have_url(re.compile(f"{REVIEW}$"))
    return page


def expect_one_order(lamp: Variant, units: int) -> Order:
    order = Order.objects.get()
    assert [(row.variant, row.quantity) for row in order.lines.all()] == [(lamp, units)]
    assert Stock.objects.get(pk=lamp.pk).reserved == units
    return order


# --- The whole way ------------------------------------------------------------------


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_guest_orders(visit, lamp, scripts):
    page = visit("/basket/", basket={lamp: 2}, java_script_enabled=scripts)

    page.get_by_role("link", name="Go to checkout").click()
    expect(hold(page)).to_contain_text("Reserved for you until")
    fill_in(page, email="ann@example.com")
    go_on(page)
    expect(page.locator(".goes-to")).to_contain_text("High Street 1")
    expect(total(page)).to_have_text("€8.00")
    place(page).click()

    expect(page).to_have_url(ORDER)
    order = expect_one_order(lamp, 2)
    expect(page.locator("body")).to_contain_text(order.number)
    assert (order.email, order.total) == ("ann@example.com", 8)


@pytest.fixture
def member(transactional_db) -> User:
    """Verified, with a saved address."""
    user = make_shopper(email="anna@example.com")
    EmailAddress.objects.create(
        user=user, email=user.email, primary=True, verified=True
    )
    make_address(user, city="Hamburg")
    return user


def signed_in(visit, daphne, user: User, path: str = CHECKOUT, **options) -> Page:
    page = visit("/robots.txt", live=False, **options)
    bring_session(page.context, daphne.url, user)
    page.goto(path)
    return page


def test_who_is_signed_in_orders_to_a_saved_address(visit, daphne, lamp, member):
    make_basket(Owner(user_id=member.pk), {lamp: 1})
    page = signed_in(visit, daphne, member)
    expect(page.get_by_label("Full name")).to_be_hidden()

    go_on(page)
    expect(page.locator(".goes-to")).to_contain_text("Hamburg")
    place(page).click()

    expect(page).to_have_url(ORDER)
    order = expect_one_order(lamp, 1)
    assert (order.user, order.city) == (member, "Hamburg")


def test_who_is_signed_in_orders_to_another_address_and_saves_it(
    visit, daphne, lamp, member
):
    make_basket(Owner(user_id=member.pk), {lamp: 1})
    page = signed_in(visit, daphne, member, java_script_enabled=False)

    page.get_by_label("Another address").check()
    fill_in(page)
    page.get_by_label("Save this address").check()
    go_on(page)
    place(page).click()

    expect(page).to_have_url(ORDER)
    assert expect_one_order(lamp, 1).city == "Port"
    assert set(member.addresses.values_list("city", flat=True)) == {"Hamburg", "Port"}


def test_who_is_not_verified_is_sent_to_their_mail(visit, daphne, lamp, complaints):
    user = make_shopper(email="new@example.com")
    make_basket(Owner(user_id=user.pk), {lamp: 1})
    page = signed_in(visit, daphne, user)

    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Verify your email address first"
    )
    expect_good_in_all_looks(page)
    page.get_by_role("button", name="Resend the link").click()

    expect(page.locator("main")).to_contain_text("new@example.com")
    assert "403" in complaints.pop()


def test_what_is_wrong_is_said_beside_its_field(visit, lamp):
    page = visit(CHECKOUT, basket={lamp: 1})
    fill_in(page, email="ann@example.com", phone="call me", line1="High\u202eStreet")

    go_on(page)

    expect_errors_beside_their_fields(page, "line1", "phone")
    expect(page.get_by_label("Full name")).to_have_value("Ann Lee")
    expect_good_in_all_looks(page)


def test_fields_of_an_address_follow_its_country(visit, lamp):
    page = visit(CHECKOUT, basket={lamp: 1})
    fill_in(page, email="ann@example.com", postcode="", city="")
    country = page.get_by_label("Country")

    country.select_option("IE")
    expect(page.get_by_label("Eircode optional")).to_be_visible()
    country.select_option("US")
    expect(page.get_by_label("ZIP code", exact=True)).to_be_visible()
    country.select_option("HK")

    expect(page.get_by_label("Area", exact=True)).to_be_visible()
    expect(page.locator("[name=postcode]")).to_be_hidden()
    expect_good_in_all_looks(page)
    page.get_by_label("Area", exact=True).fill("Kowloon")
    go_on(page)
    expect(page).to_have_url(re.compile(f"{REVIEW}$"))
    expect(page.get_by_text("Kowloon")).to_be_visible()


# --- The clock ----------------------------------------------------------------------


def test_the_page_counts_down_by_the_servers_clock(visit, lamp):
    def be_an_hour_behind(page: Page) -> None:
        page.add_init_script("""
            const now = Date.now.bind(Date);
            Date.now = () => now() - 3_600_000;
            const origin = performance.timeOrigin - 3_600_000;
            Object.defineProperty(Performance.prototype, "timeOrigin", {value: origin});
        """)

    page = visit(CHECKOUT, basket={lamp: 1}, prepare=be_an_hour_behind)

    expect(hold(page).locator(".hold__clock")).to_have_text(re.compile("^9:5[0-9]$"))


def test_a_hold_that_lapses_is_told_and_claimed_again(visit, hasty, lamp):
    page = visit(CHECKOUT, at=hasty, basket={lamp: 2})
    mark(page)
    page.get_by_label("Full name").fill("Ann")
    expect(hold(page).locator(".hold__clock")).to_have_text(re.compile("^0:0[1-6]$"))

    expect(again(page)).to_be_visible(timeout=10_000)
    assert page.locator("[aria-live=polite]", has=again(page)).count() == 1
    holds.release_lapsed()
    expect(again(page)).to_be_visible()
    again(page).click()

    expect(hold(page).get_by_text("Reserved for you until")).to_be_visible()
    expect(page.get_by_label("Full name")).to_have_value("Ann")
    expect_no_reload(page)
    assert Stock.objects.get(pk=lamp.pk).reserved == 2


def test_what_is_sold_after_a_lapse_shows_on_the_line_and_can_be_settled(
    visit, hasty, lamp, complaints
):
    page = at_review(visit(CHECKOUT, at=hasty, basket={lamp: 2}))
    short = page.locator(".good .line__note--warn")
    expect(short).to_be_hidden()
    expect(again(page)).to_be_visible(timeout=10_000)
    expect_good_in_all_looks(page)

    holds.release_lapsed()
    stocks.claim({lamp.pk: 4})
    expect(short).to_have_text("You wanted 2, but only 1 left")
    again(page).click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("no longer available")
    expect_good_in_all_looks(page)
    page.get_by_role("button", name="Take the last one").click()
    expect(total(page)).to_have_text("€4.00")
    place(page).click()

    expect(page).to_have_url(ORDER)
    assert Order.objects.get().lines.get().quantity == 1
    assert {"409" in each for each in complaints} == {True}
    complaints.forgive()


def test_a_change_of_the_basket_in_another_tab_ends_the_hold_live(visit, lamp):
    page = visit(CHECKOUT, basket={lamp: 2})
    other = another_tab(page, "/basket/")
    expect(other.locator(".line--held")).to_have_count(1)

    other.get_by_label("Quantity").fill("1")
    other.get_by_label("Quantity").blur()

    expect(again(page)).to_be_visible()
    expect(other.locator(".line--held")).to_have_count(0)


# --- Surprises ----------------------------------------------------------------------


def test_a_changed_price_is_agreed_to_by_one_click(visit, lamp, complaints):
    page = at_review(visit("/", basket={lamp: 2}))
    lamp.price = Decimal("5.00")
    catalogue.save(lamp.product, variants=[lamp])

    place(page).click()

    expect(page.locator(".changes")).to_contain_text("€8.00")
    expect(page.locator(".changes")).to_contain_text("€10.00")
    assert not Order.objects.exists()
    expect_good_in_all_looks(page)
    page.get_by_role("button", name="Place order · €10.00").click()
    expect(page).to_have_url(ORDER)
    assert expect_one_order(lamp, 2).total == 10
    assert "409" in complaints.pop()


def test_two_tabs_place_one_order(visit, lamp):
    one = at_review(visit("/", basket={lamp: 2}))
    other = another_tab(one, REVIEW)

    place(one).click()
    expect(one).to_have_url(ORDER)
    expect(again(other)).to_be_visible()  # nothing is in the basket any more
    place(other).click()

    expect(other).to_have_url(one.url)
    expect_one_order(lamp, 2)


def test_a_double_click_places_one_order(visit, lamp):
    page = at_review(visit("/", basket={lamp: 2}))

    place(page).dblclick()

    expect(page).to_have_url(ORDER)
    expect_one_order(lamp, 2)


def test_going_back_and_sending_again_comes_to_the_same_order(visit, lamp):
    page = at_review(visit("/", basket={lamp: 2}))
    place(page).click()
    expect(page).to_have_url(ORDER)

    page.go_back()

    expect(page.locator("main")).to_contain_text("You’ve already ordered this")
    expect_good_in_all_looks(page)
    page.get_by_role("link", name="View order").click()
    expect(page).to_have_url(ORDER)
    expect_one_order(lamp, 2)


def test_the_last_unit_goes_to_who_is_in_the_checkout(visit, lamp, complaints):
    first = visit(CHECKOUT, basket={lamp: 5})
    # Who put it in before it was held comes too late.
    Stock.objects.filter(pk=lamp.pk).update(reserved=0)
    second = visit("/basket/", basket={lamp: 1})
    Stock.objects.filter(pk=lamp.pk).update(reserved=5)

    second.get_by_role("link", name="Go to checkout").click()

    expect(second.locator(".line--short")).to_contain_text("Sold out")
    fill_in(first, email="ann@example.com")
    go_on(first)
    place(first).click()
    expect(first).to_have_url(ORDER)
    expect_one_order(lamp, 5)
    assert Basket.objects.open().count() == 1
    assert "409" in complaints.pop()


# --- Looks --------------------------------------------------------------------------


def test_pages_are_good_to_look_at(visit, daphne, lamp, member):
    page = visit(CHECKOUT, basket={lamp: 2})
    expect_good_in_all_looks(page)
    expect_good_in_all_looks(at_review(page))

    make_basket(Owner(user_id=member.pk), {lamp: 1})
    page = signed_in(visit, daphne, member)
    page.get_by_label("Another address").check()
    expect_good_in_all_looks(page)
    empty = visit(CHECKOUT)
    expect_good_in_all_looks(empty)
