"""Orders of a guest become a person's, once the address is proven to be theirs."""

import re

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from products import personal
from products.live.registry import registry
from products.models import Order
from products.orders import claims
from tests.support.concurrency import together
from tests.support.factories import CONTACT, make_order, make_shopper, make_user

pytestmark = pytest.mark.django_db

HISTORY, CLAIM = "/orders/", "/orders/claim/"


def guest_order(email: str = CONTACT.email, **fields) -> Order:
    order = make_order(**fields)
    Order.objects.filter(pk=order.pk).update(email=email)
    return order


def page_of(user) -> str:
    client = Client()
    client.force_login(user)
    return client.get(HISTORY).text


@pytest.mark.parametrize("email", ["ann@example.com", "ANN@Example.com"])
def test_claim_adds_a_guests_orders_of_the_verified_address(email):
    user = make_shopper(email="ann@example.com")
    order, other = guest_order(email), guest_order("ann@example.org")
    elses = guest_order(email, user=make_shopper())
    version = order.version

    number = claims.claim(user)

    order.refresh_from_db()
    assert number == 1 and list(user.orders.all()) == [order]
    assert order.version == version + 1 == order.events.last().version
    assert Order.objects.get(pk=other.pk).user is None
    assert Order.objects.get(pk=elses.pk).user != user
    assert claims.claim(user) == 0


def test_claim_without_a_verified_address_adds_nothing():
    guest_order()
    unverified = make_shopper(email="ann@example.com", verified=False)

    assert claims.claim(unverified) == 0
    assert "guest order" not in page_of(unverified)


def test_claim_by_an_address_verified_before_or_wished_for_adds_nothing():
    guest_order()
    user = make_shopper(email="bob@example.com")
    EmailAddress.objects.create(user=user, email="ann@example.com", verified=False)
    other = make_user(email="eve@example.com")
    EmailAddress.objects.create(user=other, email="ann@example.com", verified=True)

    assert claims.claim(user) == claims.claim(other) == 0


def test_claim_leaves_orders_of_a_deleted_account_alone():
    order = guest_order()
    personal.forget(make_user(), [])
    Order.objects.filter(pk=order.pk).update(departed_at=order.placed_at)

    assert claims.claim(make_shopper(email="ann@example.com")) == 0


def test_claimed_order_keeps_its_link_and_its_topic():
    user = make_shopper(email="ann@example.com")
    order = guest_order()
    guest = Client()
    path = f"/orders/{order.number}/"
    claims.claim(user)

    page = guest.get(path, {"t": order.access_token}, follow=True)

    assert page.status_code == 200 and order.number in page.text
    topic = f"order:{order.access_token}"
    [(version, facts)] = [
        (state.version, state.facts) for state in registry.load([topic]).values()
    ]
    assert (version, facts["status"]) == (order.version + 1, "pending")


def test_history_offers_a_guests_orders_and_adds_them(client):
    user = make_shopper(email="ann@example.com")
    orders = [guest_order() for _ in range(3)]
    client.force_login(user)

    offer = client.get(HISTORY)
    added = client.post(CLAIM, follow=True)

    assert "3 guest orders were placed with ann@example.com." in offer.text
    assert orders[0].number not in offer.text
    assert "3 orders have been added to your account." in added.text
    assert all(order.number in added.text for order in orders)
    assert "guest order" not in added.text
    assert "There are no orders to add." in client.post(CLAIM, follow=True).text


def test_claiming_takes_a_post_and_somebody_signed_in(client):
    assert client.post(CLAIM)["Location"].startswith("/users/login/")
    client.force_login(make_shopper())
    assert client.get(CLAIM).status_code == 405


def test_verification_tells_of_orders_placed_as_a_guest(client, mailoutbox):
    guest_order()
    user = make_shopper(email="ann@example.com", verified=False)
    client.force_login(user)
    client.post("/users/confirm-email/")
    link = re.search(r"/users/confirm-email/\S+/", mailoutbox[-1].body)[0]

    page = client.post(link, follow=True)

    assert user.orders.count() == 0, "not before they say so"
    assert "1 guest order was placed with this email address." in page.text
    assert f'<a href="{HISTORY}">Add to your account.</a>' in page.text


@pytest.mark.django_db(transaction=True)
def test_claims_at_once_add_each_order_once():
    user = make_shopper(email="ann@example.com")
    orders = [guest_order() for _ in range(3)]

    numbers = together([lambda: claims.claim(user)] * 3)

    assert sorted(numbers) == [0, 0, 3]
    for order in orders:
        assert order.events.filter(note__startswith="Added").count() == 1


@pytest.mark.django_db(transaction=True)
def test_order_goes_to_one_account_while_the_address_changes_hands():
    """The account that has the address verified when its row is locked decides."""
    first = make_shopper(email="ann@example.com")
    second = make_user(email="bob@example.com")
    order = guest_order()

    def hand_over() -> None:
        EmailAddress.objects.filter(user=first).update(verified=False)

    claimed, _none = together([lambda: claims.claim(first), hand_over])
    late = claims.claim(first) + claims.claim(second)

    assert late == 0
    assert (Order.objects.get(pk=order.pk).user == first) == bool(claimed)
