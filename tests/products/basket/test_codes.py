"""The form for a code on the basket's page, and a code that fails at the checkout."""

import pytest
from django.test import Client
from django.urls import reverse

from products.models import Basket, Discount, Order
from products.orders.limits import email_key
from products.pricing import guesses
from tests.products.orders.test_checkout import CHECKOUT, GUEST, REVIEW, bring, fields
from tests.support.factories import make_discount, make_order, make_variant

pytestmark = pytest.mark.django_db
BASKET, CODE = reverse("products:basket"), reverse("products:basket-code")
JSON = {"accept": "application/json"}


@pytest.fixture
def basket(client) -> Basket:
    """A guest's, with four lamps at 12.50."""
    return bring(client, {make_variant(price="12.50"): 4})


def enter(client: Client, code: str = "spring") -> str:
    return client.post(CODE, {"code": code}, follow=True).text


def review(client: Client) -> dict[str, str]:
    """Open the review page; return its form."""
    client.get(CHECKOUT)
    client.post(CHECKOUT, GUEST)
    return fields(client.get(REVIEW).text)


def test_code_is_applied_and_removed_without_javascript(client, basket):
    make_discount()

    page = enter(client)

    assert "We’ve added the code SPRING to your basket." in page
    assert "Discount (SPRING)" in page and "−€5.00" in page and "€45.00" in page

    page = client.post(CODE, {"remove-code": "1"}, follow=True).text

    assert "We’ve removed the code." in page
    assert "Discount (SPRING)" not in page and 'name="code"' in page


@pytest.mark.parametrize(
    "code, changes, error",
    [
        ("", {}, "Enter a code."),
        ("SPRUNG", {}, "We don’t know this code."),
        ("SPRING", {"uses": 1, "uses_limit": 1}, "The code SPRING is used up."),
    ],
)
def test_wrong_code_says_why(client, basket, code, changes, error):
    make_discount(**changes)

    assert error in enter(client, code)

    answer = client.post(CODE, {"code": code}, headers=JSON)
    assert answer.status_code == 422
    assert error in answer.json()["messages"][0]["text"]


def test_code_below_its_minimum_is_accepted_and_says_what_it_needs(client, basket):
    make_discount(minimum="60")

    assert "The code SPRING is for goods from €60.00." in enter(client)


def test_answer_to_the_script_has_the_discount(client, basket):
    make_discount()

    answer = client.post(
        CODE, {"code": "SPRING", "parts": "basket:lines"}, headers=JSON
    )

    (facts,) = (i[2] for i in answer.json()["items"] if i[0] == "basket:lines")
    assert (facts["discount"], facts["code"]["code"]) == ("5.00", "SPRING")


def test_guesses_are_limited_and_a_right_code_is_not_counted(client, basket):
    make_discount()
    for _turn in range(guesses.PER_OWNER + 1):
        assert "We’ve added the code" in enter(client)

    for _turn in range(guesses.PER_OWNER):
        assert "We don’t know this code." in enter(client, "WRONG")

    assert "Too many wrong codes. Please try again later." in enter(client)


def test_guesses_of_new_sessions_count_for_their_network(client, monkeypatch):
    monkeypatch.setattr(guesses, "PER_NETWORK", 2)
    limits = guesses.limits_of("tguess-a", "192.0.2.77")
    guesses.count(limits)
    guesses.count(limits)

    with pytest.raises(guesses.TooManyCodes):
        guesses.count(guesses.limits_of("tguess-b", "192.0.2.77"))


def test_order_with_a_code_names_it_on_its_page(client, basket):
    make_discount()
    enter(client)

    page = client.post(REVIEW, review(client), follow=True).text

    assert Order.objects.get().discount_name == "SPRING"
    assert "Discount (SPRING)" in page


def test_code_that_ends_before_placing_is_a_409_that_says_why(client, basket):
    discount = make_discount(uses_limit=5)
    enter(client)
    form = review(client)
    Discount.objects.filter(pk=discount.pk).update(uses=5)

    page = client.post(REVIEW, form)

    assert page.status_code == 409
    assert "The code SPRING is used up." in page.text
    assert "€45.00" in page.text and "€50.00" in page.text
    assert client.post(REVIEW, fields(page.text)).status_code != 409
    assert Order.objects.get().discount == 0


def test_code_that_a_guest_has_used_is_a_409_that_says_why(client, basket):
    discount = make_discount(uses_each=1)
    enter(client)
    form = review(client)
    other = make_order()
    Order.objects.filter(pk=other.pk).update(email=GUEST["email"])
    discount.orders.create(order=other, person=email_key(GUEST["email"]))

    page = client.post(REVIEW, form)

    assert page.status_code == 409
    assert "You’ve already used the code SPRING." in page.text
    assert client.post(REVIEW, fields(page.text)).status_code != 409
    assert Order.objects.exclude(pk=other.pk).get().discount == 0
