"""The shop under a path, in a browser that notes every address it asks for."""

import re

import pytest
from playwright.sync_api import Page, expect

from products.models import Order, Stock, Variant
from products.stock import services as stocks
from tests.browser.pages import (
    another_tab,
    badge,
    buy,
    expect_no_reload,
    fill_sign_in,
    line,
    make_shopper,
    mark,
    stock,
    wait_until_live,
)
from tests.support.factories import make_picture, make_variant
from tests.support.servers import Daphne

PATH = "/shop"
ADDRESS = {
    "email": "ann@example.com",
    "full_name": "Ann Lee",
    "line1": "High Street 1",
    "postcode": "12345",
    "city": "Port",
}


@pytest.fixture(scope="module")
def under(make_daphne) -> Daphne:
    """A shop under a path. What its pages show was pushed."""
    return make_daphne(UnderPath, LIVE_AUDIT_S="600", LIVE_HEARTBEAT_S="20")


class UnderPath(Daphne):
    path = PATH


@pytest.fixture
def lamp(transactional_db) -> Variant:
    return make_variant(slug="lamp", name="Lamp", image=make_picture(), on_hand=2)


@pytest.fixture
def urls(under) -> list[str]:
    """The addresses that pages have asked for, sockets too."""
    return []


@pytest.fixture
def enter(visit, under, urls):
    """`enter(path)`: a new visitor opens a page below the path."""

    def prepare(page: Page) -> None:
        page.context.on("request", lambda request: urls.append(request.url))
        page.context.on("page", lambda tab: tab.on("websocket", note_socket))
        page.on("websocket", note_socket)

    def note_socket(socket) -> None:
        urls.append(socket.url.replace("ws", "http", 1))

    def open_page(path: str = "/", **options) -> Page:
        return visit(PATH + path, at=under, prepare=prepare, **options)

    return open_page


def outside(under: Daphne, urls: list[str]) -> set[str]:
    """What was asked for elsewhere."""
    return {
        url for url in urls if not url.startswith((f"{under.url}/", "data:", "blob:"))
    }


def test_a_guest_fills_a_basket_and_orders_under_the_path(enter, under, urls, lamp):
    page = enter("/products/")
    other = another_tab(page, f"{PATH}/products/lamp/")
    mark(other)

    buy(page, lamp).click()
    expect(badge(page)).to_have_text("1")
    expect(badge(other)).to_have_text("1")
    stocks.receive(lamp.pk, 1)
    expect(stock(other, lamp)).to_contain_text("Only 3 left")
    expect_no_reload(other)

    page.goto(f"{PATH}/basket/")
    wait_until_live(page)
    expect(line(page, lamp)).to_be_visible()
    page.get_by_role("link", name="Go to checkout").click()
    for name, value in ADDRESS.items():
        page.locator(f"input[name={name}]").fill(value)
    page.get_by_label("Country").select_option("DE")
    page.get_by_role("button", name="Continue to review").click()
    page.get_by_role("button", name="Place order").click()

    expect(page).to_have_url(re.compile(rf"{PATH}/orders/[2-9A-Z]{{8}}/$"))
    assert Order.objects.get().email == ADDRESS["email"]
    assert Stock.objects.get(pk=lamp.pk).reserved == 1
    assert f"{under.url}/ws/" in urls
    assert outside(under, urls) == set()


def test_a_shopper_searches_signs_in_and_out_under_the_path(enter, under, urls, lamp):
    make_shopper(is_staff=True, is_superuser=True)
    page = enter()
    other = another_tab(page, f"{PATH}/products/")

    page.get_by_role("searchbox").or_(page.get_by_role("combobox")).first.fill("lam")
    page.get_by_role("option").first.click()
    expect(page).to_have_url(f"{under.url}/products/lamp/")
    page.get_by_role("link", name="Sign in").first.click()
    fill_sign_in(page, "shopper")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    expect(other.get_by_role("button", name="Sign out")).to_be_visible()
    cookies = {each["name"]: each["path"] for each in page.context.cookies()}
    assert {"shop-sessionid", "shop-csrftoken"} <= cookies.keys()
    assert set(cookies.values()) == {f"{PATH}/"}

    for path in ("/users/profile/", "/staff/orders/", "/admin/"):
        page.goto(f"{PATH}{path}")
    page.goto(f"{PATH}/admin/products/stock/{lamp.pk}/change/")
    wait_until_live(page)
    stocks.receive(lamp.pk, 2)
    expect(page.locator(f'[data-topic="shelf:{lamp.pk}"]')).to_contain_text("4")
    page.goto(f"{PATH}/")
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{under.url}/")
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()
    assert outside(under, urls) == set()


def test_page_that_is_not_there_leads_back_to_the_shop(enter, under, urls, complaints):
    page = enter("/nowhere/")

    page.get_by_role("main").get_by_role("link").first.click()

    assert page.url.startswith(f"{under.url}/")
    assert outside(under, urls) == set()
    complaints.forgive()  # the 404


def test_shop_is_not_led_astray_by_another_at_the_same_host(
    enter, visit, under, daphne, lamp
):
    """Both are open in one browser: neither signs the other out, nor fills its basket.
    (Cookies know no port.)"""
    page = enter("/products/")
    root = page.context.new_page()
    root.goto(f"{daphne.url}/products/")
    wait_until_live(root)

    buy(root, lamp).click()
    expect(badge(root)).to_have_text("1")
    buy(page, lamp).click()
    expect(badge(page)).to_have_text("1")

    for tab, shop in ((page, under), (root, daphne)):
        tab.goto(f"{shop.url}/basket/")
        wait_until_live(tab)
        expect(badge(tab)).to_have_text("1")
