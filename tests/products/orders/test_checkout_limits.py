"""What a visitor is told who holds or orders too much without an account."""

import pytest
from django.test import Client

from products.basket import holds
from products.models import Basket, HoldSpell, Order
from products.stock import services as stocks
from tests.products.orders.test_checkout import CHECKOUT, GUEST, REVIEW, bring, fields
from tests.products.orders.test_limits import hold_on, pass_time, reserved
from tests.support.factories import make_shopper, make_variant

pytestmark = pytest.mark.django_db


def order(client: Client, token: str, **contact):
    """All of the checkout, of a guest with a basket of that token."""
    bring(client, {make_variant(): 1}, token)
    client.get(CHECKOUT)
    client.post(CHECKOUT, GUEST | contact)
    return client.post(REVIEW, fields(client.get(REVIEW).text))


def visitor(address: str) -> Client:
    return Client(REMOTE_ADDR=address)


def test_a_checkout_that_was_held_too_long_goes_on_without_a_hold(client):
    lamp = make_variant(on_hand=5)
    basket = bring(client, {lamp: 2})
    client.get(CHECKOUT)
    client.post(CHECKOUT, GUEST)
    hold_on(basket, 27)
    pass_time(4)

    page = client.get(REVIEW)

    assert page.status_code == 200
    assert "We can reserve them for you again in 14 minutes." in page.text
    assert reserved(lamp) == 0

    response = client.post(REVIEW, fields(page.text))

    assert response.status_code == 303 and reserved(lamp) == 2


def test_a_checkout_without_a_hold_says_what_is_left(client):
    lamp = make_variant(on_hand=5)
    basket = bring(client, {lamp: 2})
    client.get(CHECKOUT)
    hold_on(basket, 27)
    pass_time(4)
    holds.release_lapsed()
    stocks.claim({lamp.pk: 4})

    page = client.get(CHECKOUT)

    assert page.status_code == 409
    assert "Take the last one" in page.text


def test_order_over_the_limit_is_refused_and_nothing_is_lost(settings, mailoutbox):
    settings.GUEST_OPEN_ORDERS_PER_EMAIL = 1
    order(visitor("203.0.113.5"), "first")
    client = visitor("198.51.100.7")
    mails = len(mailoutbox)

    page = order(client, "second", line1="Low Street 2")

    assert page.status_code == 429
    assert "You can order again when one of them is delivered" in page.text
    assert f'href="/users/login/?next={REVIEW}"' in page.text
    assert Order.objects.count() == 1 and len(mailoutbox) == mails
    assert holds.is_held(Basket.objects.open().get())
    assert "Low Street 2" in client.get(REVIEW).text

    user = make_shopper()
    form = {"login": user.email, "password": "password", "next": REVIEW}
    review = client.post("/users/login/", form, follow=True)

    assert client.post(REVIEW, fields(review.text)).status_code == 303
    assert Order.objects.filter(user=user).count() == 1


def test_orders_in_a_row_stop_with_the_time_to_come_back(settings):
    settings.GUEST_ORDERS_PER_HOUR = 2
    settings.GUEST_OPEN_ORDERS_PER_EMAIL = settings.GUEST_OPEN_ORDERS_PER_ADDRESS = 0
    client = visitor("203.0.113.5")

    pages = [order(client, "mine", email=f"ann{n}@example.com") for n in range(3)]

    assert [page.status_code for page in pages] == [303, 303, 429]
    assert pages[2]["Retry-After"] == "3600"
    assert "You can order again in an hour" in pages[2].text


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.5", "203.0.113.5", True),
        ("127.0.0.1", "127.0.0.1", False),
        ("::1", "::1", False),
        ("unix:", "", False),
    ],
)
def test_orders_of_one_network_count_together(settings, one, other, same):
    settings.GUEST_ORDERS_PER_NETWORK = 1
    order(visitor(one), "first")

    page = order(visitor(other), "second", email="b@example.com", line1="B 2")

    assert page.status_code == (429 if same else 303)


def test_network_is_the_address_that_the_outermost_trusted_proxy_saw(settings):
    settings.TRUSTED_PROXY_COUNT = 1
    client = Client(headers={"X-Forwarded-For": "10.9.9.9, 203.0.113.5"})

    order(client, "first")

    assert Order.objects.get().network == "203.0.113.5"


def test_hold_records_its_network():
    client = visitor("203.0.113.5")
    bring(client, {make_variant(): 1})

    client.get(CHECKOUT)

    assert HoldSpell.objects.get().network == "203.0.113.5"


def test_mail_to_a_guest_repeats_nothing_that_the_guest_typed(mailoutbox):
    client = visitor("203.0.113.5")
    spam = {"full_name": "Buy pills", "line1": "spam.example", "city": "Spamtown"}

    order(client, "first", **spam)
    client.post(f"/orders/{Order.objects.get().number}/cancel/")

    assert len(mailoutbox) == 2
    for mail in mailoutbox:
        text = str(mail.message())
        assert not any(word in text for word in spam.values())
