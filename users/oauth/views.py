"""The views that send people to a provider and receive them back.

A provider may take seconds, and may answer anything. So there is no open transaction
and no lock during a request to it, and a bad answer leads to a page, not to an error.
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import TYPE_CHECKING

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.oauth2.views import (
    OAuth2Adapter,
    OAuth2CallbackView,
    OAuth2LoginView,
)
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from users.oauth import pages

if TYPE_CHECKING:
    from django.http.request import _ImmutableQueryDict

View = Callable[[HttpRequest, OAuth2Adapter], HttpResponse]


class Writes(ExitStack):
    """A transaction that begins in the middle of a view."""

    begun = False

    def begin(self) -> None:
        self.begun = True
        self.enter_context(transaction.atomic())


class ProviderRequest(HttpRequest):
    """A request in which a provider takes part."""

    writes: Writes


def towards_a_provider(view: View) -> Callable[..., HttpResponse]:
    """Turn a view of an adapter into one of its class; 404 if it isn't offered."""

    @never_cache
    @wraps(view)
    def guarded(
        request: ProviderRequest, adapter_class: type[OAuth2Adapter], **kwargs: str
    ) -> HttpResponse:
        adapter = adapter_class(request, **kwargs)
        provider = adapter.get_provider()
        try:
            with Writes() as request.writes:
                return view(request, adapter)
        except IntegrityError as error:  # two requests of the same person at once
            return pages.failed(request, provider, error)
        except (DatabaseError, ImmediateHttpResponse, PermissionDenied):
            raise
        except Exception as error:
            if request.writes.begun:
                raise  # our own error, not the provider's
            return pages.failed(request, provider, error)

    return guarded


@require_http_methods(["GET", "POST"])
@towards_a_provider
def start(request: HttpRequest, adapter: OAuth2Adapter) -> HttpResponse:
    """Ask for confirmation (GET), or send the visitor to the provider (POST)."""
    request.GET = _known_parameters(request)
    is_connecting = request.GET.get("process") == AuthProcess.CONNECT
    if is_connecting and not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    response = OAuth2LoginView.adapter_view(adapter)(request)
    if response.status_code != 302:
        return response
    # A page, not a redirect: Chromium applies `form-action` to all redirects after a
    # form, and providers redirect to other hosts.
    return render(
        request,
        "socialaccount/login_redirect.html",
        {"provider": adapter.get_provider(), "redirect_to": response.url},
    )


def _known_parameters(request: HttpRequest) -> "_ImmutableQueryDict":
    """Return the parameters `next` and `process` alone.

    allauth would also accept `scope` and `auth_params` from a link. The shop decides
    those.
    """
    query = request.GET.copy()
    for name in set(query) - {"process", "next"}:
        del query[name]
    if query.get("process") not in (None, AuthProcess.LOGIN, AuthProcess.CONNECT):
        del query["process"]
    return QueryDict(query.urlencode())


@require_http_methods(["GET"])
@towards_a_provider
def callback(request: HttpRequest, adapter: OAuth2Adapter) -> HttpResponse:
    """Receive people whom a provider has redirected to us."""
    return OAuth2CallbackView.adapter_view(adapter)(request)


def not_there(request: HttpRequest) -> HttpResponse:
    """Answer 404 for allauth's addresses that the shop doesn't use."""
    raise Http404
