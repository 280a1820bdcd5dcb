"""An account from its first day on, without a script."""

import re

import pytest
from playwright.sync_api import Page, expect
from post_office.models import Email

from tests.browser.pages import make_shopper as make_shopper_for_the_form
from tests.browser.pages import messages, sign_in
from tests.support.factories import make_picture, make_shopper
from users.models import User

PASSWORD = "lighthouse-keeper-7"

# How often an address is written to is limited, and the limits outlive a test: each has
# an address of its own.

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1"


@pytest.fixture
def page(visit) -> Page:
    """The home page, with JavaScript off."""
    return visit("/", java_script_enabled=False)


def last_mail(to: str) -> Email:
    """The newest of the outbox to this address. Raises `Email.DoesNotExist`."""
    return Email.objects.filter(to=[to]).latest("pk")


def link_in(mail: Email, page: Page) -> str:
    """The path of the one link to this shop that the mail's text has."""
    here = page.url.split("/", 3)[:3]
    return re.search(re.escape("/".join(here)) + r"(/users/\S+)", mail.message)[1]


def sign_up(page: Page, email: str) -> None:
    page.get_by_role("link", name="Create account").first.click()
    page.get_by_label("Email").fill(email)
    page.get_by_label("First name").fill("Anna")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Confirm password").fill(PASSWORD)
    page.locator("main").get_by_role("button", name="Create an account").click()
    expect(page.get_by_role("heading", name="Check your email")).to_be_visible()


def give_password(page: Page, login: str, password: str = PASSWORD) -> None:
    page.goto("/users/login/")
    page.get_by_label("Email or username").fill(login)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def sign_out(page: Page) -> None:
    page.locator("[data-account]").get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()


def test_someone_signs_up_verifies_signs_in_changes_things_and_leaves(page, visit):
    sign_up(page, "anna@example.com")
    page.goto("/users/profile/")  # nobody is signed in yet
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()

    page.goto(link_in(last_mail("anna@example.com"), page))
    page.get_by_role("button", name="Yes, it’s mine").click()
    expect(messages(page)).not_to_be_empty()
    assert User.objects.get().is_verified
    sign_out(page)

    give_password(page, "anna@example.com")
    page.get_by_role("link", name="Anna").click()
    expect(page.get_by_text("Verified", exact=True)).to_be_visible()

    page.get_by_label("Last name").fill("Núñez")
    page.locator("main").get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Anna Núñez")

    page.get_by_role("link", name="Sessions", exact=True).click()
    expect(page.get_by_text("This device")).to_be_visible()
    sign_out(page)
    page.goto("/users/profile/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_link_opened_in_another_browser_verifies_and_asks_to_sign_in(page, visit):
    sign_up(page, "bert@example.com")
    phone = visit(
        link_in(last_mail("bert@example.com"), page), java_script_enabled=False
    )

    phone.get_by_role("button", name="Yes, it’s mine").click()

    assert User.objects.get().is_verified
    expect(phone.get_by_role("link", name="Sign in").first).to_be_visible()


def test_link_is_sent_again_on_request(page):
    sign_up(page, "carl@example.com")

    page.get_by_role("button", name="Resend the link").click()

    expect(messages(page)).to_contain_text("on its way")


def test_forgotten_password_is_chosen_anew(page):
    make_shopper(email="dora@example.com")
    page.goto("/users/login/")
    page.get_by_role("link", name="Forgot your password?").click()

    page.get_by_label("Email").fill("dora@example.com")
    page.get_by_role("button", name="Send me a link").click()
    page.goto(link_in(last_mail("dora@example.com"), page))
    for label in ("New password", "Confirm new password"):
        page.get_by_label(label, exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Save new password").click()

    give_password(page, "dora@example.com")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_picture_and_addresses_come_and_go(page, tmp_path):
    make_shopper_for_the_form(first_name="Anna")
    sign_in(page)
    page.goto("/users/profile/")
    avatar = page.locator("[data-account] img")
    expect(avatar).to_have_count(0)

    file = tmp_path / "me.png"
    file.write_bytes(make_picture().read())
    page.locator("input[name=picture]").set_input_files(file)
    page.locator("main").get_by_role("button", name="Save", exact=True).click()
    expect(avatar).to_have_count(1)

    page.get_by_label("Remove my picture").check()
    page.locator("main").get_by_role("button", name="Save", exact=True).click()
    expect(avatar).to_have_count(0)

    for name in ("Anna at home", "Anna at work"):
        page.get_by_role("link", name="Add address").click()
        page.get_by_label("Full name").fill(name)
        page.get_by_label("Street and number").fill("Hafenstraße 7")
        page.get_by_label("Postcode").fill("20457")
        page.get_by_label("Town or city").fill("Hamburg")
        page.get_by_label("Country").select_option("DE")
        page.get_by_role("button", name="Save address").click()
    default = page.locator(".paper", has=page.get_by_text("Default", exact=True))
    expect(default).to_contain_text("Anna at home")

    page.get_by_role("button", name="Make default").click()
    expect(default).to_contain_text("Anna at work")

    page.get_by_role("link", name=re.compile("Delete.*Anna at home")).click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".paper")).to_have_count(1)


def test_one_other_browser_is_signed_out_there(page, visit):
    make_shopper_for_the_form()
    phone = visit("/", java_script_enabled=False, user_agent=IPHONE)
    laptop = visit("/", java_script_enabled=False)
    for each in (page, phone, laptop):
        sign_in(each)

    page.goto("/users/sessions/")
    page.get_by_role("button", name=re.compile("Sign out this device.*iPhone")).click()

    expect(page.get_by_role("button", name="Sign out this device")).to_have_count(1)
    phone.goto("/")
    expect(phone.get_by_role("link", name="Sign in").first).to_be_visible()
    for each in (page, laptop):
        each.goto("/")
        expect(each.get_by_role("button", name="Sign out")).to_be_visible()


def test_sign_in_page_offers_no_passkey_that_could_not_be_used(page, visit):
    page.goto("/users/login/")
    passkey = page.get_by_role("button", name="Sign in with a passkey")
    expect(passkey).to_be_hidden()

    expect(
        visit("/users/login/").get_by_role("button", name="Sign in with a passkey")
    ).to_be_visible()
