"""Guests' orders on delivery that are confirmed by the link in their mail."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from products import tasks
from products.models import Order, Stock
from products.orders import claims, limits
from products.orders import services as orders
from products.orders.exceptions import StatusConflict, TooManyOrders
from products.stock import books
from tests.support.factories import make_order, make_shopper, make_user, make_variant

pytestmark = pytest.mark.django_db

BOARD = "/staff/orders/"


@pytest.fixture(autouse=True)
def confirming(settings) -> None:
    settings.GUEST_CONFIRM_MINUTES = 60


@pytest.fixture
def lamp():
    return make_variant(name="Brass lamp")


@pytest.fixture
def order(lamp) -> Order:
    return make_order({lamp: 2})


def link(mail) -> str:
    return re.search(r"/orders/confirm/[^\s]+/", mail.body)[0]


def reserved(variant) -> int:
    return Stock.objects.get(pk=variant.pk).reserved


def let_expire(order: Order) -> None:
    ago = timezone.now() - timedelta(seconds=1)
    Order.objects.filter(pk=order.pk).update(expires_at=ago)


def test_mail_asks_for_confirmation_and_repeats_nothing_the_guest_typed(
    order, mailoutbox
):
    [mail] = mailoutbox

    assert mail.subject == f"Please confirm your order {order.number}"
    assert "2 × Brass lamp" in mail.body
    assert order.access_token not in str(mail.message())
    assert "Ann Lee" not in str(mail.message())


def test_link_shows_a_page_and_its_button_confirms(client, order, lamp, mailoutbox):
    page = client.get(link(mailoutbox[0]))
    assert "Confirm order" in page.text
    order.refresh_from_db()
    assert order.awaits_confirmation  # mail programs follow links

    page = client.post(link(mailoutbox[0]), follow=True)

    assert "Your order is confirmed" in page.text
    assert "We have your order and will pack it next" in page.text
    order.refresh_from_db()
    assert order.confirmed_at and not order.awaits_confirmation
    assert mailoutbox[1].subject == f"Your order {order.number}"
    assert "Ann Lee" in mailoutbox[1].body
    assert reserved(lamp) == 2


def test_staff_get_a_mail_when_the_order_is_confirmed(settings, lamp, mailoutbox):
    settings.STAFF_ALERTS = settings.STAFF_ALERTS | {"orders": ["staff@example.com"]}
    order = make_order({lamp: 1})
    assert [mail.to for mail in mailoutbox] == [["ann@example.com"]]

    orders.confirm(order)

    assert ["staff@example.com"] in [mail.to for mail in mailoutbox]


def test_order_claimed_into_an_account_can_still_be_confirmed(
    client, order, mailoutbox
):
    Order.objects.filter(pk=order.pk).update(user=make_user())

    client.post(link(mailoutbox[0]))

    order.refresh_from_db()
    assert order.confirmed_at


def test_claiming_an_order_into_an_account_confirms_it(order, mailoutbox):
    anna = make_shopper(email="ann@example.com")

    assert claims.claim(anna) == 1

    order.refresh_from_db()
    assert order.confirmed_at and not order.awaits_confirmation
    assert mailoutbox[-1].subject == f"Your order {order.number}"


def test_claiming_an_order_too_late_confirms_nothing(order):
    let_expire(order)

    assert claims.claim(make_shopper(email="ann@example.com")) == 1

    order.refresh_from_db()
    assert order.awaits_confirmation
    assert tasks.expire_orders() == 1


def test_link_followed_again_leads_to_the_order(client, order, mailoutbox):
    path = link(mailoutbox[0])
    client.post(path)

    again = client.post(path, follow=True)

    assert "too late" not in again.text
    assert Client().get(path).url == f"/orders/{order}/"
    assert len(mailoutbox) == 2


@pytest.mark.parametrize("path", ["x", "ABCDEFGH:x", "\x00", "é", "9" * 500])
def test_wrong_link_confirms_nothing(client, order, path):
    for send in (client.get, client.post):
        page = send(f"/orders/confirm/{path}/")

        assert page.status_code == 404
    order.refresh_from_db()
    assert order.awaits_confirmation


def test_order_page_alone_cannot_confirm_the_order(client, order):
    client.get(f"/orders/{order}/?t={order.access_token}")

    page = client.get(f"/orders/{order}/")

    assert "Please confirm your order with the link in our email" in page.text
    assert "/orders/confirm/" not in page.text


def test_order_that_nobody_confirms_expires_without_another_mail(
    client, order, lamp, mailoutbox
):
    let_expire(order)

    page = client.post(link(mailoutbox[0]), follow=True)
    assert tasks.expire_orders() == 1

    assert "too late to confirm" in page.text
    order.refresh_from_db()
    assert order.status == Order.Status.EXPIRED
    assert reserved(lamp) == 0
    assert "wasn’t confirmed in time" in client.get(f"/orders/{order}/").text
    assert len(mailoutbox) == 1
    assert books.reconcile() == []


def test_order_cancelled_before_confirmation_sends_no_other_mail(order, mailoutbox):
    orders.cancel_by_shopper(order)

    assert len(mailoutbox) == 1


def test_unconfirmed_order_is_not_packed(order):
    with pytest.raises(StatusConflict, match="waiting for confirmation"):
        orders.pack(order, actor=make_user(is_staff=True))


def test_order_switched_to_delivery_is_confirmed_too(lamp, mailoutbox):
    order = orders.pay_on_delivery(make_order({lamp: 1}, method="stripe"))

    assert order.awaits_confirmation
    assert mailoutbox[-1].subject.startswith("Please confirm")


def test_shopper_who_switches_to_delivery_is_told_to_follow_the_link(client, lamp):
    order = make_order({lamp: 1}, method="stripe")
    client.get(f"/orders/{order}/?t={order.access_token}")

    page = client.post(f"/orders/{order}/pay-on-delivery/", follow=True)

    text = "We’ve sent an email to ann@example.com. Please follow the link"
    assert text in page.text


@pytest.mark.parametrize("minutes", [0, 60])
def test_guest_who_switches_to_delivery_has_used_up_the_same_limit(settings, minutes):
    settings.GUEST_CONFIRM_MINUTES = minutes
    settings.GUEST_OPEN_ORDERS_PER_EMAIL = 2
    visitor = limits.Visitor("203.0.113.5")
    for _n in range(2):
        order = make_order(method="stripe", visitor=visitor)
        orders.pay_on_delivery(order)

    for method in ("stripe", "delivery"):
        with pytest.raises(TooManyOrders):
            make_order(method=method, visitor=visitor)


def test_orders_of_accounts_and_by_card_need_no_confirmation(lamp):
    mine = make_order({lamp: 1}, user=make_user())
    paid = orders.pay(make_order({lamp: 1}, method="stripe"))

    assert not mine.awaits_confirmation and not paid.awaits_confirmation


def test_board_shows_unconfirmed_orders_apart_and_staff_may_confirm_them(client, order):
    client.force_login(make_user(is_staff=True, is_superuser=True))

    page = client.get(BOARD)
    assert "Waiting for payment or confirmation" in page.text
    assert "not confirmed" in page.text
    assert f"{BOARD}{order}/pack/" not in page.text

    client.post(f"{BOARD}{order}/confirm/")

    assert f"{BOARD}{order}/pack/" in client.get(BOARD).text
    client.post(f"{BOARD}{order}/pack/")
    order.refresh_from_db()
    assert order.status == Order.Status.PACKED


def test_without_the_setting_no_confirmation_is_needed(settings, lamp, mailoutbox):
    settings.GUEST_CONFIRM_MINUTES = 0

    order = make_order({lamp: 1})

    assert order.expires_at is None
    assert mailoutbox[0].subject == f"Your order {order.number}"
