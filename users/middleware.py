"""What holds for many pages: who sees them afterwards, and who must prove more."""

from collections.abc import Callable
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.cache import add_never_cache_headers, patch_cache_control
from django.utils.translation import gettext as _

Handler = Callable[[HttpRequest], HttpResponse]

STAFF_PAGES = {"admin", "staff"}  # namespaces
# Recovery codes alone are none.
FACTORS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
OPEN_TO_STAFF = {"login", "logout"}


def private_pages(get_response: Handler) -> Handler:
    """Pages made for one person stay with them: no cache that others share keeps one,
    and the back button shows none after signing out. Costs no query."""

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
    is_account_page = match is not None and match.route.startswith("users/")
    if is_account_page or not request.session.accessed:
        return is_account_page
    return SESSION_KEY in request.session


class SecondFactorMiddleware:
    """Where STAFF_MFA_REQUIRED is set, staff see staff's pages once they have a second
    factor; sign-in asks for it from then on. Other people and pages cost no query."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Handler, args: tuple, kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        if not (settings.STAFF_MFA_REQUIRED and _is_guarded(request)):
            return None
        user = request.user
        is_staff = user.is_authenticated and (user.is_staff or user.is_superuser)
        if not is_staff or is_mfa_enabled(user, FACTORS):
            return None
        messages.warning(
            request,
            _("Staff need a second factor. Please set one up, then come back."),
        )
        return redirect("mfa_index")


def _is_guarded(request: HttpRequest) -> bool:
    match = request.resolver_match
    is_staff_page = not STAFF_PAGES.isdisjoint(match.namespaces)
    return is_staff_page and match.url_name not in OPEN_TO_STAFF
