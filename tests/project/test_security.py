"""What every answer carries, and what the settings say of the environment."""

import json
import os
import re
import subprocess
import sys

import pytest
from check import PRODUCTION  # deploy/local/check.py
from django.conf import settings as shop_settings
from django.contrib.auth.hashers import Argon2PasswordHasher, PBKDF2PasswordHasher
from django.http import HttpResponse
from django.test import Client

from tests.support import fork_server
from tests.support.factories import make_user, make_variant

REAL_HASHERS = shop_settings.PASSWORD_HASHERS  # the tests' are quick ones
PASSWORD = "tall ships 1813"

pytestmark = pytest.mark.django_db

PAGES = ["/", "/products/", "/basket/", "/users/login/", "/admin/", "/nowhere/"]


@pytest.fixture(autouse=True)
def unused_limits(settings, tmp_path) -> None:
    memory = "django.core.cache.backends.locmem.LocMemCache"
    limits = {"BACKEND": memory, "LOCATION": str(tmp_path)}
    settings.CACHES = settings.CACHES | {"default": limits}


def settings_of(**environment: str) -> dict:
    """What project.settings says in another environment."""
    names = [
        "ALLAUTH_TRUSTED_PROXY_COUNT",
        "CONTENT_SECURITY_POLICY",
        "CSRF_COOKIE_HTTPONLY",
        "CSRF_COOKIE_SECURE",
        "LANGUAGE_COOKIE_SECURE",
        "SECURE_HSTS_SECONDS",
        "SESSION_COOKIE_HTTPONLY",
        "SESSION_COOKIE_SECURE",
    ]
    program = (
        "import json, project.settings as s;"
        f"print(json.dumps({{n: getattr(s, n, None) for n in {names}}}))"
    )
    done = fork_server.run(["-c", program], os.environ | environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def policy(response: HttpResponse) -> dict[str, list[str]]:
    """Its directives and their sources."""
    header = response["Content-Security-Policy"]
    parts = (part.split() for part in header.split(";"))
    return {name: sources for name, *sources in parts}


# --- Headers ----------------------------------------------------------------------


@pytest.mark.parametrize("address", PAGES)
def test_page_carries_the_headers_of_a_careful_shop(client, address):
    response = client.get(address)

    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response["X-Frame-Options"] == "DENY"
    assert "camera=()" in response["Permissions-Policy"]
    assert "publickey-credentials-get=(self)" in response["Permissions-Policy"]
    rules = policy(response)
    assert rules["default-src"] == ["'none'"]
    assert rules["script-src"] == rules["style-src"] == ["'self'"]
    assert rules["form-action"] == ["'self'"]
    for name in ("frame-ancestors", "base-uri", "object-src"):
        assert rules[name] == ["'none'"]


@pytest.mark.parametrize("address", PAGES)
def test_page_may_run_nothing_inline(client, address):
    assert "unsafe" not in client.get(address)["Content-Security-Policy"]


def test_policy_names_the_sockets_address_for_safari():
    directives = settings_of(DOMAIN_NAME="https://shop.example")
    sources = directives["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]["connect-src"]

    assert sources == ["'self'", "wss://shop.example"]


@pytest.mark.parametrize("insecure, upgrade", [("0", True), ("1", False)])
def test_policy_upgrades_to_https_where_cookies_are_secure(insecure, upgrade):
    policy = settings_of(INSECURE_COOKIES=insecure)["CONTENT_SECURITY_POLICY"]

    assert policy["DIRECTIVES"]["upgrade-insecure-requests"] is upgrade


def test_settings_of_production_keep_cookies_to_https():
    values = settings_of(**PRODUCTION)

    assert values["SESSION_COOKIE_SECURE"] and values["CSRF_COOKIE_SECURE"]
    assert values["LANGUAGE_COOKIE_SECURE"]
    assert values["SESSION_COOKIE_HTTPONLY"] and values["CSRF_COOKIE_HTTPONLY"]
    assert values["SECURE_HSTS_SECONDS"] == 365 * 24 * 60 * 60


@pytest.mark.parametrize(
    "environment, proxies",
    [
        ({}, None),
        ({"TRUSTED_PROXY_COUNT": "2"}, None),  # nobody is in front: nobody is believed
        ({"BEHIND_PROXY": "1"}, 1),
        ({"BEHIND_PROXY": "1", "TRUSTED_PROXY_COUNT": "2"}, 2),
    ],
)
def test_proxies_are_believed_only_where_there_are_some(environment, proxies):
    values = settings_of(**{"BEHIND_PROXY": "0"} | environment)
    assert values["ALLAUTH_TRUSTED_PROXY_COUNT"] == proxies


def test_redirect_to_https_remembers_it_for_a_year(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 60 * 60 * 24 * 365
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    visitor = Client()

    assert visitor.get("/")["Location"] == "https://testserver/"
    assert visitor.get("/", secure=True)["Strict-Transport-Security"] == (
        "max-age=31536000; includeSubDomains; preload"
    )


def test_deployment_check_has_nothing_to_say():
    environment = os.environ | PRODUCTION
    command = ["manage.py", "check", "--deploy", "--fail-level", "WARNING"]

    done = subprocess.run(
        [sys.executable, "-W", "error", *command],
        env=environment,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr


# --- Cookies ----------------------------------------------------------------------


@pytest.fixture
def secure(settings):
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    return Client()


def test_cookies_stay_away_from_scripts_other_sites_and_plain_http(secure):
    make_user(username="ann")
    secure.get("/users/login/", secure=True)
    secure.post("/users/login/", {"login": "ann", "password": "password"}, secure=True)

    assert {"sessionid", "csrftoken"} <= set(secure.cookies)
    for name, cookie in secure.cookies.items():
        assert cookie["secure"] and cookie["httponly"], name
        assert cookie["samesite"] == "Lax", name
        assert not cookie["domain"], name


NAMES = """
import django
django.setup()
from django.conf import settings
from django.http import HttpResponse
from django.test import RequestFactory
from django.contrib.messages import constants
from products.pagecache import early
from project.http.messages import MessageStorage
from realtime.cookies import session_key_from

request = RequestFactory().get("/")
request.session = {}
storage = MessageStorage(request)
storage.add(constants.INFO, "saved")
response = HttpResponse()
storage.update(response)
(cookie,) = response.cookies.values()
own = [settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME]
print(*own, settings.LANGUAGE_COOKIE_NAME, cookie.key)
print(cookie["path"], repr(cookie["domain"]), bool(cookie["secure"]))
print(early.PERSONAL_COOKIES == {settings.SESSION_COOKIE_NAME, cookie.key})
print(session_key_from(f"{settings.SESSION_COOKIE_NAME}=abc"))
paths = settings.SESSION_COOKIE_PATH, settings.CSRF_COOKIE_PATH
print(*paths, settings.LANGUAGE_COOKIE_PATH, settings.SESSION_COOKIE_DOMAIN)
"""


@pytest.mark.parametrize(
    "is_plain, path, prefix",
    [
        ("0", "/", "__Host-"),
        ("1", "/", ""),
        ("0", "/eu/shop/", "__Secure-eu-shop-"),
        ("1", "/shop/", "shop-"),
    ],
)
def test_cookies_over_https_are_of_this_host_and_path_alone(is_plain, path, prefix):
    own = {"INSECURE_COOKIES": is_plain, "DOMAIN_NAME": f"https://shop.example{path}"}
    done = fork_server.run(["-c", NAMES], os.environ | PRODUCTION | own)

    assert done.stdout.splitlines() == [
        " ".join(
            f"{prefix}{n}" for n in "sessionid csrftoken language messages".split()
        ),
        f"{path} '' {is_plain == '0'}",
        "True",
        "abc",
        f"{path} {path} {path} None",
    ], done.stderr


# --- Who keeps a page -------------------------------------------------------------


@pytest.fixture
def shopper(client):
    client.force_login(make_user(first_name="Ann"))
    return client


@pytest.mark.parametrize(
    "address", ["/", "/products/", "/basket/", "/users/profile/", "/users/sessions/"]
)
def test_page_for_somebody_is_kept_by_nobody(shopper, address):
    response = shopper.get(address)

    assert "no-store" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]


@pytest.mark.parametrize(
    "address",
    ["/users/login/", "/users/signup/", "/users/password/reset/", "/users/inactive/"],
)
def test_account_page_is_kept_by_nobody_even_for_a_stranger(client, address):
    assert "no-store" in client.get(address)["Cache-Control"]


def test_page_with_a_basket_is_kept_by_its_browser_only(client):
    client.post(f"/basket/add/{make_variant().pk}/", {"quantity": 1})
    assert "sessionid" in client.cookies

    for address in ("/", "/products/", "/basket/"):
        assert "private" in client.get(address)["Cache-Control"]


@pytest.mark.parametrize("address", ["/robots.txt", "/sitemap.xml"])
def test_page_for_everybody_is_not_kept_from_caches(shopper, address):
    response = shopper.get(address)

    assert "private" not in response.get("Cache-Control", "")
    assert "Cookie" not in response.get("Vary", "")


def test_page_for_everybody_costs_a_signed_in_person_no_query(
    shopper, django_assert_num_queries
):
    with django_assert_num_queries(0):
        shopper.get("/robots.txt")


# --- Passwords and sessions -------------------------------------------------------


@pytest.fixture
def real_hashers(settings) -> None:
    settings.PASSWORD_HASHERS = REAL_HASHERS


def sign_in(client, user, password="password", **form):
    form = {"login": user.email, "password": password} | form
    return client.post("/users/login/", form)


def test_password_that_is_new_is_hashed_with_argon2(real_hashers):
    user = make_user()

    assert user.password.startswith("argon2$argon2id$")
    assert user.check_password("password")


def test_password_hashed_the_old_way_still_opens_and_is_hashed_anew(
    real_hashers, client
):
    user = make_user()
    user.password = PBKDF2PasswordHasher().encode("password", "salt" * 6)
    user.save()

    sign_in(client, user)

    assert client.session["_auth_user_id"] == str(user.pk)
    user.refresh_from_db()
    assert user.password.startswith("argon2$")


def test_sign_in_takes_as_many_hashes_for_known_and_unknown_people(
    real_hashers, client, monkeypatch
):
    hashes = []
    for method in ("encode", "verify"):
        real = getattr(Argon2PasswordHasher, method)

        def counted(self, *args, real=real):
            hashes.append(1)
            return real(self, *args)

        monkeypatch.setattr(Argon2PasswordHasher, method, counted)
    known, unknown = make_user(), make_user()
    unknown.delete()
    counts = []
    for person in (known, unknown):
        hashes.clear()
        sign_in(client, person, "wrong")
        counts.append(len(hashes))

    assert counts == [1, 1]


def test_session_that_was_planted_is_worth_nothing_after_the_sign_in(client):
    client.post(f"/basket/add/{make_variant().pk}/", {"quantity": 1})
    planted = client.cookies["sessionid"].value
    user = make_user()

    sign_in(client, user)

    assert client.cookies["sessionid"].value != planted
    thief = Client()
    thief.cookies["sessionid"] = planted
    assert "_auth_user_id" not in thief.session
    assert thief.get("/users/profile/").status_code == 302


def test_session_that_was_stolen_is_worth_nothing_after_the_sign_out(client):
    sign_in(client, make_user())
    thief = Client()
    thief.cookies["sessionid"] = client.cookies["sessionid"].value
    assert thief.get("/users/profile/").status_code == 200

    client.post("/users/logout/")

    assert thief.get("/users/profile/").status_code == 302


# --- Where one is sent ------------------------------------------------------------

ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "https://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "\\\\evil.example",
    "/\\evil.example",
    "\t//evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "https://testserver@evil.example",
    "https://testserver.evil.example",
    "https://other.shop.example",
]


@pytest.fixture
def wide(settings):
    """A shop that answers to all names of its domain, where others have sites too."""
    settings.ALLOWED_HOSTS = ["testserver", ".shop.example"]


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_next_leads_nowhere_but_into_the_shop(wide, client, elsewhere):
    user, query = make_user(), {"next": elsewhere}

    form = client.get("/users/login/", query)
    assert not re.search(r'(href|action)="[^"?]*(evil|other\.shop)', form.text)
    assert sign_in(client, user, next=elsewhere).url == "/"
    assert client.get("/users/login/", query).url == "/"  # signed in already
    assert client.get("/users/signup/", query).url == "/"
    assert client.post("/users/logout/", query).url == "/"


def test_next_leads_to_where_one_came_from(wide, client):
    assert sign_in(client, make_user(), next="/basket/").url == "/basket/"
    assert client.post("/users/logout/", {"next": "/products/"}).url == "/products/"


def test_next_of_a_sign_up_leads_nowhere_else(wide, client):
    form = {"email": "ann@example.com", "password1": PASSWORD, "password2": PASSWORD}

    response = client.post("/users/signup/", form | {"next": "//evil.example"})

    assert response.url == "/users/confirm-email/"
    assert "evil" not in client.get(response.url).text


# --- Logs -------------------------------------------------------------------------


def test_logs_hold_no_secret(client, caplog, mailoutbox):
    caplog.set_level("DEBUG")
    user = make_user(email="ann@example.com")
    form = {"email": "new@example.com", "password1": PASSWORD, "password2": PASSWORD}

    client.post("/users/signup/", form)
    sign_in(client, user, "a wrong password 4711")
    client.post("/users/password/reset/", {"email": user.email})
    client.logout()
    sign_in(client, user)
    keys = [w for mail in mailoutbox for w in mail.body.split() if "/users/" in w]

    assert len(keys) >= 2
    secrets = [PASSWORD, "4711", client.cookies["sessionid"].value]
    secrets += [key.rstrip("/").rpartition("/")[2] for key in keys]
    # Django's queries are told at DEBUG, which only a developer switches on.
    messages = [
        r.getMessage() for r in caplog.records if r.name != "django.db.backends"
    ]
    assert not any(secret in line for secret in secrets for line in messages)
