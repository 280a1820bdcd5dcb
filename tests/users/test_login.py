"""Signing in and out."""

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.test import Client
from django.urls import reverse

from tests.support.factories import make_shopper, make_user
from users.adapters import UNKNOWN_IP, AccountAdapter

pytestmark = pytest.mark.django_db

LOGIN, LOGOUT = "/users/login/", "/users/logout/"
GREETING = "Welcome back. You’re signed in."
REFUSAL = "Incorrect email, username or password."


def sign_in(client, login, password="password", **data):
    return client.post(LOGIN, {"login": login, "password": password} | data)


def is_in(client) -> bool:
    return "_auth_user_id" in client.session


# --- In ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "login", ["anna", "ANNA", "anna@example.com", "Anna@Example.com"]
)
def test_sign_in_by_user_name_or_email_greets_once(client, login):
    make_shopper(username="anna", email="anna@example.com")

    response = sign_in(client, login)
    page = client.get(response.url).text

    assert response.url == "/"
    assert is_in(client)
    assert page.count(GREETING) == 1
    assert "anna" in page and "Sign out" in page


def test_sign_in_is_listed_among_the_sessions(client):
    user = make_shopper()

    sign_in(client, user.email)

    assert UserSession.objects.get().user == user
    assert UserSession.objects.get().session_key == client.session.session_key


@pytest.mark.parametrize("remember, lasts", [({"remember": "on"}, True), ({}, False)])
def test_sign_in_lasts_longer_than_the_browser_only_when_asked(client, remember, lasts):
    sign_in(client, make_shopper().email, **remember)

    assert client.session.get_expire_at_browser_close() is not lasts


def test_sign_in_of_an_unverified_person_explains_how_to_verify(client):
    response = sign_in(client, make_shopper(verified=False).email)
    page = client.get(response.url).text

    assert is_in(client)
    assert "You haven’t verified your email address yet" in page
    assert f'<a href="{reverse("users:verification-resend")}">' in page


def test_sign_in_of_a_verified_person_does_not_mention_verification(client):
    response = sign_in(client, make_shopper().email)

    assert "haven’t verified" not in client.get(response.url).text


def test_sign_in_before_the_second_factor_greets_nobody(client):
    user = make_shopper()
    kind = Authenticator.Type.TOTP
    Authenticator.objects.create(user=user, type=kind, data={"secret": "x"})

    response = sign_in(client, user.email)

    assert response.url == "/users/2fa/authenticate/"
    assert not is_in(client)
    page = client.get(response.url).text
    assert GREETING not in page
    assert "<title>Two-step verification ·" in page  # allauth's view drops the context


def test_sign_in_page_tells_browsers_what_each_field_is_for(client):
    page = client.get(LOGIN)
    fields = page.context["form"].fields

    assert list(fields) == ["login", "password", "remember"]
    assert fields["login"].widget.attrs["autocomplete"] == "username"
    assert fields["password"].widget.attrs["autocomplete"] == "current-password"
    assert "Email or username" in page.text
    assert "<title>Sign in ·" in page.text


# --- Refused ----------------------------------------------------------------------


@pytest.mark.parametrize("password", ["wrong", "", "\x00", "x" * 5000])
def test_sign_in_with_a_wrong_password_says_so_and_signs_nobody_in(client, password):
    response = sign_in(client, make_shopper().email, password)

    assert response.status_code == 200
    assert response.context["form"].errors
    assert not is_in(client)


def refusals(client) -> dict[str, tuple]:
    """Return the answers to sign-ins that fail, by case."""
    known, gone = make_shopper(), make_shopper(is_active=False)
    tries = {
        "wrong password": (known.email, "wrong"),
        "wrong password, by name": (known.username, "wrong"),
        "unknown": ("nobody@example.com", "password"),
        "unknown, by name": ("nobody", "password"),
        "deactivated": (gone.email, "password"),
        "deactivated, by name": (gone.username, "password"),
        "deactivated, wrong password": (gone.email, "wrong"),
    }
    return {
        case: lambda args=args: sign_in(client, *args) for case, args in tries.items()
    }


def test_sign_in_that_fails_shows_the_same_message_for_each_reason(client):
    answers = {case: attempt() for case, attempt in refusals(client).items()}

    messages = {
        case: r.context["form"].non_field_errors() for case, r in answers.items()
    }
    assert messages == {case: [REFUSAL] for case in answers}
    assert {r.status_code for r in answers.values()} == {200}
    assert not is_in(client)


def test_sign_in_that_fails_hashes_one_password_for_each_reason(client, hashed):
    counts = {case: hashed(attempt) for case, attempt in refusals(client).items()}

    assert counts == {case: 1 for case in counts}


def test_sign_in_from_another_site_is_refused():
    response = sign_in(Client(enforce_csrf_checks=True), make_shopper().email)

    assert response.status_code == 403


# --- Where to ---------------------------------------------------------------------


def test_sign_in_returns_to_the_page_that_asked_for_it(client):
    assert 'value="/basket/"' in client.get(f"{LOGIN}?next=/basket/").text

    response = sign_in(client, make_shopper().email, next="/basket/")

    assert response.url == "/basket/"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "https://other.shop.example/",
        "http:///evil.example",
    ],
)
def test_sign_in_never_leads_out_of_the_shop(client, settings, elsewhere):
    settings.ALLOWED_HOSTS = ["testserver", ".shop.example"]

    response = sign_in(client, make_shopper().email, next=elsewhere)

    assert is_in(client)
    assert response.url == "/"


def test_sign_in_page_redirects_signed_in_visitors_to_the_shop(client):
    client.force_login(make_user())

    assert client.get(LOGIN).url == "/"
    assert client.get(f"{LOGIN}?next=/basket/").url == "/basket/"
    assert client.get(f"{LOGIN}?next=//evil.example/").url == "/"


# --- Where from -------------------------------------------------------------------


@pytest.mark.parametrize("address", ["", None, "unix:"])
def test_sign_in_without_a_network_address_works(client, address):
    """As behind a web server that speaks to the shop through a Unix socket."""
    user = make_shopper()
    client.defaults["REMOTE_ADDR"] = address

    sign_in(client, user.email)

    assert is_in(client)
    assert UserSession.objects.get().ip == UNKNOWN_IP


def test_client_ip_is_the_network_address(rf):
    request = rf.get("/", REMOTE_ADDR="203.0.113.7")

    assert AccountAdapter().get_client_ip(request) == "203.0.113.7"


# --- Out --------------------------------------------------------------------------


def test_sign_out_requires_a_post(client):
    client.force_login(make_user())

    page = client.get(LOGOUT)
    assert 'method="post"' in page.text and "<title>Sign out ·" in page.text
    assert is_in(client)

    response = client.post(LOGOUT)
    assert response.url == reverse("products:index")
    assert not is_in(client)
    assert client.get("/").text.count("You have signed out.") == 1


@pytest.mark.parametrize(
    "elsewhere, url", [("/basket/", "/basket/"), ("//evil.example", "/")]
)
def test_sign_out_leads_on_within_the_shop(client, elsewhere, url):
    client.force_login(make_user())

    assert client.post(LOGOUT, {"next": elsewhere}).url == url
