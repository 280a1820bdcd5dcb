"""Where `next` may lead, in every form that takes it."""

import pytest
from django.urls import reverse

from products.models import BasketLine, Order
from tests.support.factories import make_order, make_shopper, make_user, make_variant

pytestmark = pytest.mark.django_db

NO_PAGES = [
    *("", " ", "foo", "basket/", "./", "../basket/", "?x", "#top", "products:index"),
    *("//evil.example/", "///evil.example/", "/\\evil.example", "\\\\evil.example"),
    *("https://evil.example/", "http:evil.example", "javascript:alert(1)", "http://["),
    *("http://testserver@evil.example/", "http://testserver:99/", "//testserver]/"),
    *("/\x00", "\x00/", "/\t/evil.example", "/a\r\nSet-Cookie: a=b", "\u202e/basket/"),
    *("/nowhere/", "/%", "/products/../nowhere/", "/" + "a" * 5000, "/?q=" + "é" * 900),
    *("/basket/update/", "/basket/add/1/"),  # forms only
]
PAGES = [
    *(
        "/",
        "/basket/",
        "/basket",
        "/products/?q=brass lamp&q=é#top",
        "/products/?q=l%C3%A9",
    ),
    *("http://testserver/basket/", "/products/?next=//evil.example/"),
]


@pytest.fixture
def staff(client):
    user = make_user(is_staff=True, is_superuser=True)
    client.force_login(user)
    return client


def add(client, target: str):
    address = reverse("products:basket-add", args=[make_variant().pk])
    return client.post(address, {"next": target})


@pytest.mark.parametrize("target", NO_PAGES)
def test_basket_form_whose_next_is_no_page_adds_and_leads_to_the_basket(client, target):
    response = add(client, target)

    assert (response.status_code, response.url) == (302, "/basket/")
    assert BasketLine.objects.count() == 1


@pytest.mark.parametrize("target", PAGES)
def test_basket_form_leads_to_the_page_it_asks_for(client, target):
    response = add(client, target)

    assert response.status_code == 302
    assert response.url.split("?")[0] == target.split("?")[0]


@pytest.mark.parametrize("target", NO_PAGES)
def test_staff_form_whose_next_is_no_page_moves_the_order_and_shows_it(staff, target):
    order = make_order()

    response = staff.post(f"/staff/orders/{order.number}/pack/", {"next": target})

    assert (response.status_code, response.url) == (302, f"/staff/orders/{order}/")
    order.refresh_from_db()
    assert order.status == Order.Status.PACKED


@pytest.mark.parametrize("target", NO_PAGES)
def test_sign_in_and_out_whose_next_is_no_page_lead_to_the_shop(client, target):
    user = make_shopper()
    form = {"login": user.email, "password": "password", "next": target}

    came = client.post("/users/login/", form)
    again = client.get("/users/login/", {"next": target})
    left = client.post("/users/logout/", {"next": target})
    gone = client.get("/users/logout/", {"next": target})

    assert [r.status_code for r in (came, again, left, gone)] == [302] * 4
    assert {r.url for r in (came, again, left, gone)} == {"/"}


def test_sign_in_whose_next_is_the_sign_in_page_ends(client):
    client.force_login(make_shopper())

    response = client.get("/users/login/", {"next": "/users/login/"}, follow=True)

    assert response.redirect_chain[-1] == ("/", 302)
