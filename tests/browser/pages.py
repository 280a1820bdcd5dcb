"""The pages' parts, as tests name them."""

import time
from functools import cache

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.hashers import Argon2PasswordHasher
from playwright.sync_api import BrowserContext, Locator, Page, expect

from products.live.viewers import BASKET_TOKEN
from products.models import Variant
from project.sessions import SessionStore
from tests.support.factories import make_basket, make_user
from users.models import User


def wait_until_live(page: Page) -> None:
    """Until the socket has answered what is newer than the page. (Playwright's `expect`
    looks again after pauses that grow; this knows at once.)"""
    page.locator('html[data-live="up"]').wait_for(state="attached")


def another_tab(page: Page, path: str) -> Page:
    """One more tab of the same visitor."""
    tab = page.context.new_page()
    tab.goto(path)
    wait_until_live(tab)
    return tab


def stock(page: Page, variant: Variant) -> Locator:
    """Price and stock of a product, wherever the page shows it first."""
    return page.locator(f'[data-topic="stock:{variant.pk}"]').first


def buy(page: Page, variant: Variant) -> Locator:
    """The product's add button."""
    return page.locator(f'[data-buy="{variant.pk}"]').first


def badge(page: Page) -> Locator:
    """The number on the basket in the header."""
    return page.locator('[data-topic="basket"] .basket-badge__count')


def line(page: Page, variant: Variant) -> Locator:
    """The product's line in the basket."""
    return page.locator(f'[data-topic="basket:lines"] [data-key="{variant.pk}"]')


def quantity(page: Page, variant: Variant) -> Locator:
    return page.locator(f'input[name="quantity-{variant.pk}"]')


def remove(page: Page, variant: Variant) -> Locator:
    return line(page, variant).get_by_role("button", name="Remove")


def total(page: Page) -> Locator:
    """The basket's sum, on its page."""
    return page.locator(".summary__total dd")


def messages(page: Page) -> Locator:
    return page.locator("#messages")


def notice(page: Page) -> Locator:
    """The sentence that live updates are paused."""
    return page.locator("#live-status")


def mark(page: Page) -> None:
    """Remember that this very page has not been loaded again."""
    page.evaluate("window.isThisVeryPage = true")


def expect_no_reload(page: Page) -> None:
    assert page.evaluate("window.isThisVeryPage") is True


def make_shopper(username: str = "shopper", **fields) -> User:
    """Somebody who signs in with "password", hashed as Daphne wants it."""
    user = make_user(username=username, **fields)
    user.password = _hashed("password")
    user.save()
    return user


@cache
def _hashed(password: str) -> str:
    """Slow by intent, so once a session is enough. It is the shop's own hash: another
    would be checked, and then made anew with the shop's."""
    return Argon2PasswordHasher().encode(password, "salt-of-16-letters-or-more")


def sign_in(page: Page, username: str = "shopper") -> None:
    """Go to the form and send it."""
    page.goto("/users/login/")
    fill_sign_in(page, username)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def fill_sign_in(page: Page, username: str) -> None:
    """Send the form that the page shows."""
    page.locator("input[name=login]").fill(username)
    page.locator("input[name=password]").fill("password")
    page.locator("main").get_by_role("button", name="Sign in", exact=True).click()


def bring_basket(
    context: BrowserContext, address: str, lines: dict[Variant, int]
) -> None:
    """Give the visitor a session and a basket, as if they had filled it before."""
    basket = make_basket(lines=lines)
    session = SessionStore()
    session[BASKET_TOKEN] = basket.token
    session.create()
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session.session_key}
    context.add_cookies([cookie | {"url": address}])


def bring_session(context: BrowserContext, address: str, user: User) -> None:
    """Let the visitor be `user`, as if they had signed in and given their password
    again just now."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session["account_authentication_methods_user"] = str(user.pk)
    session["account_authentication_methods"] = [
        {"method": "password", "at": time.time(), "reauthenticated": True}
    ]
    session.create()
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session.session_key}
    context.add_cookies([cookie | {"url": address}])
