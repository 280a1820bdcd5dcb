"""Middleware for caching of private pages, and for second factors of staff."""

from collections.abc import Callable
from typing import Any

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import ResolverMatch
from django.utils.cache import add_never_cache_headers, patch_cache_control
from django.utils.translation import gettext as _

from project.second_factors import Proof, proof

Handler = Callable[[HttpRequest], HttpResponse]

ACCOUNT_PAGES = f"{settings.BASE_PATH}users/"  # the prefix of their paths
STAFF_PAGES = {"admin", "staff"}  # namespaces of URLs
OPEN_TO_STAFF = {"login", "logout"}
FACTOR_PAGES_WITHOUT_CHANGES = {
    "mfa_index",
    "mfa_list_webauthn",
    "mfa_authenticate",
    "mfa_reauthenticate",
    "mfa_reauthenticate_webauthn",
    "mfa_login_webauthn",
}


def private_pages(get_response: Handler) -> Handler:
    """Keep private pages out of shared caches, without a query.

    After signing out, the back button shows no page of the account.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.has_header("Cache-Control"):
            return response
        if _is_about_an_account(request):
            add_never_cache_headers(response)
        elif request.session.accessed:  # a basket, a message
            patch_cache_control(response, private=True)
        return response

    return middleware


def _is_about_an_account(request: HttpRequest) -> bool:
    match = request.resolver_match
    is_account_page = match is not None and f"/{match.route}".startswith(ACCOUNT_PAGES)
    if is_account_page or not request.session.accessed:
        return is_account_page
    return SESSION_KEY in request.session


class SecondFactorMiddleware:
    """Require a second factor for staff pages, if STAFF_MFA_REQUIRED is set.

    Staff also need a session with a proven factor to change their factors. Otherwise,
    somebody with a stolen password could add one. Other people and pages cost no query.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Handler, args: tuple, kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        address = request.resolver_match
        if not settings.STAFF_MFA_REQUIRED or address is None:
            return None
        is_staff_page = _is_staff_page(address)
        if not (is_staff_page or _changes_factors(address)):
            return None
        user = request.user
        if not (user.is_authenticated and (user.is_staff or user.is_superuser)):
            return None
        match proof(request.session, user.pk):
            case Proof.MISSING:
                return _ask_for_proof(request)
            case Proof.NONE if is_staff_page:
                return _ask_for_factor(request)
        return None


def _is_staff_page(address: ResolverMatch) -> bool:
    is_staff_page = not STAFF_PAGES.isdisjoint(address.namespaces)
    return is_staff_page and (address.url_name or "") not in OPEN_TO_STAFF


def _changes_factors(address: ResolverMatch) -> bool:
    name = address.url_name or ""
    return name.startswith("mfa_") and name not in FACTOR_PAGES_WITHOUT_CHANGES


def _ask_for_factor(request: HttpRequest) -> HttpResponse:
    text = _("Staff accounts need two-step verification. Please set it up to continue.")
    messages.warning(request, text)
    return redirect("mfa_index")


def _ask_for_proof(request: HttpRequest) -> HttpResponse:
    """Redirect to the page that asks for the user's factor, and from there back."""
    ways = get_adapter().get_reauthentication_methods(request.user)
    page = next(way["url"] for way in ways if way["id"].startswith("mfa_"))
    messages.warning(
        request, _("Staff pages need two-step verification. Please confirm it’s you.")
    )
    back = request.get_full_path() if request.method == "GET" else request.path
    return redirect_to_login(back, login_url=page)
