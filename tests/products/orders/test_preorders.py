"""Orders of units that are not here yet."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from django.utils.formats import date_format

from products.basket import holds
from products.live import baskets as live
from products.live.viewers import Owner
from products.models import Basket, Order, Stock, Variant
from products.orders import placing, preorders
from products.orders import services as orders
from products.orders.exceptions import GoodsNotHere, TermsChanged
from products.stock import services as stock
from tests.products.orders.test_checkout import CHECKOUT, PLACE, REVIEW, fields
from tests.products.staff.test_board import make_clerk
from tests.support.concurrency import together
from tests.support.factories import (
    CONTACT,
    make_basket,
    make_order,
    make_owner,
    make_shopper,
    make_user,
    make_variant,
    terms_of,
)
from users.models import User

pytestmark = pytest.mark.django_db

SOON = timezone.localdate() + timedelta(days=30)
LATER = SOON + timedelta(days=14)
TEXT = f"Preorder: ships from {date_format(SOON, 'DATE_FORMAT')}"


@pytest.fixture
def clerk() -> User:
    return make_user(is_staff=True)


def make_preorder(on_hand: int = 0, limit: int = 9) -> Variant:
    variant = make_variant(on_hand=on_hand)
    preorders.offer(variant.pk, limit, SOON)
    return variant


# --- What was agreed --------------------------------------------------------------


@pytest.mark.parametrize("units, day", [(2, None), (3, SOON)])
def test_order_of_more_than_is_here_notes_when_it_ships(units, day):
    order = make_order({make_preorder(on_hand=2): units})

    assert order.lines.get().ships_from == day
    assert Order.objects.get(pk=order.pk).ships_from == day
    assert order.facts.get("ships_from") == (day and day.isoformat())


def test_order_ships_when_the_last_of_its_lines_does():
    early, late, here = make_preorder(), make_preorder(), make_variant()
    preorders.offer(late.pk, 9, LATER)

    order = make_order({early: 1, late: 1, here: 1})

    assert order.ships_from == LATER


def test_shopper_sees_the_day_from_the_basket_to_the_mail(client, mailoutbox):
    shopper = make_shopper()
    client.force_login(shopper)
    make_basket(Owner(user_id=shopper.pk), {make_preorder(on_hand=1): 2})

    pages = [client.get("/basket/")]
    client.post(CHECKOUT, PLACE)
    pages.append(client.get(REVIEW))
    client.post(REVIEW, fields(pages[-1].text))
    order = Order.objects.get()
    pages.append(client.get(f"/orders/{order.number}/"))

    assert [page.text.count(TEXT) > 0 for page in pages] == [True] * 3
    mail = mailoutbox[-1]
    html = mail.alternatives[0].content
    assert (TEXT in mail.body, TEXT in html) == (True, True)


def test_order_of_what_is_here_says_nothing_of_preorders(client):
    shopper = make_shopper()
    client.force_login(shopper)
    order = make_order({make_preorder(on_hand=2): 2}, user=shopper)

    assert "Preorder" not in client.get(f"/orders/{order.number}/").text


def test_board_and_the_page_of_staff_say_when_it_ships():
    order = make_order({make_preorder(): 1})
    browser = Client()
    browser.force_login(make_clerk("view_order", "change_order"))

    assert TEXT in browser.get("/staff/orders/").text
    assert TEXT in browser.get(f"/staff/orders/{order.number}/").text


def test_units_that_are_gone_meanwhile_must_be_agreed_to_as_a_preorder():
    variant = make_preorder(on_hand=2)
    basket = holds.start(make_basket(make_owner(), {variant: 2}))
    seen = terms_of(basket)
    holds.give_up(basket)
    stock.claim({variant.pk: 1})

    with pytest.raises(TermsChanged) as refusal:
        place(basket, seen)

    (change,) = refusal.value.seen.changes(refusal.value.now)
    assert (change.before.ships_from, change.after.ships_from) == ("", SOON.isoformat())
    assert place(basket, refusal.value.now).ships_from == SOON


def place(basket: Basket, seen) -> Order:
    method = Order.Method.DELIVERY
    return placing.place(basket, CONTACT, seen=seen, method=method, language="en")


def test_hold_keeps_the_day_that_was_shown():
    variant = make_preorder()
    basket = holds.start(make_basket(make_owner(), {variant: 1}))
    seen = terms_of(basket)

    preorders.offer(variant.pk, 9, LATER)

    assert place(basket, seen).ships_from == SOON


def test_basket_that_is_not_held_shows_the_day_as_it_is_now():
    variant = make_preorder(on_hand=1)
    owner = make_owner()
    make_basket(owner, {variant: 2})
    days = [live.contents(owner).facts["lines"][0].get("ships_from")]

    preorders.offer(variant.pk, 9, LATER)
    days.append(live.contents(owner).facts["lines"][0].get("ships_from"))
    stock.receive(variant.pk, 1)
    days.append(live.contents(owner).facts["lines"][0].get("ships_from"))

    assert days == [SOON.isoformat(), LATER.isoformat(), None]


# --- Another day ------------------------------------------------------------------


def test_shoppers_are_mailed_the_new_day_except_at_an_address_nobody_confirmed(
    settings, mailoutbox
):
    settings.GUEST_CONFIRM_MINUTES = 60
    variant = make_preorder()
    order = make_order({variant: 1}, user=make_shopper())
    make_order({variant: 1})
    mailoutbox.clear()

    preorders.offer(variant.pk, 9, LATER)

    (mail,) = mailoutbox
    assert mail.subject == f"Another day for order {order.number}"
    day = date_format(LATER, "DATE_FORMAT")
    assert day in mail.body and day in mail.alternatives[0].content


def test_orders_that_wait_follow_when_staff_change_the_day(clerk):
    variant = make_preorder(on_hand=1)
    here, waiting = make_order({variant: 1}), make_order({variant: 1})
    gone = orders.cancel(make_order({variant: 1}))

    preorders.offer(variant.pk, 9, LATER, actor=clerk)

    waiting.refresh_from_db()
    assert (waiting.ships_from, waiting.version) == (LATER, 2)
    note = waiting.events.get(version=2)
    assert note.actor == clerk
    assert date_format(LATER, "DATE_FORMAT") in note.note
    for other in (here, gone):
        version = other.version
        other.refresh_from_db()
        assert other.version == version
    assert gone.lines.get().ships_from == SOON


def test_day_that_stays_moves_no_order():
    variant = make_preorder()
    order = make_order({variant: 1})

    preorders.offer(variant.pk, 5, SOON)

    order.refresh_from_db()
    assert order.version == 1


# --- Packing ----------------------------------------------------------------------


def test_order_is_packed_when_its_goods_are_here(clerk):
    variant = make_preorder()
    order = make_order({variant: 2})

    for _ in range(2):
        with pytest.raises(GoodsNotHere, match="is not here yet"):
            orders.pack(order, actor=clerk)
        order.refresh_from_db()
        assert (order.status, order.version) == ("pending", 1)
        stock.receive(variant.pk, 1)
    packed = orders.pack(order, actor=clerk)

    assert packed.ships_from is None
    orders.ship(packed, actor=clerk)
    row = Stock.objects.get(pk=variant.pk)
    assert (row.on_hand, row.reserved) == (0, 0)


def test_preorder_leaves_units_to_those_who_bought_them_as_in_stock(clerk):
    variant = make_preorder(on_hand=2)
    bought, preordered = make_order({variant: 2}), make_order({variant: 2})

    with pytest.raises(GoodsNotHere):
        orders.pack(preordered, actor=clerk)

    orders.pack(bought, actor=clerk)
    with pytest.raises(GoodsNotHere):
        orders.pack(preordered, actor=clerk)
    stock.receive(variant.pk, 2)
    orders.pack(preordered, actor=clerk)


def test_preorder_leaves_units_to_a_checkout_that_holds_them(clerk):
    variant = make_preorder(on_hand=1)
    holder = holds.start(make_basket(make_owner(), {variant: 1}))
    preordered = make_order({variant: 1})

    with pytest.raises(GoodsNotHere):
        orders.pack(preordered, actor=clerk)

    holds.give_up(holder)
    orders.pack(preordered, actor=clerk)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_one_of_two_preorders_is_packed_with_the_units_of_one(attempt):
    variant, clerk = make_preorder(), make_user(is_staff=True)
    both = [make_order({variant: 1}) for _ in range(2)]
    stock.receive(variant.pk, 1)

    ends = together([lambda o=o: orders.pack(o, actor=clerk) for o in both])

    assert sorted(type(end).__name__ for end in ends) == ["GoodsNotHere", "Order"]
    call_command("reconcile")


def test_board_says_why_an_order_is_not_packed():
    order = make_order({make_preorder(): 1})
    browser = Client()
    browser.force_login(make_clerk("view_order", "change_order"))

    page = browser.post(f"/staff/orders/{order.number}/pack/", follow=True)

    assert "is not here yet" in page.text


def test_packing_without_preorders_takes_one_query_more_than_the_move(
    clerk, django_assert_num_queries
):
    order = make_order({make_variant(): 1})

    with django_assert_num_queries(1):
        orders.packing.check_goods(order)


def test_order_that_is_paid_late_becomes_a_preorder():
    variant = make_preorder(on_hand=1)
    order = make_order({variant: 1}, method=Order.Method.STRIPE)
    Order.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    orders.expire_overdue()
    stock.claim({variant.pk: 1})
    order.refresh_from_db()

    revived = orders.revive(order)

    assert revived.lines.get().ships_from == SOON
