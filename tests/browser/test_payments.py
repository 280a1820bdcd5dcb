"""By card: to the provider's page and back, as people go."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from products.models import Order, Payment, Variant
from products.orders import services as orders
from tests.browser.pages import (
    bring_session,
    expect_no_reload,
    make_shopper,
    mark,
    wait_until_live,
)
from tests.support.factories import make_variant
from tests.support.http_server import serving
from tests.support.stripe_server import SECRET, StripeServer

CHECKOUT = "/checkout/"
ORDER = re.compile(r"/orders/[2-9A-Z]{8}/$")
PAY = re.compile("Pay .* now")
ADDRESS = {
    "email": "ann@example.com",
    "full_name": "Ann Lee",
    "line1": "High Street 1",
    "postcode": "12345",
    "city": "Port",
}


@pytest.fixture(scope="module")
def stripe() -> Iterator[StripeServer]:
    with serving(StripeServer()) as server:
        yield server


@pytest.fixture(scope="module")
def till(make_daphne, stripe):
    """A shop that takes cards."""
    keys = {
        "STRIPE_SECRET_KEY": "sk_test_of_the_tests",
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "STRIPE_API_BASE": stripe.url,
    }
    server = make_daphne(**keys)
    stripe.hook = f"{server.url}/payments/stripe/webhook/"
    return server


@pytest.fixture
def lamp(transactional_db) -> Variant:
    return make_variant(name="Lamp", price="4.00", on_hand=5)


def now(page: Page):
    return page.locator('.journey [aria-current="step"]')


def order_by_card(page: Page) -> None:
    page.goto(CHECKOUT)
    for name, value in ADDRESS.items():
        page.locator(f"input[name={name}]").fill(value)
    page.get_by_label("Country").select_option("DE")
    page.get_by_role("button", name="Continue to review").click()
    page.get_by_label("card (Stripe)", exact=False).check()
    page.get_by_role("button", name="Place order").click()


def at_provider(page: Page, stripe: StripeServer) -> None:
    expect(page).to_have_url(re.compile(f"^{re.escape(stripe.url)}/pay/"))


def test_guest_pays_by_card_and_both_their_pages_move(visit, till, stripe, lamp):
    page = visit("/basket/", at=till, basket={lamp: 2})
    order_by_card(page)
    at_provider(page, stripe)
    order = Order.objects.get()
    other = page.context.new_page()
    other.goto(f"{till.url}/orders/{order.number}/")
    wait_until_live(other)
    expect(now(other)).to_have_text("Placed")
    mark(other)

    page.get_by_role("button", name="Pay by card").click()

    expect(page).to_have_url(ORDER)
    for tab in (page, other):
        expect(now(tab)).to_have_text("Paid")
    expect_no_reload(other)
    expect(other.get_by_role("button", name=PAY)).to_be_hidden()
    assert Payment.objects.get().status == Payment.Status.PAID


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_shopper_who_turns_back_pays_again_on_the_same_page(
    visit, till, stripe, lamp, scripts
):
    page = visit("/basket/", at=till, basket={lamp: 1}, java_script_enabled=scripts)
    order_by_card(page)
    at_provider(page, stripe)
    address = page.url

    page.get_by_role("link", name="Back to the shop").click()
    expect(page).to_have_url(ORDER)
    expect(now(page)).to_have_text("Placed")
    page.get_by_role("button", name=PAY).click()
    expect(page).to_have_url(address)
    page.get_by_role("button", name="Pay by card").click()

    expect(page).to_have_url(ORDER)
    expect(now(page)).to_have_text("Paid")
    assert Payment.objects.count() == 1


def test_staff_see_that_a_late_payment_was_given_back(visit, till, stripe, lamp):
    page = visit("/basket/", at=till, basket={lamp: 1})
    order_by_card(page)
    at_provider(page, stripe)
    order = Order.objects.get()
    boss = make_shopper("boss", is_staff=True, is_superuser=True)
    staff = visit(live=False, at=till)
    bring_session(staff.context, till.url, boss)
    orders.cancel(order)

    page.get_by_role("button", name="Pay by card").click()

    expect(page).to_have_url(ORDER)
    expect(page.locator(".journey__now")).to_contain_text("cancelled")
    assert len(stripe.refunds) == 1
    staff.goto(f"/staff/orders/{order.number}/")
    expect(staff.locator("main")).to_contain_text("The payment was refunded.")


def test_refund_at_the_provider_moves_the_shoppers_page_and_the_board(
    visit, till, stripe, lamp
):
    page = visit("/basket/", at=till, basket={lamp: 1})
    order_by_card(page)
    at_provider(page, stripe)
    page.get_by_role("button", name="Pay by card").click()
    expect(now(page)).to_have_text("Paid")
    wait_until_live(page)
    order = Order.objects.get()
    staff = visit(live=False, at=till)
    boss = make_shopper("boss", is_staff=True, is_superuser=True)
    bring_session(staff.context, till.url, boss)
    staff.goto("/staff/orders/")
    wait_until_live(staff)
    card = f'.order[data-key="{order.number}"]'
    expect(staff.locator(f"#list-paid {card}")).to_be_visible()
    for tab in (page, staff):
        mark(tab)

    session = list(stripe.sessions.values())[-1]
    refund = stripe.refund_at_dashboard(session, 400)
    stripe.tell(stripe.told("refund.created", refund))

    expect(page.locator(".journey__now")).to_contain_text("Your payment was refunded")
    expect(page.locator(".journey__money")).to_contain_text("€4.00 of €4.00")
    expect(staff.locator(f"#list-hold {card}")).to_contain_text("refunded")
    for tab in (page, staff):
        expect_no_reload(tab)
