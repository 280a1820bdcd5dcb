"""An order's page moves by itself, and so does that of a product that was sold out."""

import pytest
from playwright.sync_api import Page, expect

from products.models import Order, Variant, Waiting
from products.orders import emails
from products.orders import services as orders
from products.stock import services as stock
from products.waiting import services as waiting
from tests.browser.looks import expect_good_in_all_looks
from tests.browser.pages import (
    bring_session,
    buy,
    expect_no_reload,
    make_shopper,
    mark,
    messages,
    wait_until_live,
)
from tests.support.factories import make_order, make_user, make_variant
from tests.support.servers import wait_until


@pytest.fixture
def order(transactional_db) -> Order:
    """A guest's, to be paid by card."""
    variants = {make_variant(name="Brass lamp"): 2, make_variant(name="Vase"): 1}
    return make_order(variants, method=Order.Method.STRIPE)


@pytest.fixture
def packer(transactional_db):
    return make_user(is_staff=True)


def link(order: Order) -> str:
    """The one in the mail, without the shop's address."""
    return "/orders/" + emails.order_link(order).partition("/orders/")[2]


def news(page: Page):
    return page.locator(".journey__now")


def now(page: Page):
    return page.locator('.journey [aria-current="step"]')


def cancel(page: Page):
    return page.locator("summary", has_text="Cancel order")


def do_cancel(page: Page) -> None:
    cancel(page).click()
    page.get_by_role("button", name="Yes, cancel order").click()


def test_order_moves_through_its_states_on_two_devices(visit, daphne, order, packer):
    pages = [visit(link(order)), visit(link(order))]
    for page in pages:
        assert page.url == f"{daphne.url}/orders/{order.number}/"
        expect(now(page)).to_have_text("Placed")
        expect(cancel(page)).to_be_visible()
        mark(page)

    steps = [
        (lambda: orders.pay(order), "Paid", "We’ve received your payment"),
        (lambda: orders.pack(order, actor=packer), "Packed", "Your parcel is packed"),
        (lambda: orders.ship(order, actor=packer), "On its way", "is on its way"),
        (
            lambda: orders.deliver(order, actor=packer),
            "Delivered",
            "has been delivered",
        ),
    ]
    for move, step, sentence in steps:
        move()
        for page in pages:
            expect(now(page)).to_have_text(step)
            expect(news(page)).to_contain_text(sentence)
            expect(cancel(page)).to_be_visible(visible=step == "Paid")

    for page in pages:
        expect_no_reload(page)
        expect(page.locator(".order-status")).to_have_attribute("aria-live", "polite")


def test_what_one_device_cancels_the_other_shows(visit, order):
    phone, desk = visit(link(order)), visit(link(order))
    mark(desk)

    cancel(phone).click()
    expect_good_in_all_looks(phone)
    cancel(phone).click()
    do_cancel(phone)

    expect(messages(phone)).to_contain_text("Your order has been cancelled.")
    expect(news(desk)).to_contain_text("This order has been cancelled")
    expect(cancel(desk)).to_be_hidden()
    expect_no_reload(desk)


def test_a_page_that_has_missed_the_packing_is_told_that_it_is_too_late(
    visit, order, packer
):
    page = visit(link(order), java_script_enabled=False)
    orders.pay(order)
    orders.pack(order, actor=packer)

    do_cancel(page)

    expect(messages(page)).to_contain_text("too late to cancel")
    expect(cancel(page)).to_have_count(0)
    expect(now(page)).to_have_text("Packed")


def test_wrong_link_shows_nothing_of_the_order(visit, order, complaints):
    page = visit(live=False)
    answer = page.goto(f"/orders/{order.number}/?t=wrong")

    assert answer.status == 404
    expect(page.locator("main")).not_to_contain_text("Brass lamp")
    complaints.forgive()  # of the 404


def test_order_and_history_are_good_to_look_at(visit, daphne, order, packer):
    page = visit(link(order))
    expect_good_in_all_looks(page)
    orders.pay(order)
    orders.pack(order, actor=packer)
    expect(now(page)).to_have_text("Packed")
    expect_good_in_all_looks(page)

    shopper = make_shopper()
    for _ in range(3):
        mine = make_order(user=shopper)
    orders.cancel(mine)
    bring_session(page.context, daphne.url, shopper)
    for path in ("/orders/", f"/orders/{mine.number}/"):
        page.goto(path)
        wait_until_live(page)
        expect_good_in_all_looks(page)


# --- Back in stock ----------------------------------------------------------------


@pytest.fixture
def lamp(transactional_db) -> Variant:
    """Sold out."""
    variant = make_variant(name="Lamp", on_hand=1)
    stock.claim({variant.pk: 1})
    return variant


def ask(page: Page):
    return page.get_by_role("button", name="Email me when it’s back")


def test_page_says_that_it_is_back_to_who_asked(visit, lamp, settings):
    page, other = visit(lamp.get_absolute_url()), visit(lamp.get_absolute_url())
    expect_good_in_all_looks(page)
    page.get_by_label("Email address").fill("ann@example.com")
    ask(page).click()
    expect(messages(page)).to_contain_text(
        "We’ll email you when Lamp is back in stock."
    )
    wait_until_live(page)
    expect_good_in_all_looks(page)
    back = page.get_by_text("First come, first served.")
    expect(back).to_be_hidden()
    for each in (page, other):
        mark(each)

    stock.receive(lamp.pk, 2)

    expect(back).to_be_visible()
    expect(buy(page, lamp)).to_be_enabled()
    expect(ask(other)).to_be_hidden()
    expect(other.get_by_text("First come, first served.")).to_have_count(0)
    for each in (page, other):
        expect_no_reload(each)
    waits = Waiting.objects.open()
    wait_until(lambda: not waits.exists(), "the page to say that it was read", 8)
    settings.WAITING_PATIENCE_S = 0
    assert waiting.tell_all() == 0, "no mail, too"


def test_who_has_left_the_page_gets_a_mail(visit, lamp, settings):
    page = visit(lamp.get_absolute_url())
    page.get_by_label("Email address").fill("ann@example.com")
    ask(page).click()
    expect(messages(page)).to_contain_text("We’ll email you")
    page.goto("/")
    wait_until_live(page)

    stock.receive(lamp.pk, 1)

    settings.WAITING_PATIENCE_S = 0
    assert waiting.tell_all() == 1


def test_offer_to_tell_comes_when_it_sells_out(visit, transactional_db):
    lamp = make_variant(on_hand=1)
    page = visit(lamp.get_absolute_url())
    expect(ask(page)).to_be_hidden()

    stock.claim({lamp.pk: 1})

    expect(ask(page)).to_be_visible()
