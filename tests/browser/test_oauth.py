"""Signing in with a provider, from the button to the header, before a real one."""

import re
from collections.abc import Iterator

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from playwright.sync_api import Page, expect

from products.basket import services as baskets
from products.live.viewers import Owner
from products.models import Basket, Variant
from tests.browser.pages import badge, make_shopper, sign_in, wait_until_live
from tests.support.factories import make_basket, make_category, make_variants
from tests.support.provider.people import NADIA, UMA, Person
from tests.support.provider.server import Provider
from tests.support.servers import Daphne
from users.models import Session, User

ENOUGH_S = 8  # for the shop to give up on a provider that hangs: 5, and a page


@pytest.fixture(scope="session")
def the_provider(tmp_path_factory) -> Iterator[Provider]:
    provider = Provider(tmp_path_factory.mktemp("provider"))
    yield provider
    provider.stop()


@pytest.fixture(scope="session")
def the_shop(make_daphne, the_provider) -> Daphne:
    shop = make_daphne(**the_provider.keys)
    the_provider.shop = shop.url
    return shop


@pytest.fixture
def daphne(the_shop) -> Daphne:
    """The shop that offers the provider."""
    return the_shop


@pytest.fixture
def provider(the_shop, the_provider) -> Provider:
    """Running, whatever the test before has done to it."""
    if not the_provider.is_ready():
        the_provider.stop()
        the_provider.start()
    return the_provider


@pytest.fixture
def shelf(transactional_db) -> list[Variant]:
    return make_variants(3, category=make_category(), price="5.00")


def press(page: Page) -> None:
    page.get_by_role("button", name="Harbour ID").click()


def go(page: Page) -> None:
    """From the sign-in page to the provider."""
    press(page)
    page.wait_for_url(re.compile("^http://127.0.0.1:"))


def consent(page: Page, person: Person = NADIA, *, but: str = "") -> None:
    """Sign in over there, and let the shop know who one is, `but` for something."""
    if page.get_by_label("Password").count():
        page.locator("[name=login]").fill(person.username)
        page.locator("[name=password]").fill("password")
        page.locator("form button[type=submit]").last.click()
    if but:
        page.get_by_label(but).uncheck()
    page.get_by_role("button", name="Authorize").click()


def come_with_harbour(page: Page, person: Person = NADIA) -> None:
    page.goto("/users/login/")
    go(page)
    consent(page, person)


def way_back(page: Page) -> str:
    """Go there, consent, and stay: the address the provider wants one to go to."""
    urls = []

    def keep(route) -> None:
        if route.request.method != "POST":
            return route.continue_()
        urls.append(route.fetch(max_redirects=0).headers["location"])
        route.fulfill(body="kept")

    go(page)
    page.route("**/identity/o/authorize*", keep)
    consent(page)
    expect(page.locator("body")).to_have_text("kept")
    return urls.pop()


def expect_signed_in(page: Page) -> None:
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def expect_nobody_in(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()
    assert not any("_auth_user_id" in s.get_decoded() for s in Session.objects.all())


def forgive(complaints: list[str], status: int) -> None:
    """Browsers write answers of 4xx on their console: one is what the test expects."""
    assert [c for c in complaints if f"status of {status}" not in c] == []
    assert complaints.pop() and not complaints


def test_somebody_new_comes_in_verified_named_and_with_their_basket(
    visit, provider, shelf
):
    page = visit("/users/login/?next=/basket/", basket={shelf[0]: 2, shelf[1]: 1})
    go(page)
    consent(page)

    expect(page).to_have_url(re.compile("^http://localhost:[0-9]+/basket/$"))
    expect_signed_in(page)
    wait_until_live(page)
    expect(badge(page)).to_have_text("3")
    nadia = User.objects.get()
    assert nadia.get_full_name() == "Nadia Comăneci"
    assert (nadia.email, nadia.is_verified) == (NADIA.email, True)
    assert not nadia.has_usable_password()
    account = SocialAccount.objects.get(user=nadia)
    assert account.provider == "sso"
    lines = baskets.open_for(Owner(user_id=nadia.pk)).lines
    assert {line.variant: line.quantity for line in lines.all()} == {
        shelf[0]: 2,
        shelf[1]: 1,
    }


def test_somebody_who_was_here_gets_their_account_and_baskets_joined_once(
    visit, provider, shelf
):
    come_with_harbour(visit())
    nadia = _the_only_person()
    make_basket(Owner(user_id=nadia.pk), {shelf[0]: 1})

    page = visit("/products/", basket={shelf[0]: 2})
    come_with_harbour(page)

    expect_signed_in(page)
    expect(badge(page)).to_have_text("3")
    page.reload()
    expect(badge(page)).to_have_text("3")
    assert _the_only_person() == nadia
    assert SocialAccount.objects.count() == 1
    assert Basket.objects.filter(status="open").count() == 1


def _the_only_person() -> User:
    """Once they are in the database."""
    return User.objects.get()


def test_without_javascript_it_works_as_well(visit, provider):
    page = visit("/", java_script_enabled=False)
    come_with_harbour(page)

    expect_signed_in(page)


def test_an_address_that_has_a_password_is_not_taken_over(visit, provider, complaints):
    make_shopper("nadia", email=NADIA.email)
    page = visit()

    come_with_harbour(page)

    expect(page.locator("h1")).to_have_text("You already have an account")
    expect(page.locator("main")).to_contain_text(NADIA.email)
    forgive(complaints, 409)
    assert SocialAccount.objects.count() == 0
    assert User.objects.count() == 1
    expect_nobody_in(page)


def test_from_that_page_one_signs_in_and_connects(visit, provider, complaints):
    shopper = make_shopper("nadia", email=NADIA.email)
    page = visit()
    come_with_harbour(page)
    page.get_by_role("link", name="Sign in with your password").click()
    forgive(complaints, 409)

    page.locator("[name=login]").fill(NADIA.email)
    page.locator("[name=password]").fill("password")
    page.get_by_role("button", name="Sign in", exact=True).click()
    go(page)
    consent(page)
    _give_the_password(page)

    expect(page.get_by_role("button", name="Disconnect Harbour ID")).to_be_visible()
    assert SocialAccount.objects.get().user == shopper
    another = visit()
    come_with_harbour(another)
    expect_signed_in(another)


def _give_the_password(page: Page) -> None:
    """Changes of sign-in methods require signing in again."""
    page.locator("[name=password]").fill("password")
    page.locator("main form button[type=submit]").last.click()


def test_a_provider_is_connected_in_the_profile_and_disconnected(visit, provider):
    shopper = make_shopper()
    EmailAddress.objects.create(user=shopper, email=shopper.email, verified=True)
    page = visit()
    sign_in(page)
    page.goto("/users/3rdparty/")
    go(page)
    consent(page)
    _give_the_password(page)
    assert SocialAccount.objects.get().user == shopper

    page.get_by_role("button", name="Disconnect Harbour ID").click()

    expect(page.get_by_role("button", name="Disconnect Harbour ID")).to_have_count(0)
    expect_signed_in(page)
    assert SocialAccount.objects.count() == 0


def test_the_only_way_in_is_not_disconnected(visit, provider):
    page = visit()
    come_with_harbour(page)
    expect_signed_in(page)
    page.goto("/users/3rdparty/")

    page.get_by_role("button", name="Disconnect Harbour ID").click()

    expect(page.locator("main")).to_contain_text("This is your only way to sign in")
    expect(page.get_by_role("link", name="Set a password")).to_be_visible()
    assert SocialAccount.objects.count() == 1


def test_an_address_nobody_vouches_for_is_verified_by_mail(visit, provider):
    page = visit()

    come_with_harbour(page, UMA)

    expect(page).to_have_url(re.compile("/users/confirm-email/$"))
    assert not User.objects.get(email=UMA.email).is_verified
    expect_nobody_in(page)


def test_who_keeps_their_address_is_asked_for_one(visit, provider):
    page = visit("/users/login/")
    go(page)
    consent(page, but="View your email address")

    expect(page.locator("h1")).to_have_text("Almost done")
    page.get_by_label("Email").fill("other@example.com")
    page.get_by_role("button", name="Create account").click()

    expect(page).to_have_url(re.compile("/users/confirm-email/$"))
    person = User.objects.get()
    assert (person.email, person.is_verified) == ("other@example.com", False)
    assert person.first_name == "Nadia"
    expect_nobody_in(page)


def test_consent_denied_is_a_page_with_a_way_back(visit, provider):
    page = visit("/users/login/")
    go(page)
    page.locator("[name=login]").fill(NADIA.username)
    page.locator("[name=password]").fill("password")
    page.locator("form button[type=submit]").last.click()

    page.get_by_role("button", name="Cancel").click()

    expect(page.locator("h1")).to_have_text("Sign-in cancelled")
    page.get_by_role("link", name="Back to sign in").click()
    expect(page.get_by_role("button", name="Harbour ID")).to_be_visible()
    assert User.objects.count() == 0


@pytest.mark.parametrize("tamper", ["another", "none", "replayed"])
def test_a_state_that_is_not_ours_lets_nobody_in(visit, provider, complaints, tamper):
    page = visit("/users/login/")
    url = way_back(page)
    if tamper == "replayed":  # by somebody else, who has seen it
        page = visit("/users/login/")
    else:
        state = {"another": "&state=x", "none": ""}[tamper]
        url = re.sub("&state=[^&]*", "", url) + state
    page.goto(url)

    expect(page.locator("h1")).to_have_text("We couldn’t sign you in")
    expect(page.locator("main")).to_contain_text("couldn’t match this response")
    forgive(complaints, 401)
    assert User.objects.count() == 0
    expect_nobody_in(page)


def test_a_provider_that_is_down_is_said_to_be(visit, provider, daphne, complaints):
    page = visit("/users/login/")
    provider.stop()
    mark = daphne.mark()

    press(page)

    expect(page.locator("main")).to_contain_text("isn’t responding at the moment")
    forgive(complaints, 401)
    lines = [line for line in daphne.said(mark).splitlines() if "WARNING" in line]
    assert len(lines) == 1 and "ConnectionError" in lines[0]
    assert "Traceback" not in daphne.said(mark)
    page.get_by_role("link", name="Back to sign in").click()
    expect(page.get_by_role("button", name="Harbour ID")).to_be_visible()


def test_a_provider_that_is_down_on_the_way_back_is_said_to_be(
    visit, provider, complaints
):
    page = visit("/users/login/")
    url = way_back(page)
    provider.kill()

    page.goto(url)

    expect(page.locator("main")).to_contain_text("isn’t responding at the moment")
    forgive(complaints, 401)
    assert User.objects.count() == 0
    expect_nobody_in(page)


def test_a_provider_that_hangs_is_given_up_and_holds_nobody_else(
    visit, provider, complaints
):
    page, other = visit("/users/login/"), visit()
    with provider.frozen():
        page.evaluate("document.querySelector('form[action*=sso]').submit()")
        other.goto("/products/")
        expect(other.locator("h1")).to_be_visible()
        said = page.get_by_text("isn’t responding at the moment")
        expect(said).to_be_visible(timeout=ENOUGH_S * 1000)

    forgive(complaints, 401)
