"""What people see when a provider does not let them in."""

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
    """Say what can be done about `error`; None stands for a wrong `state`. One line in
    the log, and no more: Django's own about a status of 401 is taken for it."""
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
    """Providers write some of it: no line breaks, not too long."""
    return f"{type(error).__name__} {str(error)!r:.200}"


def has_account(request: HttpRequest, provider: Provider, email: str) -> HttpResponse:
    """The provider vouches for an address that someone here signs in with already."""
    return render(
        request,
        "socialaccount/has_account.html",
        {"provider": provider, "email": email},
        status=409,
    )


def link_sent(request: HttpRequest, email: str) -> HttpResponse:
    """The same answer as to a new address; its owner gets a mail that they have an
    account, whoever has asked here is told nothing."""
    return perform_login(
        request,
        None,
        email_verification=EmailVerificationMethod.MANDATORY,
        signup=True,
        email=email,
    )
