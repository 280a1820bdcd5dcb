"""Every page of an account: accessible, in its place, errors beside their fields."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.utils import timezone
from playwright.sync_api import Page, expect

from tests.browser.looks import (
    expect_each_good_in_all_looks,
    expect_errors_beside_their_fields,
    expect_good_in_all_looks,
    focus_marks,
)
from tests.browser.pages import bring_session
from tests.browser.pages import make_shopper as make_shopper_for_the_form
from tests.browser.pages import sign_in
from tests.support.factories import make_address, make_picture, make_shopper
from users import pictures
from users.models import User

VisitAs = Callable[..., Page]

BLANK = "/robots.txt"  # where a walk over several pages begins

FOR_VISITORS = {
    "sign up": "/users/signup/",
    "sign in": "/users/login/",
    "look in your mail": "/users/confirm-email/",
    "password forgotten": "/users/password/reset/",
    "password mail sent": "/users/password/reset/done/",
    "password link that is wrong": "/users/password/reset/key/1-wrong/",
    "password set by link": "/users/password/reset/key/done/",
    "account closed": "/users/inactive/",
}

FOR_PEOPLE = {
    "profile": "/users/profile/",
    "address, new": "/users/addresses/add/",
    "e-mail": "/users/email/",
    "password": "/users/password/change/",
    "sign-in methods": "/users/2fa/",
    "passkey, new": "/users/2fa/webauthn/add/",
    "connected accounts": "/users/3rdparty/",
    "is it you": "/users/reauthenticate/",
    "data": "/users/data/",
    "account, delete": "/users/data/delete/",
    "sign out": "/users/logout/",
}

WITH_SECOND_FACTORS = {
    "authenticator app, off": "/users/2fa/totp/deactivate/",
    "recovery codes": "/users/2fa/recovery-codes/",
    "recovery codes, new": "/users/2fa/recovery-codes/generate/",
    "passkeys": "/users/2fa/webauthn/",
    "ways in": "/users/ways-in/",
    "is it you, by code": "/users/2fa/reauthenticate/",
}

LINKS = ["open", "expired", "used", "wrong", "foreign", "taken", "sign-in"]


@pytest.fixture
def anna(transactional_db) -> User:
    """She has a name, a picture and two addresses."""
    anna = make_shopper(first_name="Anna", last_name="Núñez")
    pictures.put(anna, pictures.store(pictures.square(make_picture())))
    anna.save()
    make_address(anna)
    make_address(anna, full_name="Anna Núñez, at the office of a long-named company")
    return anna


@pytest.fixture
def visit_as(visit, daphne) -> VisitAs:
    """`visit_as(user, path)`: somebody who is signed in opens a page."""

    def open_page(user: User, path: str, **options) -> Page:
        def prepare(page: Page) -> None:
            bring_session(page.context, daphne.url, user)

        return visit(path, prepare=prepare, **options)

    return open_page


def give_second_factors(user: User) -> None:
    TOTP.activate(user, generate_totp_secret())
    RecoveryCodes.activate(user)
    for name, stays_on_device in (("Laptop", True), ("Key in the drawer", False)):
        properties = {"credProps": {"rk": stays_on_device}}
        credential = {"clientExtensionResults": properties}
        Authenticator.objects.create(
            user=user,
            type=Authenticator.Type.WEBAUTHN,
            data={"name": name, "credential": credential},
        )


def make_link(state: str) -> str:
    """The path of a verification link in this state, to a visitor signed out."""
    if state == "wrong":
        return "/users/confirm-email/never-was/"
    owner = make_shopper(verified=state == "used")
    address = owner.emailaddress_set.get()
    if state == "taken":
        other = make_shopper()
        EmailAddress.objects.create(user=other, email=owner.email, verified=True)
    if state == "sign-in":
        address = EmailAddress.objects.create(user=owner, email="new@example.com")
    link = EmailConfirmation.create(address)
    link.sent = timezone.now() - timedelta(hours=50 if state == "expired" else 0)
    link.save()
    return f"/users/confirm-email/{link.key}/"


def send_unchecked(page: Page, button: str, **values: str) -> None:
    """Fill the form and send it past the browser's own checks."""
    for name, value in values.items():
        page.locator(f"main [name={name}]").fill(value)
    page.evaluate("for (const form of document.forms) form.noValidate = true")
    page.locator("main").get_by_role("button", name=button, exact=True).click()


# --- Looks ------------------------------------------------------------------------


def test_pages_for_visitors(visit):
    expect_each_good_in_all_looks(visit(BLANK, live=False), FOR_VISITORS)


@pytest.mark.parametrize("state", LINKS)
def test_page_of_a_verification_link(visit, visit_as, complaints, state):
    path = make_link(state)

    page = visit_as(make_shopper(), path) if state == "foreign" else visit(path)

    expect_good_in_all_looks(page)
    complaints.forgive()  # the console tells the status


def test_pages_for_people(visit_as, anna):
    expect_each_good_in_all_looks(visit_as(anna, BLANK, live=False), FOR_PEOPLE)


def test_pages_with_second_factors(visit_as, anna):
    give_second_factors(anna)

    page = visit_as(anna, BLANK, live=False)
    expect_each_good_in_all_looks(page, WITH_SECOND_FACTORS)


def test_page_profile_of_someone_new(visit_as):
    page = visit_as(make_shopper(verified=False, username="x" * 40), "/users/profile/")

    expect_good_in_all_looks(page)


def test_page_email_with_a_change_under_way(visit_as, anna):
    EmailAddress.objects.create(user=anna, email="anna.new@example.com")

    page = visit_as(anna, "/users/email/")

    expect(page.get_by_role("button", name="Cancel the change")).to_be_visible()
    expect_good_in_all_looks(page)


def test_pages_of_an_address(visit_as, anna):
    path = f"/users/addresses/{anna.addresses.first().pk}/"
    paths = {"edit": path, "delete": f"{path}delete/"}

    expect_each_good_in_all_looks(visit_as(anna, BLANK, live=False), paths)


def test_pages_of_a_passkey(visit_as, anna):
    give_second_factors(anna)
    key = Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN).first()
    path = f"/users/2fa/webauthn/keys/{key.pk}"
    paths = {"edit": f"{path}/edit/", "remove": f"{path}/remove/"}

    expect_each_good_in_all_looks(visit_as(anna, BLANK, live=False), paths)


def test_page_password_for_someone_without(visit_as):
    user = make_shopper()
    user.set_unusable_password()
    user.save()

    page = visit_as(user, "/users/password/change/")

    expect(page).to_have_url("/users/password/set/")
    expect_good_in_all_looks(page)


def test_pages_of_a_code_by_mail_for_someone_without_a_password(visit_as):
    user = make_shopper()
    user.set_unusable_password()
    user.save()
    page = visit_as(user, "/users/reauthenticate/")
    expect_good_in_all_looks(page)

    page.get_by_role("button", name="Send me a code").click()

    expect(page.get_by_label("Code")).to_be_focused()
    expect_good_in_all_looks(page)


def test_page_of_a_password_link(visit, anna):
    token = default_token_generator.make_token(anna)

    page = visit(f"/users/password/reset/key/{user_pk_to_url_str(anna)}-{token}/")

    expect(page.get_by_label("New password", exact=False).first).to_be_visible()
    expect_good_in_all_looks(page)


def test_page_authenticator_app_shows_a_picture_and_the_same_secret_as_text(
    visit_as, anna
):
    page = visit_as(anna, "/users/2fa/totp/activate/")

    picture = page.get_by_role("img", name="QR code")
    assert picture.evaluate("image => image.naturalWidth") > 100
    assert len(page.locator(".secret").inner_text()) >= 16
    expect_good_in_all_looks(page)


def test_page_asking_for_the_second_factor(visit):
    user = make_shopper_for_the_form()
    TOTP.activate(user, generate_totp_secret())
    page = visit("/users/login/")

    send_unchecked(page, "Sign in", login="shopper", password="password")

    expect(page).to_have_url("/users/2fa/authenticate/")
    expect_good_in_all_looks(page)


def test_page_sessions_of_two_browsers(visit):
    make_shopper_for_the_form()
    phone, page = visit("/"), visit("/")
    for each in (phone, page):
        sign_in(each)

    page.goto("/users/sessions/")

    expect(page.get_by_role("button", name="Sign out this device")).to_have_count(1)
    expect_good_in_all_looks(page)


def test_page_of_who_tries_too_often(visit, complaints):
    page = visit("/users/password/reset/")

    for _ in range(12):  # there are limits on an address and on a network's
        with page.expect_response(lambda answer: answer.request.method == "POST") as it:
            send_unchecked(page, "Send me a link", email="somebody@example.com")
        if it.value.status == 429:
            break
        page.goto("/users/password/reset/")

    expect(page.get_by_role("heading")).to_have_text("Too many attempts")
    expect_good_in_all_looks(page)
    assert "429" in complaints.pop()


# --- Where one is -----------------------------------------------------------------


TABS = [
    ("/users/profile/", "Profile", "page"),
    ("/users/addresses/add/", "Profile", "true"),
    ("/users/email/", "Email", "page"),
    ("/users/password/change/", "Password", "page"),
    ("/users/2fa/", "Sign-in methods", "page"),
    ("/users/2fa/webauthn/add/", "Sign-in methods", "true"),
    ("/users/sessions/", "Sessions", "page"),
]


def test_tab_of_the_page_shown_is_the_current_one(visit_as, anna):
    page = visit_as(anna, BLANK, live=False)
    tabs = page.get_by_role("navigation", name="Your account")

    for path, tab, kind in TABS:
        page.goto(path)

        current = tabs.locator("[aria-current]")
        expect(current, path).to_have_count(1)
        expect(current, path).to_have_text(tab)
        expect(current, path).to_have_attribute("aria-current", kind)
        expect(current, path).to_be_in_viewport()


def test_header_shows_ones_name_and_picture_and_leads_to_the_profile(visit_as, anna):
    page = visit_as(anna, "/", viewport={"width": 390, "height": 844})
    account = page.locator("[data-account]")

    expect(account).to_have_count(1)
    expect(account.locator("img")).to_be_visible()
    assert account.locator("img").evaluate("image => image.naturalWidth") > 20
    account.get_by_role("link", name="Anna").click()

    expect(page).to_have_url("/users/profile/")


def test_header_with_a_long_name_stays_inside_a_phone(visit_as):
    staff = make_shopper(username="w" * 100, is_staff=True)

    expect_good_in_all_looks(visit_as(staff, "/users/profile/"))


# --- Fields -----------------------------------------------------------------------


FIELDS_FOR_VISITORS = {
    "/users/signup/": {
        "email": "email",
        "first_name": "given-name",
        "password1": "new-password",
        "password2": "new-password",
    },
    "/users/login/": {"login": "username", "password": "current-password"},
    "/users/confirm-email/": {"email": "email"},
    "/users/password/reset/": {"email": "email"},
}
FIELDS_FOR_PEOPLE = {
    "/users/password/change/": {
        "username": "username",
        "oldpassword": "current-password",
        "password1": "new-password",
        "password2": "new-password",
    },
    "/users/email/": {"email": "email"},
    "/users/profile/": {"first_name": "given-name", "last_name": "family-name"},
    "/users/2fa/totp/activate/": {"code": "one-time-code"},
    "/users/reauthenticate/": {
        "username": "username",
        "password": "current-password",
    },
    "/users/addresses/add/": {
        "full_name": "name",
        "line1": "address-line1",
        "line2": "address-line2",
        "postcode": "postal-code",
        "city": "address-level2",
        "region": "address-level1",
        "country": "country",
        "phone": "tel",
    },
}


def test_fields_for_visitors_tell_browsers_what_to_fill_in(visit):
    page = visit(BLANK, live=False)

    told = {path: autocompletes(page, path) for path in FIELDS_FOR_VISITORS}

    assert told == FIELDS_FOR_VISITORS


def test_fields_for_people_tell_browsers_what_to_fill_in(visit_as, anna):
    page = visit_as(anna, BLANK, live=False)

    told = {path: autocompletes(page, path) for path in FIELDS_FOR_PEOPLE}

    assert told == FIELDS_FOR_PEOPLE


def autocompletes(page: Page, path: str) -> dict[str, str]:
    """What each field of a page that says so holds, by its name."""
    page.goto(path)
    pairs = page.locator("main [autocomplete]").evaluate_all(
        "all => all.map((field) => [field.name, field.autocomplete])"
    )
    return dict(pairs)


def test_errors_of_signing_up_stand_beside_their_fields(visit):
    page = visit("/users/signup/")

    send_unchecked(page, "Create an account", email="nowhere", password1="123")

    expect_errors_beside_their_fields(page, "email", "password1", "password2")
    expect_good_in_all_looks(page)


def test_error_of_signing_in_is_told_at_once(visit):
    page = visit("/users/login/")

    send_unchecked(page, "Sign in", login="nobody", password="wrong")

    expect(page.get_by_role("alert")).to_contain_text(
        "Incorrect email, username or password"
    )
    expect_good_in_all_looks(page)


WRONG = [
    (
        *("/users/addresses/add/", "Save address"),
        {"full_name": "Anna"},
        ["line1", "country"],
    ),
    ("/users/email/", "Send verification link", {"email": "x"}, ["email"]),
    (
        *("/users/password/change/", "Change password"),
        {"oldpassword": "wrong", "password1": "123", "password2": "123"},
        ["oldpassword", "password1"],
    ),
    ("/users/2fa/totp/activate/", "Turn on", {"code": "000000"}, ["code"]),
    ("/users/reauthenticate/", "Continue", {"password": "wrong"}, ["password"]),
]


def test_errors_stand_beside_their_fields(visit_as, anna):
    page = visit_as(anna, BLANK, live=False)

    for path, button, values, wrong in WRONG:
        page.goto(path)
        send_unchecked(page, button, **values)

        page.locator("[aria-invalid]").first.wait_for()
        expect_errors_beside_their_fields(page, *wrong)
        expect_good_in_all_looks(page)


def test_error_of_a_picture_stands_beside_it(visit_as, anna, tmp_path):
    (tmp_path / "no.png").write_text("no picture")
    page = visit_as(anna, "/users/profile/")

    page.get_by_label("Picture", exact=False).first.set_input_files(tmp_path / "no.png")
    send_unchecked(page, "Save")

    page.locator("[aria-invalid]").first.wait_for()
    expect_errors_beside_their_fields(page, "picture")


def test_whatever_has_the_focus_shows_it(visit_as, anna):
    page = visit_as(anna, BLANK, live=False)

    for path in ("profile/", "addresses/add/", "2fa/", "email/"):
        page.goto(f"/users/{path}")
        marks = focus_marks(page)

        assert len(marks) >= 7, path  # the tabs alone are six
        assert [what for what, is_seen in marks.items() if not is_seen] == [], path


def test_enter_in_a_passkeys_name_does_not_send_the_form(visit_as, anna):
    page = visit_as(anna, "/users/2fa/webauthn/add/")

    page.get_by_label("Passkey name").press("Enter")
    page.wait_for_timeout(500)

    expect(page.locator(".field__error, .notice--bad")).to_have_count(0)
    expect(page.get_by_role("heading", name="Add a passkey")).to_be_visible()
