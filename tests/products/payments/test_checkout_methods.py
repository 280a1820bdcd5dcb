"""Which ways to pay the checkout offers, and what costs nothing."""

from decimal import Decimal

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from products.models import Order, Variant
from products.orders import placing
from products.orders import services as orders
from products.orders.exceptions import MethodRefused
from products.stock import books
from tests.products.orders.test_checkout import CHECKOUT, GUEST, REVIEW, bring, fields
from tests.support.factories import (
    CONTACT,
    make_basket,
    make_order,
    make_shopper,
    make_variant,
    terms_of,
)

pytestmark = pytest.mark.django_db
Status, Method = Order.Status, Order.Method


def review(client: Client, variant: Variant) -> str:
    bring(client, {variant: 1})
    client.post(CHECKOUT, GUEST)
    return client.get(REVIEW).text


@pytest.mark.parametrize(
    "price, sentence",
    [
        ("0.10", "Card (Stripe): for orders from €0.50."),
        ("1000000", "up to €999,999.99."),
    ],
)
def test_review_of_what_stripe_does_not_take_offers_no_card_and_says_why(
    client, stripe, price, sentence
):
    page = review(client, make_variant(price=price))

    assert 'value="delivery"' in page
    assert 'value="stripe"' not in page
    assert sentence in page


def test_review_of_what_stripe_takes_offers_cards(client, stripe):
    assert 'value="stripe"' in review(client, make_variant(price="0.50"))


@pytest.mark.parametrize("method", [Method.STRIPE, Method.FREE])
def test_order_by_a_method_that_does_not_take_it_is_asked_again(client, stripe, method):
    page = review(client, make_variant(price="0.10"))

    response = client.post(REVIEW, fields(page) | {"method": method})

    assert response.status_code == 409
    assert "Please choose another way to pay" in response.text
    assert 'value="delivery"' in response.text
    assert not Order.objects.exists()


@pytest.mark.parametrize("method", [Method.STRIPE, Method.FREE])
def test_place_by_a_method_that_does_not_take_it_is_refused(method):
    basket = make_basket(lines={make_variant(price="0.10"): 1})
    fixed = {"seen": terms_of(basket), "language": "en"}

    with pytest.raises(MethodRefused):
        placing.place(basket, CONTACT, method=method, **fixed)

    assert not Order.objects.exists()


def test_price_that_leaves_the_limits_meanwhile_needs_another_method(client, stripe):
    variant = make_variant(price="1.00")
    page = review(client, variant)
    Variant.objects.filter(pk=variant.pk).update(price=Decimal("0.10"))

    response = client.post(REVIEW, fields(page) | {"method": Method.STRIPE})

    assert response.status_code == 409
    assert 'type="radio" name="method" value="delivery"' in response.text
    assert 'value="stripe"' not in response.text


# --- What costs nothing -----------------------------------------------------------


def test_free_order_asks_for_no_payment_and_is_packed_next(client, stripe):
    page = review(client, make_variant(price="0"))
    assert 'value="free"' in page and 'value="delivery"' not in page

    response = client.post(REVIEW, fields(page) | {"method": "free"}, follow=True)

    order = Order.objects.get()
    assert (order.status, order.method) == (Status.PAID, Method.FREE)
    assert order.expires_at is None
    assert "There’s nothing to pay." in response.text
    assert stripe.asked == []
    [sent] = mail.outbox
    assert "There’s nothing to pay." in sent.body


@pytest.mark.parametrize("method", Method.values)
def test_free_order_needs_no_payment_whatever_was_chosen(method):
    order = make_order({make_variant(price="0"): 1}, method=method)

    assert (order.status, order.method) == (Status.PAID, Method.FREE)


def test_free_order_goes_its_way_and_can_be_cancelled():
    staff = make_shopper(is_staff=True)
    order, other = (make_order({make_variant(price="0"): 1}) for _ in range(2))

    for step in (orders.pack, orders.ship, orders.deliver):
        order = step(order, actor=staff)
    orders.cancel_by_shopper(other)

    assert order.status == Status.DELIVERED
    assert books.reconcile() == []


def test_page_of_a_free_order_offers_no_payment(client):
    shopper = make_shopper()
    order = make_order({make_variant(price="0"): 1}, user=shopper)
    client.force_login(shopper)

    page = client.get(reverse("products:order", args=[order.number])).text

    assert "We have your order and will pack it next." in page
    assert reverse("products:order-pay", args=[order.number]) not in page
    assert "Pay on delivery instead" not in page
