"""A shopper's orders: whose page it is, what it shows, what can be done there."""

from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from products.models import Order, Stock, TaxRate
from products.orders import emails
from products.orders import services as orders
from products.orders.models import Status
from tests.support.factories import make_order, make_user, make_variant, make_variants

pytestmark = pytest.mark.django_db


def page_of(order: Order) -> str:
    return reverse("products:order", args=[order.number])


def cancel_of(order: Order) -> str:
    return reverse("products:order-cancel", args=[order.number])


def hold(client: Client, order: Order, token: str = "") -> None:
    """As the checkout leaves it in a guest's session."""
    session = client.session
    session["orders"] = {order.number: token or order.access_token}
    session.save()


@pytest.fixture
def order() -> Order:
    """A guest's."""
    return make_order({make_variant(name="Brass <lamp>", price="12.50"): 2})


@pytest.fixture
def shopper(client):
    user = make_user()
    client.force_login(user)
    return user


# --- Whose it is ------------------------------------------------------------------


def test_owner_sees_lines_total_address_payment_and_status(client, shopper):
    order = make_order({make_variant(name="Lamp", price="12.50"): 2}, user=shopper)

    response = client.get(page_of(order))

    assert response.status_code == 200
    for text in ("Lamp", "2 × €12.50", "€25.00", "High Street 1", "On delivery"):
        assert text in response.text
    assert f'data-topic="order:{order.access_token}" data-version="1"' in response.text
    assert '<meta name="robots" content="noindex">' in response.text
    assert "no-store" in response["Cache-Control"]
    assert response["Referrer-Policy"] == "same-origin"


def test_page_shows_the_taxes_that_were_agreed(client, order):
    hold(client, order)
    TaxRate.objects.update(percent=1)

    text = client.get(page_of(order)).text

    assert "<dt>Includes 19% VAT</dt><dd>€3.99</dd>" in text
    assert "<dt>Subtotal</dt><dd>€25.00</dd>" in text


def test_guest_sees_an_order_of_their_session(client, order):
    hold(client, order)

    response = client.get(page_of(order))

    assert response.status_code == 200
    assert "Brass &lt;lamp&gt;" in response.text


def test_link_in_the_mail_opens_the_order_at_an_address_without_the_token(
    client, order
):
    parts = urlsplit(emails.order_link(order))

    response = client.get(f"{parts.path}?{parts.query}")

    assert response.status_code == 302
    assert response["Location"] == page_of(order)
    assert "no-store" in response["Cache-Control"]
    assert client.get(response["Location"]).status_code == 200


def test_link_to_one_order_keeps_access_to_earlier_orders(client, order):
    other = make_order()
    for each in (order, other):
        client.get(page_of(each), {"t": each.access_token})

    assert {client.get(page_of(o)).status_code for o in (order, other)} == {200}


@pytest.mark.parametrize("token", ["", "wrong", "ä", "\x00", "x" * 5000])
def test_wrong_token_gives_the_same_404_as_an_unknown_number(client, order, token):
    there = client.get(page_of(order), {"t": token})
    nowhere = client.get("/orders/ZZZZZZZZ/", {"t": token})

    assert there.status_code == nowhere.status_code == 404
    assert there.text.replace(order.number, "ZZZZZZZZ") == nowhere.text
    assert "orders" not in client.session


@pytest.mark.parametrize("who", ["nobody", "another", "staff", "wrong token"])
def test_order_of_somebody_else_is_not_found(client, who):
    order = make_order(user=make_user())
    if who in ("another", "staff"):
        client.force_login(make_user(is_staff=who == "staff"))
    elif who == "wrong token":
        hold(client, order, "x" * 32)

    answers = [client.get(page_of(order)), client.post(cancel_of(order))]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert Order.objects.get().status == Status.PENDING
    assert client.get("/orders/ZZZZZZZZ/").status_code == 404


@pytest.mark.parametrize(
    "number", ["x", "ZZZZZZZZZ", "ÄÄÄÄÄÄÄÄ", "%00%00", "'%20or%201"]
)
def test_nonsense_for_a_number_is_404(client, number):
    assert client.get(f"/orders/{number}/").status_code == 404
    assert client.get(f"/orders/{number}/?t=x").status_code == 404
    assert client.post(f"/orders/{number}/cancel/").status_code == 404


# --- Where it is ------------------------------------------------------------------


def steps(text: str) -> list[str]:
    """The timeline's steps: "Placed done", "Packed now", …"""
    parts = text.split('<li class="journey__step journey__step--')[1:]
    return [
        f"{part.split('<span>')[1].split('<')[0]} {part.split(chr(34))[0]}"
        for part in parts
    ]


def test_timeline_follows_the_order(client, order):
    staff = make_user(is_staff=True)
    hold(client, order)

    def seen() -> list[str]:
        return steps(client.get(page_of(order)).text)

    ahead = ["Packed ahead", "On its way ahead", "Delivered ahead"]
    assert seen() == ["Placed now", *ahead]
    orders.pack(order, actor=staff)
    assert seen() == ["Placed done", "Packed now", *ahead[1:]]
    orders.ship(order, actor=staff)
    orders.deliver(order, actor=staff)
    done = ["Placed done", "Packed done", "On its way done"]
    assert seen() == [*done, "Delivered now"]


def test_order_to_be_paid_says_until_when_and_has_a_step_for_it(client):
    order = make_order(method=Order.Method.STRIPE)
    hold(client, order)

    response = client.get(page_of(order))

    assert steps(response.text)[:2] == ["Placed now", "Paid ahead"]
    until = timezone.localtime(order.expires_at)
    assert f"Waiting for your payment until {until:%H:%M} UTC." in response.text


def test_order_that_ended_early_shows_no_steps_ahead(client, order):
    hold(client, order)
    orders.cancel(order)

    assert steps(client.get(page_of(order)).text) == ["Placed done", "Cancelled now"]


# --- Cancelling -------------------------------------------------------------------


def test_shopper_cancels_and_the_units_go_back_once(client, order):
    hold(client, order)
    assert cancel_of(order) in client.get(page_of(order)).text

    for answer in (
        "Your order has been cancelled.",
        "Your order has already been cancelled.",
    ):
        response = client.post(cancel_of(order), follow=True)
        assert answer in response.text

    assert Order.objects.get().status == Status.CANCELLED
    assert Stock.objects.get().reserved == 0
    assert cancel_of(order) not in response.text


def test_packed_order_is_too_late_to_cancel(client, order):
    hold(client, order)
    packer = make_user(is_staff=True, username="secret-packer")
    orders.pack(order, actor=packer)

    response = client.post(cancel_of(order), follow=True)

    assert "It’s too late to cancel. Your order is already “packed”." in response.text
    assert "secret-packer" not in response.text
    assert cancel_of(order) not in response.text
    assert Order.objects.get().status == Status.PACKED


def test_cancelling_takes_a_token_of_the_form(order):
    client = Client(enforce_csrf_checks=True)
    hold(client, order)

    assert client.post(cancel_of(order)).status_code == 403
    assert Order.objects.get().status == Status.PENDING


# --- All of them ------------------------------------------------------------------


def placed(user, quantity: int) -> None:
    """Rows as they would be, in two queries."""
    variant = make_variant(on_hand=1)
    fields = {"method": "delivery", "goods": 5, "total": 5, "currency": "EUR"}
    rows = Order.objects.bulk_create(
        Order(user=user, language="en", **fields) for _ in range(quantity)
    )
    price = {"name": "Lamp", "unit_price": "2.50", "quantity": 2, "amount": "5.00"}
    rows[0].lines.model.objects.bulk_create(
        rows[0].lines.model(order=row, variant=variant, **price) for row in rows
    )


def test_history_has_pages_of_the_shoppers_own_orders(client, shopper):
    placed(shopper, 25)
    foreign = make_order(user=make_user())

    pages = [client.get("/orders/", {"page": page}) for page in (1, 2)]

    assert [len(page.context["orders"]) for page in pages] == [20, 5]
    assert all(foreign.number not in page.text for page in pages)
    assert "2 items" in pages[0].text and "€5.00" in pages[0].text


def test_history_needs_an_account_and_the_profile_links_to_it(client):
    assert client.get("/orders/")["Location"] == "/users/login/?next=/orders/"

    client.force_login(make_user())

    assert "haven’t ordered anything yet" in client.get("/orders/").text
    assert client.get("/users/profile/").text.count('href="/orders/"') == 2


@pytest.mark.parametrize("quantity", [10, 1000])
def test_history_stays_within_its_budget_of_queries(
    client, shopper, quantity, django_assert_max_num_queries
):
    placed(shopper, quantity)

    with django_assert_max_num_queries(8):
        response = client.get("/orders/")

    assert len(response.context["orders"]) == min(quantity, 20)


@pytest.mark.parametrize("quantity", [1, 60])
def test_order_stays_within_its_budget_of_queries(
    client, shopper, quantity, django_assert_max_num_queries
):
    placed(shopper, 1000)
    order = make_order(dict.fromkeys(make_variants(quantity), 1), user=shopper)

    with django_assert_max_num_queries(8):
        response = client.get(page_of(order))

    assert response.text.count('class="good"') == quantity
