"""Signing in and out."""

import pytest
from django.test import Client
from django.urls import reverse

from tests.factories import make_user

pytestmark = pytest.mark.django_db

LOGIN, LOGOUT = "/users/login/", "/users/logout/"


def sign_in(client, user, password="password", **data):
    return client.post(LOGIN, {"username": user.username, "password": password} | data)


def test_sign_in_with_the_right_password_greets_and_shows_the_name(client):
    user = make_user(username="anna")

    response = sign_in(client, user)
    page = client.get(response.url).text

    assert response.url == "/"
    assert "Good to see you, you are signed in." in page
    assert "anna" in page and "Sign out" in page


@pytest.mark.parametrize("password", ["wrong", "", "\x00", "x" * 5000])
def test_sign_in_with_a_wrong_password_says_so_and_signs_nobody_in(client, password):
    user = make_user()

    response = sign_in(client, user, password)

    assert response.status_code == 200
    assert 'class="field__error"' in response.text or 'role="alert"' in response.text
    assert "_auth_user_id" not in client.session


def test_sign_in_of_an_inactive_account_is_refused(client):
    sign_in(client, make_user(is_active=False))

    assert "_auth_user_id" not in client.session


def test_sign_in_returns_to_the_page_that_asked_for_it(client):
    response = sign_in(client, make_user(), next="/basket/")

    assert response.url == "/basket/"


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example"])
def test_sign_in_never_leads_out_of_the_shop(client, elsewhere):
    response = sign_in(client, make_user(), next=elsewhere)

    assert response.url == "/"


def test_sign_in_page_for_who_is_signed_in_leads_to_the_shop(client):
    client.force_login(make_user())

    assert client.get(LOGIN).url == "/"


def test_sign_in_from_another_site_is_refused():
    user = make_user()

    response = sign_in(Client(enforce_csrf_checks=True), user)

    assert response.status_code == 403


def test_sign_in_page_shows_the_form(client):
    page = client.get(LOGIN).text

    assert 'name="username"' in page and 'type="password"' in page
    assert "<title>Sign in ·" in page


def test_sign_out_takes_a_post(client):
    client.force_login(make_user())

    refused = client.get(LOGOUT)
    assert refused.status_code == 405
    assert "_auth_user_id" in client.session

    response = client.post(LOGOUT)
    assert response.url == reverse("products:index")
    assert "_auth_user_id" not in client.session
