"""Signing in with a provider: keys, and providers that answer badly or lie.

What a browser sees of a provider in order is in tests/browser/test_oauth.py.
"""

import json
import logging
import os
import re
import subprocess
import time
from collections.abc import Iterator
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.core import mail
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from tests.support import fork_server
from tests.support.factories import make_shopper, make_user
from tests.support.http_server import serving
from tests.support.provider.broken import (
    CLIENT_ID,
    HANG,
    BrokenProvider,
)
from users import verification
from users.models import User
from users.oauth import adapters
from users.oauth.adapters import SocialAccountAdapter

pytestmark = pytest.mark.django_db

START, CALLBACK = "/users/oidc/sso/login/", "/users/oidc/sso/login/callback/"
CONNECTIONS, SIGNUP = "/users/3rdparty/", "/users/3rdparty/signup/"
SENT, CODE = "/users/confirm-email/", "/users/reauthenticate/code/"
CONFIGURATION = "/.well-known/openid-configuration"
OTHERS = ["/users/github/login/", "/users/google/login/"]
KEYS = {"client_id": CLIENT_ID, "secret": "s"}


# --- Keys -------------------------------------------------------------------------


def settings_with(**environment: str) -> subprocess.CompletedProcess[str]:
    """Run a process with this environment that prints its providers."""
    program = (
        "import json; from django.conf import settings;"
        "print(json.dumps(settings.SOCIALACCOUNT_PROVIDERS))"
    )
    ours = {"DJANGO_SETTINGS_MODULE": "project.settings"}
    return fork_server.run(["-c", program], os.environ | ours | environment)


def test_settings_take_the_keys_of_each_provider():
    done = settings_with(
        **{f"OAUTH_{name}_ID": f"{name} id" for name in ("GITHUB", "GOOGLE", "OIDC")},
        **{f"OAUTH_{name}_SECRET": "s" for name in ("GITHUB", "GOOGLE", "OIDC")},
        OAUTH_OIDC_URL="https://id.example/realm/",
        OAUTH_OIDC_NAME="Harbour ID",
    )

    values = json.loads(done.stdout)
    apps = {name: provider["APPS"] for name, provider in values.items()}
    assert apps["github"] == [{"client_id": "GITHUB id", "secret": "s"}]
    assert apps["google"] == [{"client_id": "GOOGLE id", "secret": "s"}]
    assert apps["openid_connect"] == [
        {
            "client_id": "OIDC id",
            "secret": "s",
            "provider_id": "sso",
            "name": "Harbour ID",
            "settings": {"server_url": "https://id.example/realm"},
        }
    ]
    assert all(provider["OAUTH_PKCE_ENABLED"] for provider in values.values())
    assert values["github"]["SCOPE"] == ["user:email"]
    assert values["google"]["SCOPE"] == ["profile", "email"]


@pytest.mark.parametrize(
    "environment, message",
    [
        ({"OAUTH_GITHUB_ID": "x"}, "OAUTH_GITHUB_ID and OAUTH_GITHUB_SECRET"),
        ({"OAUTH_GOOGLE_SECRET": "x"}, "OAUTH_GOOGLE_ID and OAUTH_GOOGLE_SECRET"),
        ({"OAUTH_OIDC_URL": "https://id.example"}, "OAUTH_OIDC_URL goes with"),
        ({"OAUTH_OIDC_ID": "x", "OAUTH_OIDC_SECRET": "x"}, "OAUTH_OIDC_URL goes with"),
    ],
)
def test_settings_with_half_of_the_keys_are_refused(environment, message):
    done = settings_with(**environment)

    assert done.returncode
    (line,) = done.stderr.splitlines()
    assert message in line


@pytest.mark.parametrize("method", ["get", "post", "head"])
@pytest.mark.parametrize("path", [*OTHERS, START, "/users/google/login/token/"])
@pytest.mark.parametrize("end", ["", "callback/?code=x&state=x"])
def test_provider_without_keys_is_not_there(client, settings, path, end, method):
    settings.SOCIALACCOUNT_PROVIDERS = {}

    response = getattr(client, method)(f"{path}{end}")

    assert response.status_code in (404, 405)
    assert not client.session.get("socialaccount_states")


def test_provider_without_keys_has_no_button(client, settings):
    settings.SOCIALACCOUNT_PROVIDERS = {"github": {"APPS": [KEYS]}}
    assert "/users/github/login/" in client.get("/users/login/").text

    settings.SOCIALACCOUNT_PROVIDERS = {"github": {"APPS": []}}

    assert "/users/github/login/" not in client.get("/users/login/").text


# --- To the provider --------------------------------------------------------------


@pytest.fixture
def provider(settings) -> Iterator[BrokenProvider]:
    with serving(BrokenProvider()) as provider:
        app = KEYS | {"provider_id": "sso", "name": "Harbour ID"}
        app["settings"] = {"server_url": provider.url}
        settings.SOCIALACCOUNT_PROVIDERS = {
            "openid_connect": {"APPS": [app], "OAUTH_PKCE_ENABLED": True},
            "github": {"APPS": [KEYS], "OAUTH_PKCE_ENABLED": True},
        }
        settings.SOCIALACCOUNT_REQUESTS_TIMEOUT = 0.8
        yield provider


def leave(client: Client, path: str = START, **query: str) -> dict[str, str]:
    """Start the sign-in, and return the parameters that are sent to the provider."""
    response = client.post(path, query_params=query)
    assert response.status_code == 200, response
    url = re.search('http-equiv="refresh" content="0; url=(.*?)"', response.text)[1]
    parameters = parse_qs(urlsplit(unescape(url)).query)
    return {name: values[0] for name, values in parameters.items()}


def come_back(client: Client, query: dict[str, str]) -> HttpResponse:
    return client.get(CALLBACK, {"code": "c", "state": query["state"]})


def come(client: Client, **query: str) -> HttpResponse:
    """Go to the provider and come back."""
    return come_back(client, leave(client, **query))


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def expect_failed(response: HttpResponse, message: str, caplog) -> None:
    """Assert an error page, one line in the log, and no user in the database."""
    assert response.status_code == 401
    assert message in response.text and "Back to sign in" in response.text
    assert len(caplog.records) == 1, caplog.text
    assert "\n" not in caplog.records[0].getMessage()
    assert not User.objects.exists() and not SocialAccount.objects.exists()


@pytest.fixture(autouse=True)
def warnings(caplog) -> None:
    caplog.set_level(logging.WARNING)


def test_start_sends_state_pkce_and_the_shops_own_callback(client, provider, settings):
    settings.DOMAIN_NAME = "https://shop.example"

    query = leave(client)

    assert query["redirect_uri"] == f"https://shop.example{CALLBACK}"
    assert (
        query["code_challenge_method"] == "S256" and len(query["code_challenge"]) > 40
    )
    assert len(query["state"]) >= 16
    assert set(query["scope"].split()) == {"openid", "profile", "email"}


def test_start_requests_the_scopes_that_the_shop_needs_from_github(
    client, provider, settings
):
    settings.DOMAIN_NAME = "https://shop.example"
    settings.SOCIALACCOUNT_PROVIDERS["github"]["SCOPE"] = ["user:email"]

    query = leave(client, OTHERS[0])

    assert query["redirect_uri"] == "https://shop.example/users/github/login/callback/"
    assert query["scope"] == "user:email" and "code_challenge" in query


def test_start_ignores_parameters_of_a_link_for_the_provider(client, provider):
    evil = {"scope": "repo", "auth_params": "state=x&redirect_uri=https://evil.example"}

    query = leave(client, **evil)

    assert "repo" not in query["scope"]
    assert query["redirect_uri"].startswith("http://localhost:8000/")
    assert query["state"] != "x"


def test_start_by_get_asks_for_confirmation(client, provider):
    response = client.get(START)

    assert response.status_code == 200 and "Go to Harbour ID" in response.text
    assert provider.asked == [] and not client.session.get("socialaccount_states")


def test_start_from_another_site_is_refused(provider):
    response = Client(enforce_csrf_checks=True).post(START)

    assert response.status_code == 403
    assert provider.asked == []


def test_start_of_connecting_requires_a_sign_in(client, provider):
    response = client.post(START, query_params={"process": "connect"})

    assert response.status_code == 302
    assert response.url.startswith("/users/login/?next=")
    assert provider.asked == []


@pytest.mark.parametrize("next_page", ["https://evil.example/", "//evil.example"])
def test_next_never_leads_out_of_the_shop(client, provider, next_page):
    assert come(client, next=next_page).url == "/"


def test_next_is_kept(client, provider):
    assert come(client, next="/basket/").url == "/basket/"


# --- Providers that answer badly --------------------------------------------------

AWAY, ANSWER = "isn’t responding at the moment", "a response that we can’t accept"


@pytest.mark.parametrize(
    "answer, message",
    [
        (HANG, AWAY),
        ((500, b"boom"), ANSWER),
        ((200, b"<html>"), ANSWER),
        ((200, b"[1]"), ANSWER),
        ((200, b"{}"), ANSWER),
        ((200, b"[" * 100_000), ANSWER),
        ((200, {"authorization_endpoint": "javascript:alert(1)"}), ANSWER),
    ],
)
def test_start_with_a_bad_answer_of_the_provider_shows_an_error(
    client, provider, caplog, answer, message
):
    if answer is not HANG and b"{}" != answer[1] and isinstance(answer[1], dict):
        answer = (200, provider.configuration(**answer[1]))
    provider.answers[CONFIGURATION] = answer

    response = client.post(START)

    expect_failed(response, message, caplog)


def test_provider_that_hangs_times_out(client, provider):
    provider.answers[CONFIGURATION] = HANG
    began = time.monotonic()

    client.post(START)

    assert 0.8 <= time.monotonic() - began < 3


@pytest.mark.parametrize("path", ["/token", "/me", "/keys"])
@pytest.mark.parametrize(
    "answer, message",
    [
        (HANG, AWAY),
        ((500, b"boom\nboom"), ANSWER),
        ((400, {"error": "invalid_grant"}), ANSWER),
        ((200, b"<html>"), ANSWER),
        ((200, b"[1]"), ANSWER),
        ((200, b"7"), ANSWER),
        ((200, b'"text"'), ANSWER),
        ((200, b'{"keys": [{}], "sub": null}'), ANSWER),
        ((200, b'{"access_token": "a", "expires_in": "soon"}'), ANSWER),
    ],
)
def test_callback_with_a_bad_answer_of_the_provider_shows_an_error(
    client, provider, caplog, path, answer, message
):
    query = leave(client)
    provider.answers[path] = answer

    response = come_back(client, query)

    expect_failed(response, message, caplog)
    assert not is_in(client)


@pytest.mark.parametrize(
    "lie",
    [
        {"key": "another"},
        {"iss": "https://evil.example"},
        {"aud": "another-shop"},
        {"exp": 1},
        {"sub": "8"},  # the user info says 7
    ],
)
def test_id_token_that_is_invalid_signs_nobody_in(client, provider, caplog, lie):
    query = leave(client)
    token = {"access_token": "a", "id_token": provider.id_token(**lie)}
    provider.answers["/token"] = (200, token)

    response = come_back(client, query)

    expect_failed(response, ANSWER, caplog)
    assert not is_in(client)


def test_id_token_that_is_valid_signs_in(client, provider):
    """This is the positive control of the refusals here."""
    come(client)

    ada = User.objects.get()
    assert is_in(client)
    assert (ada.first_name, ada.last_name) == ("Ada", "Lovelace")
    assert (ada.email, ada.is_verified) == ("ada@example.com", True)


@pytest.mark.parametrize(
    "claims",
    [{"sub": ""}, {"sub": "x" * 500}, {"sub": "\0"}, {"sub": ["a"] * 100}],
)
def test_subject_that_is_invalid_signs_nobody_in(client, provider, caplog, claims):
    provider.claims |= claims

    response = come(client)

    expect_failed(response, ANSWER, caplog)


@pytest.mark.parametrize(
    "claims",
    [
        {"given_name": "Ada\0\n" + "x" * 500, "family_name": ["Love"], "name": {}},
        {"preferred_username": "x" * 500},
        {"preferred_username": "someone@example.com"},
        {"picture": "\0" * 9, "anything": {"\0": "\0"}},
    ],
)
def test_claims_that_do_not_fit_our_columns_are_cleaned(client, provider, claims):
    provider.claims |= claims

    come(client)

    ada = User.objects.get()
    assert is_in(client)
    assert ada.first_name.startswith("Ada") and ada.first_name.isprintable()
    assert "@" not in ada.username


def test_answer_of_a_provider_is_stored_only_in_part(client, provider):
    provider.claims |= {"phone_number": "123", "address": {"street": "Dock 1"}}

    come(client)

    stored = SocialAccount.objects.get().extra_data
    assert set(stored) == {"email", "first_name", "last_name"}
    assert not SocialToken.objects.exists()


def test_callback_locks_nothing_during_the_request_to_the_provider(
    client, provider, monkeypatch, caplog
):
    """The transaction begins after the answer, so no lock waits for the provider."""
    depths = []
    outside = len(connection.savepoint_ids)
    original = adapters.SocialAccountAdapter.get_requests_session

    def watched(self):
        depths.append(len(connection.savepoint_ids) - outside)
        return original(self)

    monkeypatch.setattr(SocialAccountAdapter, "get_requests_session", watched)

    come(client)

    assert is_in(client) and depths and set(depths) == {0}


def test_state_is_accepted_once(client, provider, caplog):
    query = leave(client)
    come_back(client, query)
    client.logout()

    response = come_back(client, query)

    assert response.status_code == 401
    assert "couldn’t match this response" in response.text
    assert not is_in(client)


def test_state_of_another_provider_is_refused(client, provider, caplog):
    query = leave(client)
    callback = f"{OTHERS[0]}callback/"

    response = client.get(callback, {"code": "c", "state": query["state"]})

    expect_failed(response, "couldn’t match this response", caplog)


@pytest.mark.parametrize("query", [{"error": "server_error\nx"}, {}])
def test_callback_without_a_code_shows_an_error(client, provider, caplog, query):
    parameters = leave(client)

    response = client.get(CALLBACK, {"state": parameters["state"]} | query)

    expect_failed(response, ANSWER, caplog)


def test_error_page_by_itself_has_a_way_back(client):
    response = client.get("/users/3rdparty/login/error/")

    assert response.status_code == 401 and "Back to sign in" in response.text


# --- Whose account ----------------------------------------------------------------


def test_verified_address_of_somebody_else_is_not_taken_over(client, provider):
    make_user(email="ada@example.com")

    response = come(client)

    assert response.status_code == 409
    assert "You already have an account" in response.text
    assert not is_in(client) and not SocialAccount.objects.exists()
    assert client.get(SIGNUP).status_code == 302  # nothing waits to be completed


@pytest.mark.parametrize("verified", [False, None, "false", "no", 0, {}])
def test_unverified_address_gets_the_same_answer_whether_known_or_not(
    provider, verified
):
    provider.claims |= {"email_verified": verified}
    pages = []
    for known in (False, True):
        User.objects.all().delete()
        provider.claims["email"] = f"ada@{known}.example"
        if known:
            make_user(email="ada@true.example")
        client = Client()
        response = come(client)
        pages.append((response.url, client.get(response.url).text.count("ada@")))
        assert not is_in(client)
        assert SocialAccount.objects.exists() is not known

    assert pages[0] == pages[1] and pages[0][0] == SENT
    assert [message.to for message in mail.outbox] == [
        ["ada@false.example"],
        ["ada@true.example"],
    ]
    assert mail.outbox[0].subject != mail.outbox[1].subject


def test_unverified_address_opens_the_account_once_the_link_is_followed(
    client, provider
):
    provider.claims |= {"email_verified": False}
    come(client)
    come(client)
    assert not is_in(client)
    EmailAddress.objects.update(verified=True)

    come(client)

    assert is_in(client) and User.objects.count() == 1


def test_unverified_address_is_verified_once_the_provider_vouches_for_it(
    client, provider
):
    provider.claims |= {"email_verified": False}
    come(client)
    provider.claims |= {"email_verified": True}

    come(client)

    assert is_in(client) and User.objects.get().is_verified


def test_provider_vouches_only_for_the_users_own_address(client, provider):
    provider.claims |= {"email_verified": False}
    come(client)
    provider.claims |= {"email_verified": True, "email": "other@example.com"}

    come(client)

    assert not is_in(client) and not User.objects.get().is_verified


def wish_for(email: str) -> EmailAddress:
    """Somebody who would like to change to that address, and has not shown that it is
    theirs."""
    user = make_user(email="grabber@example.com", username="ada")
    return EmailAddress.objects.create(user=user, email=email)


@pytest.mark.parametrize("verified", [True, False])
def test_address_pending_for_another_account_is_free(client, provider, verified):
    """Else anybody could keep its owner from signing up."""
    wish = wish_for("ada@example.com")
    provider.claims |= {"email_verified": verified, "preferred_username": "ada"}

    come(client)

    account = SocialAccount.objects.get()
    assert account.user.email == "ada@example.com" and account.user != wish.user
    assert account.user.username not in ("", "ada")  # that was taken
    assert account.user.is_verified is is_in(client) is verified
    wish.refresh_from_db()
    assert not wish.verified and wish.user.email == "grabber@example.com"


def test_address_entered_by_hand_pending_for_another_account_is_free(client, provider):
    wish_for("ada@example.com")
    without_an_address(client, provider)

    response = client.post(SIGNUP, {"email": "ada@example.com"})

    assert response.url == SENT
    assert SocialAccount.objects.get().user.email == "ada@example.com"


def without_an_address(client: Client, provider: BrokenProvider) -> None:
    del provider.claims["email"]
    response = come(client)
    assert response.url == SIGNUP
    assert "didn’t give us an email address that we can use" in client.get(SIGNUP).text


def test_address_entered_by_hand_gets_the_same_answer_whether_known_or_not(
    client, provider
):
    make_user(email="known@example.com")
    without_an_address(client, provider)

    response = client.post(SIGNUP, {"email": "Known@example.com"})

    assert response.url == SENT and not is_in(client)
    assert not SocialAccount.objects.exists()
    assert mail.outbox[0].to == ["known@example.com"]

    come(client)
    response = client.post(SIGNUP, {"email": "new@example.com"})

    assert response.url == SENT and not is_in(client)
    assert SocialAccount.objects.get().user.email == "new@example.com"
    assert not SocialAccount.objects.get().user.is_verified


@pytest.mark.parametrize("email", ['"x,victim@example.org"@example.com', "<x>", []])
def test_address_of_a_provider_that_the_shop_cannot_write_to_is_asked_for(
    client, provider, email
):
    provider.claims |= {"email": email, "email_verified": True}

    response = come(client)

    assert response.url == SIGNUP
    page = client.get(SIGNUP).text
    assert "didn’t give us an email address that we can use" in page
    assert not User.objects.exists() and not EmailAddress.objects.exists()
    assert mail.outbox == []


@pytest.mark.parametrize(
    "email",
    [
        "",
        "nonsense",
        "\0@example.com",
        "x" * 300 + "@a.bc",
        '"x,victim@example.org,y"@example.com',
    ],
)
def test_address_entered_by_hand_that_is_invalid_is_refused(client, provider, email):
    without_an_address(client, provider)

    response = client.post(SIGNUP, {"email": email})

    assert response.status_code == 200 and 'aria-invalid="true"' in response.text
    assert not User.objects.exists()


def test_deactivated_account_is_not_signed_in(client, provider):
    come(client)
    client.logout()
    User.objects.update(is_active=False)

    response = come(client)

    assert response.url == "/users/inactive/"
    assert not is_in(client)


def test_new_person_who_comes_twice_at_once_gets_one_account(
    client, provider, caplog, monkeypatch
):
    """The second has looked before the first wrote."""
    make_user(email="ada@example.com")
    monkeypatch.setattr(verification, "has_account", lambda email: False)

    response = come(client)

    assert response.status_code == 401 and not is_in(client)
    assert User.objects.count() == 1 and not SocialAccount.objects.exists()


def test_error_of_the_shop_is_not_blamed_on_the_provider(client, provider, monkeypatch):
    def broken(*args, **kwargs):
        raise KeyError("ours")

    monkeypatch.setattr(SocialAccountAdapter, "save_user", broken)

    with pytest.raises(KeyError, match="ours"):
        come(client)


@pytest.mark.parametrize("verified, can_sign_in", [(False, 0), (True, 1)])
def test_reset_of_the_password_removes_a_stranger_who_signed_up_first(
    client, provider, verified, can_sign_in
):
    provider.claims |= {"email_verified": verified}
    come(client)
    mail.outbox.clear()
    owner = Client()
    owner.post("/users/password/reset/", {"email": "ada@example.com"})
    (link,) = re.findall(r"/users/password/reset/key/\S+?/", mail.outbox[0].body)
    new = "a-long-pass-phrase"

    form = owner.get(link).url
    owner.post(form, {"password1": new, "password2": new})

    assert User.objects.get().check_password(new)
    assert SocialAccount.objects.count() == can_sign_in


# --- Connections ------------------------------------------------------------------


@pytest.fixture
def ada(client, provider) -> User:
    """Signed in by the provider, without a password."""
    come(client)
    return User.objects.get()


def confirm_by_code(client: Client, user: User, **query: str) -> HttpResponse:
    """Ask for a code by mail and enter it; what one is led to."""
    path = client.post(CODE, {"recipient": user.email}, query_params=query).url
    code = mail.outbox[-1].body.split("\n\n")[1]
    return client.post(path, {"code": code})


def disconnect(client: Client) -> HttpResponse:
    return client.post(CONNECTIONS, {"account": SocialAccount.objects.first().pk})


def test_only_way_in_cannot_be_disconnected(client, ada):
    response = disconnect(client)

    assert "This is your only way to sign in" in response.text
    assert SocialAccount.objects.count() == 1


def test_way_in_of_a_provider_no_longer_offered_does_not_count(client, ada):
    SocialAccount.objects.create(user=ada, provider="google", uid="1")

    response = client.get(CONNECTIONS)
    assert response.text.count("Disconnect ") == 1  # nor is it shown

    assert "This is your only way to sign in" in disconnect(client).text


def test_one_of_two_ways_in_is_disconnected_with_a_code_from_the_mail(client, ada):
    SocialAccount.objects.create(user=ada, provider="github", uid="1")
    assert disconnect(client).url.startswith(CODE)
    mail.outbox.clear()

    confirm_by_code(client, ada, next=CONNECTIONS)

    assert mail.outbox[0].to == [ada.email]
    assert SocialAccount.objects.get().provider == "github"


def test_code_is_mailed_to_the_present_address_alone(client, ada):
    EmailAddress.objects.create(user=ada, email="old@example.com", verified=True)
    mail.outbox.clear()

    page = client.post(CODE, {"recipient": "old@example.com"})

    assert page.context["form"].errors
    assert mail.outbox == []


def test_wrong_code_from_the_mail_confirms_nothing(client, ada):
    client.post(CODE, {"recipient": ada.email})

    page = client.post(f"{CODE}confirm/", {"code": "wrong"})

    assert "code" in page.context["form"].errors
    assert client.get("/users/2fa/totp/activate/").url.startswith(CODE)


def test_account_of_somebody_else_is_not_disconnected(client, ada):
    other = SocialAccount.objects.create(user=make_user(), provider="github", uid="1")

    response = client.post(CONNECTIONS, {"account": other.pk})

    assert response.status_code == 200
    assert SocialAccount.objects.count() == 2


def test_provider_account_of_somebody_else_is_not_connected(client, ada, provider):
    other = Client()
    ben = make_shopper()
    ben.set_unusable_password()
    ben.save()
    other.force_login(ben)
    assert come(other, process="connect").url.startswith(CODE)

    confirm_by_code(other, ben)

    assert "connected to another account" in other.get(CONNECTIONS).text
    assert SocialAccount.objects.get().user == ada
