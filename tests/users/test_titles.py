"""Every page of allauth has a title of ours."""

import pytest
from allauth.account import urls as account
from allauth.mfa import urls as mfa
from allauth.socialaccount import urls as socialaccount
from allauth.usersessions import urls as usersessions
from django.urls import URLPattern, resolve, reverse

from project.views import TitleMixin
from tests.support.factories import make_shopper

# No pages: JSON and a redirect, a text file, and a step that is not offered.
NOT_PAGES = {
    "mfa_login_webauthn",
    "mfa_download_recovery_codes",
    "account_confirm_login_code",
}
ARGUMENTS = {
    "account_confirm_email": ["key"],
    "account_reset_password_from_key": ["1", "key"],
    "mfa_edit_webauthn": [1],
    "mfa_remove_webauthn": [1],
}


def names(patterns) -> list[str]:
    return [
        name
        for pattern in patterns
        for name in (
            [pattern.name]
            if isinstance(pattern, URLPattern)
            else names(pattern.url_patterns)
        )
    ]


PAGES = [
    name
    for module in (account, mfa, socialaccount, usersessions)
    for name in names(module.urlpatterns)
    if name not in NOT_PAGES
]


@pytest.mark.parametrize("name", PAGES)
def test_page_of_allauth_has_our_title(name):
    view = resolve(reverse(name, args=ARGUMENTS.get(name))).func.view_class

    assert issubclass(view, TitleMixin)
    assert view.title or "get_title" in vars(view)


def test_pages_of_allauth_are_all_checked():
    assert len(PAGES) > 25


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path, title",
    [
        ("/users/2fa/", "Sign-in methods"),
        ("/users/2fa/totp/activate/", "Set up an authenticator app"),
        ("/users/2fa/webauthn/", "Passkeys and security keys"),
        ("/users/2fa/webauthn/add/", "Add a passkey"),
        ("/users/3rdparty/", "Connected accounts"),
        ("/users/email/", "Your email address"),
        ("/users/password/change/", "Change your password"),
    ],
)
def test_page_of_allauth_shows_its_title(client_of, path, title):
    client = client_of(make_shopper())
    client.post("/users/reauthenticate/", {"password": "password"})

    page = client.get(path)

    assert page.context["title"] == title
    assert f"<title>{title} ·" in page.text
