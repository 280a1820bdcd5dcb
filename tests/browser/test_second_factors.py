"""Codes of an app, recovery codes and passkeys, with a device that Chromium plays."""

import base64
import hashlib
import hmac
import json
import re
import struct
import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from playwright.sync_api import CDPSession, Page, expect

from products.basket import services as baskets
from products.live.viewers import Owner
from products.models import Variant
from tests.browser.looks import expect_errors_beside_their_fields
from tests.browser.pages import (
    another_tab,
    badge,
    bring_session,
    buy,
    expect_no_reload,
    make_shopper,
    mark,
    messages,
    wait_until_live,
)
from tests.support.factories import make_basket, make_category, make_variants
from users.models import User

VisitAs = Callable[..., Page]

CODE_S = 30
MARGIN_S = 8  # for what a test does with a code before the next one
NOT_ACCEPTED = "We couldn’t accept your passkey."
REAUTHENTICATION = re.compile("/users/(2fa/)?reauthenticate/")
ENTRANCE = re.compile("/users/(login|2fa/authenticate)/")


# --- A person, an app and a device ------------------------------------------------


@pytest.fixture
def anna(transactional_db) -> User:
    anna = make_shopper("anna", first_name="Anna")
    EmailAddress.objects.create(
        user=anna, email=anna.email, primary=True, verified=True
    )
    return anna


@pytest.fixture
def visit_as_anna(visit, daphne, anna) -> VisitAs:
    """`visit_as_anna(path)`: she is signed in and opens a page."""

    def open_page(path: str) -> Page:
        return visit(
            path, prepare=lambda page: bring_session(page.context, daphne.url, anna)
        )

    return open_page


def code_of(secret: str) -> str:
    """The app's code (RFC 6238), with some seconds left to use it."""
    left = CODE_S - time.time() % CODE_S
    if left < MARGIN_S:
        time.sleep(left + 0.1)
    counter = struct.pack(">Q", int(time.time() // CODE_S))
    digest = hmac.digest(base64.b32decode(secret), counter, hashlib.sha1)
    start = digest[-1] & 0xF
    number = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def wrong(code: str) -> str:
    """Any other."""
    return f"{(int(code) + 1) % 1_000_000:06}"


class Device:
    """What keeps passkeys and knows its owner, like a laptop with a fingerprint
    reader: it belongs to one tab and answers at once."""

    def __init__(self, page: Page) -> None:
        self._cdp: CDPSession = page.context.new_cdp_session(page)
        self._cdp.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        added = self._cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self._id = {"authenticatorId": added["authenticatorId"]}

    def refuse(self) -> None:
        """From now on nobody's finger fits."""
        self._cdp.send("WebAuthn.setUserVerified", self._id | {"isUserVerified": False})

    def lose(self) -> None:
        """All passkeys, as when it was reset."""
        self._cdp.send("WebAuthn.clearCredentials", self._id)

    def passkeys(self) -> list[dict]:
        return self._cdp.send("WebAuthn.getCredentials", self._id)["credentials"]


def add_passkey(page: Page, *, instead_of_the_password: bool) -> None:
    """By the form, until the page with recovery codes, which come with the first."""
    page.goto("/users/2fa/webauthn/add/")
    page.get_by_label("Passkey name").fill("Laptop")
    page.get_by_label("Use it instead of my password").set_checked(
        instead_of_the_password
    )
    press(page, "Add")
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()


def press(page: Page, button: str) -> None:
    page.locator("main").get_by_role("button", name=button, exact=True).click()


def give_password(page: Page, then: str = "/") -> None:
    """Up to the second step; `then` is where one wanted to go."""
    page.goto(f"/users/login/?{urlencode({'next': then})}")
    page.locator("input[name=login]").fill("anna")
    page.locator("input[name=password]").fill("password")
    press(page, "Sign in")
    expect(page.get_by_role("heading", name="Two-step verification")).to_be_visible()


def give_code(page: Page, code: str, button: str = "Sign in") -> None:
    page.locator("main [name=code]").fill(code)
    press(page, button)


def sign_in_by_passkey(page: Page, then: str = "/") -> None:
    page.goto(f"/users/login/?{urlencode({'next': then})}")
    press(page, "Sign in with a passkey")


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect_signed_out(page)


def expect_signed_in(page: Page) -> None:
    expect(page.get_by_role("button", name="Sign out", exact=True)).to_be_visible()
    expect(page.locator("[data-account]")).to_contain_text("Anna")


def expect_signed_out(page: Page) -> None:
    expect(page.locator("html")).to_have_attribute("data-viewer", "")
    page.goto("/users/profile/")
    expect(page).to_have_url(ENTRANCE)


def expect_refused(page: Page) -> None:
    """The code, beside its field, and nobody is signed in."""
    page.locator("[aria-invalid]").wait_for()
    expect_errors_beside_their_fields(page, "code")
    expect(page.locator("html")).to_have_attribute("data-viewer", "")


# --- The app's codes --------------------------------------------------------------


def test_app_that_was_set_up_is_asked_for_after_the_password(visit_as_anna):
    page = visit_as_anna("/users/2fa/totp/activate/")
    secret = page.locator(".secret").inner_text()

    give_code(page, wrong(code_of(secret)), "Turn on")
    page.locator("[aria-invalid]").wait_for()
    expect_errors_beside_their_fields(page, "code")
    expect(page.locator(".secret")).to_have_text(secret)
    give_code(page, code_of(secret), "Turn on")
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    sign_out(page)

    give_password(page, then="/users/2fa/")
    give_code(page, wrong(code_of(secret)))
    expect_refused(page)
    give_code(page, code_of(secret))

    expect(page).to_have_url("/users/2fa/")
    expect_signed_in(page)


def test_code_of_the_app_signs_in_once(visit, anna):
    TOTP.activate(anna, secret := generate_totp_secret())
    page, thief = visit("/users/login/"), visit("/users/login/")
    for each in (page, thief):
        give_password(each)

    give_code(page, code := code_of(secret))
    expect_signed_in(page)
    give_code(thief, code)

    expect_refused(thief)


def test_recovery_code_signs_in_once(visit, visit_as_anna, anna):
    TOTP.activate(anna, generate_totp_secret())
    RecoveryCodes.activate(anna)
    page = visit_as_anna("/users/2fa/recovery-codes/")
    first, second, *others = page.locator(".codes li").all_inner_texts()
    assert len(others) == 8
    sign_out(page)

    give_password(page)
    give_code(page, first)
    expect_signed_in(page)
    sign_out(page)

    give_password(page)
    give_code(page, first)
    expect_refused(page)
    give_code(page, second)
    expect_signed_in(page)


# --- Passkeys ---------------------------------------------------------------------


def test_passkey_signs_in_without_a_password(visit_as_anna, anna):
    page = visit_as_anna("/users/2fa/webauthn/")
    device = Device(page)
    add_passkey(page, instead_of_the_password=True)
    page.goto("/users/2fa/webauthn/")
    row = page.locator(".row", has_text="Laptop")
    expect(row).to_contain_text("Instead of a password")
    sign_out(page)

    sign_in_by_passkey(page, then="/users/2fa/webauthn/")

    expect(page).to_have_url("/users/2fa/webauthn/")
    expect_signed_in(page)
    expect(row).to_contain_text("Last used")
    assert [key["rpId"] for key in device.passkeys()] == ["localhost"]


def test_passkey_is_the_second_step_after_the_password(visit_as_anna):
    page = visit_as_anna("/users/2fa/webauthn/")
    Device(page)
    add_passkey(page, instead_of_the_password=False)
    page.goto("/users/2fa/webauthn/")
    expect(page.locator(".row")).to_contain_text("After your password")
    sign_out(page)

    give_password(page, then="/users/2fa/totp/activate/")
    send_nonsense(page)
    expect(page.locator("main [role=alert]")).to_contain_text(NOT_ACCEPTED)
    press(page, "Use a passkey")
    expect(page).to_have_url(REAUTHENTICATION)
    expect_signed_in(page)

    page.get_by_role("link", name="Use a security key").click()
    press(page, "Use a passkey")
    expect(page).to_have_url("/users/2fa/totp/activate/")


def test_answer_that_is_none_is_refused_where_one_confirms_who_one_is(visit_as_anna):
    page = visit_as_anna("/users/2fa/webauthn/")
    Device(page)
    add_passkey(page, instead_of_the_password=False)
    page.goto("/users/2fa/webauthn/reauthenticate/")

    send_nonsense(page)

    expect(messages(page)).to_contain_text(NOT_ACCEPTED)


def send_nonsense(page: Page) -> None:
    """In the device's place."""
    page.locator("main [name=credential]").evaluate(
        'field => { field.value = \'{"id": "AA"}\'; field.form.submit(); }'
    )


def test_passkey_that_was_removed_signs_nobody_in(visit_as_anna):
    page = visit_as_anna("/users/2fa/webauthn/")
    device = Device(page)
    add_passkey(page, instead_of_the_password=True)
    page.goto("/users/2fa/webauthn/")
    page.locator(".row", has_text="Laptop").get_by_role("link", name="Remove").click()
    press(page, "Remove")
    expect(page.get_by_text("You don’t have any passkeys yet.")).to_be_visible()
    sign_out(page)

    sign_in_by_passkey(page)

    expect(messages(page)).to_contain_text(NOT_ACCEPTED)
    expect_signed_out(page)
    assert len(device.passkeys()) == 1, "the device has it still"


def test_passkey_made_for_another_site_is_not_taken(visit_as_anna):
    """What the browser says of the page that asked is read: nothing else in the answer
    tells a site that passes the shop's questions on."""
    page = visit_as_anna("/users/2fa/webauthn/add/")
    Device(page)
    page.route("**/2fa/webauthn/add/", as_from_elsewhere)

    press(page, "Add")

    expect(page.locator("main .notice--bad")).to_be_visible()
    assert not Authenticator.objects.exists()


def as_from_elsewhere(route) -> None:
    if route.request.method != "POST":
        return route.continue_()
    fields = {key: value for key, [value] in parse_qs(route.request.post_data).items()}
    credential = json.loads(fields["credential"])
    response = credential["response"]
    data = base64.urlsafe_b64decode(response["clientDataJSON"] + "==")
    client = json.loads(data) | {"origin": "http://elsewhere.example"}
    encoded = base64.urlsafe_b64encode(json.dumps(client).encode())
    response["clientDataJSON"] = encoded.decode().rstrip("=")
    fields["credential"] = json.dumps(credential)
    return route.continue_(post_data=urlencode(fields))


def test_prompt_that_fails_is_told_wherever_it_was_asked_for(visit_as_anna):
    page = visit_as_anna("/users/2fa/webauthn/")
    device = Device(page)
    add_passkey(page, instead_of_the_password=True)

    device.refuse()
    page.goto("/users/2fa/webauthn/add/")
    page.get_by_label("Use it instead of my password").check()
    press(page, "Add")
    expect_told(page)
    sign_out(page)
    sign_in_by_passkey(page)
    expect_told(page)

    device.lose()
    give_password(page)
    press(page, "Use a passkey")
    expect_told(page)
    expect_signed_out(page)


def expect_told(page: Page) -> None:
    """In the page; `visit` sees to it that the console has no error."""
    error = messages(page).locator(".message--error")
    expect(error).to_contain_text("We couldn’t use your passkey.")


# --- The basket -------------------------------------------------------------------


@pytest.fixture
def shelf(anna) -> list[Variant]:
    """Two products; Anna has two of the second in her basket."""
    shelf = make_variants(2, category=make_category(), price="5.00")
    make_basket(Owner(user_id=anna.pk), {shelf[1]: 2})
    return shelf


def fill(page: Page, variant: Variant) -> Page:
    """A visitor's basket with one of it; gives another tab that shows it."""
    page.goto("/products/")
    wait_until_live(page)
    buy(page, variant).click()
    expect(badge(page)).to_have_text("1")
    tab = another_tab(page, "/products/")
    expect(badge(tab)).to_have_text("1")
    mark(tab)
    return tab


def expect_merged_once(page: Page, tab: Page, anna: User) -> None:
    for each in (page, tab):
        expect(badge(each)).to_have_text("3")
    expect(tab.get_by_role("button", name="Sign out", exact=True)).to_be_visible()
    expect_no_reload(tab)
    lines = baskets.open_for(Owner(user_id=anna.pk)).lines
    assert sorted(lines.values_list("quantity", flat=True)) == [1, 2]


def test_basket_comes_along_with_a_code_and_not_before_it(visit, anna, shelf):
    TOTP.activate(anna, secret := generate_totp_secret())
    page = visit("/products/")
    tab = fill(page, shelf[0])

    give_password(page)
    expect(badge(page)).to_have_text("1")
    assert baskets.open_for(Owner(user_id=anna.pk)).lines.count() == 1
    give_code(page, code_of(secret))

    expect_merged_once(page, tab, anna)


def test_basket_comes_along_with_a_passkey(visit_as_anna, anna, shelf):
    page = visit_as_anna("/users/2fa/")
    Device(page)
    add_passkey(page, instead_of_the_password=True)
    sign_out(page)
    tab = fill(page, shelf[0])

    sign_in_by_passkey(page)

    expect_merged_once(page, tab, anna)
