"""Searching as one does it: with the keyboard, on a phone, and without scripts."""

import re

import pytest
from playwright.sync_api import Locator, Page, Request, Route, expect

from products.search import services as search
from tests.browser.looks import PHONE, expect_good_in_all_looks
from tests.support.factories import make_category, make_product


@pytest.fixture(autouse=True)
def shelf(transactional_db) -> None:
    lamps = make_category(name="Lamps", slug="lamps")
    for name, price in [("Brass lamp", 20), ("Desk lamp", 40), ("Lamp of glass", 90)]:
        make_product(category=lamps, name=name, price=price, description="")
    make_product(name="Jug", on_hand=0, description="")
    make_product(name="Kettle", description="")
    search.relearn()


def field(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Search the shop")


def options(page: Page) -> Locator:
    return page.get_by_role("option")


def type_text(page: Page, text: str) -> None:
    """Letter by letter, as people do, and until what is suggested is there."""
    field(page).press_sequentially(text)
    expect(options(page).first).to_be_visible()


def test_suggestions_are_walked_through_with_arrows_and_enter_goes_there(visit):
    page = visit("/")
    type_text(page, "lam")
    expect(field(page)).to_have_attribute("aria-expanded", "true")
    expect(options(page)).to_have_count(4)

    field(page).press("ArrowDown")
    expect(options(page).first).to_have_attribute("aria-selected", "true")
    first = options(page).first.get_attribute("id")
    expect(field(page)).to_have_attribute("aria-activedescendant", first)

    field(page).press("ArrowDown")
    expect(options(page).nth(1)).to_have_attribute("aria-selected", "true")
    expect(page.locator("[aria-selected=true]")).to_have_count(1)
    expect(field(page)).to_be_focused()
    assert field(page).input_value() == "lam"

    field(page).press("Enter")

    expect(page).to_have_title("Lamp of glass · Tidewater")


def test_suggestions_past_their_end_lead_back_to_the_field(visit):
    page = visit("/")
    type_text(page, "lam")

    field(page).press("ArrowUp")
    expect(options(page).last).to_have_attribute("aria-selected", "true")
    field(page).press("ArrowDown")
    expect(page.locator("[aria-selected=true]")).to_have_count(0)
    field(page).press("Enter")

    expect(page).to_have_url(re.compile(r"/products/\?q=lam$"))


def test_escape_closes_the_suggestions_first_and_keeps_what_was_typed(visit):
    page = visit("/")
    type_text(page, "lam")

    field(page).press("Escape")

    expect(options(page)).to_have_count(0)
    expect(field(page)).to_have_attribute("aria-expanded", "false")
    expect(field(page)).to_have_value("lam")
    field(page).press("ArrowDown")
    expect(options(page)).to_have_count(4)


def test_suggestions_close_when_the_field_is_left(visit):
    page = visit("/")
    type_text(page, "lam")

    field(page).press("Tab")

    expect(options(page)).to_have_count(0)


def test_a_suggestion_can_be_clicked(visit):
    page = visit("/")
    type_text(page, "lam")

    options(page).first.click()

    expect(page).to_have_title("Lamps · Tidewater")


def test_suggestions_are_counted_for_who_cannot_see_them(visit):
    page = visit("/")

    type_text(page, "lam")
    expect(page.locator(".search [role=status]")).to_have_text("4 suggestions")
    field(page).fill("zzzz")

    expect(page.locator(".search [role=status]")).to_have_text("0 suggestions")
    expect(options(page)).to_have_count(0)


def test_a_question_that_was_overtaken_is_broken_off(visit):
    """The first is never answered; what comes is the answer to the second."""

    held: list[Route] = []

    def hold(route: Route) -> None:
        if "q=kettle" in route.request.url:
            held.append(route)
        else:
            route.continue_()

    page = visit("/", prepare=lambda page: page.route("**/search/suggest/**", hold))
    with page.expect_request("**/search/suggest/?q=kettle"):
        field(page).fill("kettle")

    with page.expect_event("requestfailed") as broken:
        field(page).fill("jug")

    assert broken.value.url.endswith("q=kettle")
    expect(options(page)).to_have_text([re.compile("Jug")])
    held[0].abort()  # Playwright wants to hear the end of it


def test_suggestions_are_asked_for_once_for_a_word_typed_quickly(visit):
    requests: list[str] = []

    def note(request: Request) -> None:
        if "/search/suggest/" in request.url:
            requests.append(request.url)

    page = visit("/", prepare=lambda page: page.on("request", note))
    page.clock.install()  # so that the letters take no time at all
    field(page).press_sequentially("kettle")
    page.clock.run_for(1000)

    expect(options(page)).to_have_count(1)
    assert len(requests) == 1 and requests[0].endswith("q=kettle")


def test_search_without_suggestions_still_searches(visit, complaints):
    def refuse(page: Page) -> None:
        page.route("**/search/suggest/**", lambda route: route.abort())

    page = visit("/", prepare=refuse)
    with page.expect_event("requestfailed"):
        field(page).fill("lamp")
    field(page).press("Enter")

    expect(page).to_have_title("Search: lamp · Tidewater")
    assert all("ERR_FAILED" in complaint for complaint in complaints)
    complaints.clear()


def test_suggestions_look_good_and_are_accessible(visit):
    page = visit("/")
    type_text(page, "lam")
    field(page).press("ArrowDown")

    expect_good_in_all_looks(page)

    expect(options(page)).to_have_count(4)  # the premise: they were there all the time


def test_list_narrowed_down_looks_good_and_is_accessible(visit):
    page = visit("/products/?q=lamp&min=20&max=100&stock=1")
    expect(page.get_by_role("heading", name="Price", exact=True)).to_be_visible()

    expect_good_in_all_looks(page)


def test_list_with_a_typo_looks_good_and_is_accessible(visit):
    page = visit("/products/?q=lmap")
    expect(page.get_by_text("We couldn’t find “lmap”.")).to_be_visible()

    expect_good_in_all_looks(page)


def test_filters_are_set_by_keyboard_and_leave_a_tidy_address(visit):
    page = visit("/products/?q=lamp")
    page.get_by_text("Filter", exact=True).press("Enter")
    page.get_by_label("Price to").fill("50")
    page.get_by_label("In stock").press("Space")
    page.get_by_label("Price to").press("Enter")

    expect(page).to_have_url(re.compile(r"/products/\?q=lamp&max=50&stock=1$"))
    expect(page.locator(".card__name")).to_have_text(["Brass lamp", "Desk lamp"])

    page.get_by_role("link", name="Up to €50 (remove)").click()

    expect(page).to_have_url(re.compile(r"/products/\?q=lamp&stock=1$"))
    expect(page.locator(".card__name")).to_have_count(3)


def test_searching_and_narrowing_work_without_scripts(visit):
    page = visit("/", java_script_enabled=False, viewport=PHONE)
    page.get_by_role("searchbox").fill("lmap")
    page.get_by_role("searchbox").press("Enter")
    expect(page.locator(".card__name")).to_have_count(3)

    page.get_by_text("Filter", exact=True).click()
    page.get_by_label("Price from").fill("30")
    page.get_by_role("button", name="Apply").click()
    page.get_by_label("Sort by").select_option("-price")
    page.get_by_role("button", name="Sort").click()

    expect(page.locator(".card__name")).to_have_text(["Lamp of glass", "Desk lamp"])
    page.get_by_role("link", name="€25 to €49.99").click()
    expect(page.locator(".card__name")).to_have_text(["Desk lamp"])
