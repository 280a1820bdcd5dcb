"""Pages for people whom a provider doesn't let in."""

import logging

from allauth.account.app_settings import EmailVerificationMethod
from allauth.account.utils import perform_login
from allauth.socialaccount.providers.base import Provider
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.log import log_response
from requests import ConnectionError, Timeout

logger = logging.getLogger("users.oauth")


def failed(
    request: HttpRequest, provider: Provider, error: Exception | None
) -> HttpResponse:
    """Return a page that says what to do about `error`; None means a wrong `state`.

    This logs one line, instead of Django's own about the status 401.
    """
    if error is None:
        reason = "state"
    else:
        reason = "away" if isinstance(error, (ConnectionError, Timeout)) else "answer"
    response = render(
        request,
        "socialaccount/authentication_error.html",
        {"provider": provider, "reason": reason},
        status=401,
    )
    log_response(
        "%s sign-in failed: %s",
        provider.sub_id,
        "unknown state" if error is None else _in_a_line(error),
        response=response,
        request=request,
        logger=logger,
    )
    return response


def _in_a_line(error: Exception) -> str:
    """Return an error as one short line, because a provider may have written it."""
    return f"{type(error).__name__} {str(error)!r:.200}"


def has_account(request: HttpRequest, provider: Provider, email: str) -> HttpResponse:
    """Return a page for somebody whose verified address has an account already."""
    return render(
        request,
        "socialaccount/has_account.html",
        {"provider": provider, "email": email},
        status=409,
    )


def link_sent(request: HttpRequest, email: str) -> HttpResponse:
    """Return the same page as for a new address.

    A mail tells the owner of the address about the account. The page tells nothing.
    """
    return perform_login(
        request,
        None,
        email_verification=EmailVerificationMethod.MANDATORY,
        signup=True,
        email=email,
    )
