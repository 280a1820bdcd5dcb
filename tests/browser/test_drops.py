"""Drops in a browser: one frame for everybody, and each page knows its own place."""

import re

from playwright.sync_api import Page, expect

from products.demo.loading import staff_permissions
from products.drops import steps
from products.drops.states import Turn
from products.models import Drop
from tests.browser.looks import expect_good_in_all_looks
from tests.browser.pages import (
    bring_session,
    expect_no_reload,
    make_shopper,
    mark,
    wait_until_live,
)
from tests.support.drops import at_place, buy, join, later, make_drop
from tests.support.factories import make_options, make_picture, make_variant

THREE_DAYS_LATE = "const now = Date.now; Date.now = () => now() + 3 * 86400000;"


def take_ticket(page: Page) -> None:
    page.get_by_role("button", name="Take a ticket").click()
    page.get_by_role("heading", name="You have a ticket").wait_for()
    wait_until_live(page)
    mark(page)


def start(drop: Drop) -> Drop:
    Drop.objects.update(starts_at=later(0))
    steps.step(drop.pk)
    return Drop.objects.get(pk=drop.pk)


def test_countdown_of_a_drop_goes_by_the_server(visit):
    drop = make_drop(in_s=7200)

    page = visit(
        drop.get_absolute_url(),
        prepare=lambda page: page.add_init_script(THREE_DAYS_LATE),
    )

    expect(page.locator(".drop__clock b")).to_have_text(
        re.compile(r"^0[12]:\d\d:\d\d$")
    )


def test_person_waits_and_buys_without_reloading(visit):
    variant = make_variant(on_hand=2, image=make_picture())
    drop = make_drop(variant, in_s=3600, admitted_at_once=1)
    others = join(drop, 1)
    page = visit(drop.get_absolute_url())
    expect_good_in_all_looks(page)
    take_ticket(page)
    expect_good_in_all_looks(page)
    (mine,) = drop.tickets.exclude(token=others[0].token)
    numbers = drop.tickets.order_by("pk")
    assert len(numbers) == 2

    drop = start(drop)

    # The shuffle decides who is first. The other one gives up, or waits.
    mine.refresh_from_db()
    if mine.place == 2:
        expect(page.get_by_text("Your place in the line: 2")).to_be_visible()
        expect(page.locator("dd[data-ahead]")).to_have_text("0")
        expect_good_in_all_looks(page)
        buy(at_place(drop, 1), variant)
        steps.step(drop.pk)
    expect(page.get_by_role("heading", name="It’s your turn")).to_be_visible()
    expect(page.locator("[data-spoken]")).to_have_text("It’s your turn.")
    expect_no_reload(page)
    expect_good_in_all_looks(page)
    page.get_by_role("button", name="Reserve and check out").click()
    page.wait_for_url("**/checkout/")
    assert drop.tickets.get(pk=mine.pk).state == Turn.ADMITTED


def test_everybody_hears_that_nothing_is_left(visit):
    variant = make_variant(on_hand=1)
    drop = make_drop(variant, in_s=3600)
    owners = join(drop, 1)
    drop = start(drop)
    page = visit(drop.get_absolute_url())
    page.get_by_role("button", name="Take a ticket").click()
    steps.step(drop.pk)
    expect(page.get_by_text("Your place in the line: 2")).to_be_visible()
    wait_until_live(page)
    mark(page)

    buy(owners[0], variant)
    steps.step(drop.pk)

    expect(page.get_by_text("Sold out", exact=True)).to_be_visible()
    expect(page.get_by_text("Your place in the line: 2")).to_be_hidden()
    expect(page.locator("[data-spoken]")).to_have_text("Sold out.")
    expect_no_reload(page)
    expect_good_in_all_looks(page)


def test_person_without_a_script_takes_part(visit):
    small, large = make_options(
        *({"option_values": ["S"]}, {"option_values": ["L"]}), names=["Size"]
    )
    drop = make_drop(product=small.product, in_s=3600, per_person=2)
    page = visit(drop.get_absolute_url(), java_script_enabled=False)
    page.get_by_role("button", name="Take a ticket").click()
    expect(page.get_by_role("heading", name="You have a ticket")).to_be_visible()
    refresh = page.locator('meta[http-equiv="refresh"]')
    assert refresh.get_attribute("content") == "10"

    start(drop)
    page.reload()
    page.get_by_label("Variant").select_option(str(large.pk))
    page.get_by_label("Quantity").fill("2")
    page.get_by_role("button", name="Reserve and check out").click()

    assert page.url.endswith("/checkout/")
    large.stock.refresh_from_db()
    assert large.stock.reserved == 2


def test_staff_see_the_room_move(visit, daphne):
    variant = make_variant(on_hand=5)
    drop = make_drop(variant, in_s=3600, admitted_at_once=2)
    join(drop, 4)
    drop = start(drop)
    packer = make_shopper("packer", is_staff=True)
    packer.user_permissions.set(staff_permissions())

    page = visit("/drops/")
    bring_session(page.context, daphne.url, packer)
    page.goto(f"/staff/drops/{drop.slug}/")
    wait_until_live(page)
    mark(page)
    expect_good_in_all_looks(page)
    buy(at_place(drop, 1), variant)
    steps.step(drop.pk)

    expect(page.locator('[data-fact="bought"]')).to_have_text("1")
    expect(page.locator('[data-fact="waiting"]')).to_have_text("1")
    expect_no_reload(page)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Nobody else is let in")).to_be_visible()
