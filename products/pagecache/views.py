"""Views of pages that are cached: the same for all visitors who are not signed in."""

from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils.cache import get_conditional_response
from django.utils.translation import get_language
from django.views.generic.base import ContextMixin, TemplateResponseMixin, View

from products.live import baskets, viewers
from products.pagecache import caching, shells
from products.pagecache.shells import Shell

BADGE_TEMPLATE = "products/_basket_badge.html"
HEADERS = {"Cache-Control": "private, no-cache"}  # ask each time; mostly a 304


class SharedPageMixin(TemplateResponseMixin, ContextMixin, View):
    """Show a cached page with the visitor's own token and basket badge in it.

    Visitors who are signed in, or who have messages to read, get a page of their own.
    """

    is_shell = False  # whether the page is being built for the cache

    def shared_query(self) -> str | None:
        """Return the query that the page depends on, normalised (`normalised`), or None
        if the page is not cached."""
        return ""

    def generations(self) -> list[str]:
        """Return the generations that make the page out of date (see `caching`)."""
        return [caching.SHELVES, caching.CATALOGUE]

    def is_personal(self) -> bool:
        """Return whether the page shows more of its visitor than the basket badge."""
        return False

    def dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        if not may_share(request) or self.is_personal():
            return super().dispatch(request, *args, **kwargs)
        query = self.shared_query()
        if query is None:
            return super().dispatch(request, *args, **kwargs)
        entry = self._cached_page(query)
        shell = Shell(**entry.value)
        if request.META.get("QUERY_STRING", "") == query:
            hand_over(request, shell, self.generations(), entry)
        return for_visitor(request, shell)

    def _cached_page(self, query: str) -> caching.Entry:
        name = f"page:{get_language()}:{self.request.path}?{query}"
        build = partial(self._build, query)
        return caching.cached_entry(name, self.generations(), build)

    def _build(self, query: str) -> dict:
        """Render the page for the normalised query: parameters that somebody added to
        the address must not be shown to others."""
        request = self.request
        request.META["QUERY_STRING"], request.GET = query, QueryDict(query)
        self.is_shell = True
        response = super().dispatch(request, *self.args, **self.kwargs)
        assert isinstance(response, TemplateResponse)
        return {
            "status": response.status_code,
            "html": response.render().text,
            "empty_badge": _rendered_badge(baskets.EMPTY_BASKET, 0),
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if self.is_shell:
            # Nothing of the visitor for whom the page happens to be built.
            kwargs |= {"csrf_token": shells.TOKEN, "badge_hole": shells.BADGE}
            kwargs |= {"baskets": None}
        return super().get_context_data(**kwargs)


def may_share(request: HttpRequest) -> bool:
    """Return whether the visitor may get a page that is the same for all."""
    return (
        settings.CATALOGUE_MAX_AGE_S > 0
        and request.method in ("GET", "HEAD")
        and not request.user.is_authenticated
        and not len(get_messages(request))
    )


def for_visitor(request: HttpRequest, shell: Shell) -> HttpResponse:
    """Return the page with the visitor's token and badge, or a 304."""
    token = get_token(request)
    owner = viewers.owner_of(request.session, request.user)
    badge = _badge(owner) if owner else shell.empty_badge
    personal = request.META["CSRF_COOKIE"], owner.key if owner else "", badge.decode()
    content = shell.filled(token, badge)
    response = HttpResponse(content, status=shell.status, headers=HEADERS)
    response["ETag"] = etag = shell.etag(*personal)
    return get_conditional_response(request, etag=etag, response=response) or response


def _badge(owner: viewers.Owner) -> bytes:
    state = baskets.summary(owner)
    return _rendered_badge(state.facts, state.version).encode()


def _rendered_badge(facts: dict, version: int) -> str:
    return render_to_string(BADGE_TEMPLATE, {"basket": facts, "version": version})


def hand_over(
    request: HttpRequest, shell: Shell, names: list[str], entry: caching.Entry
) -> None:
    """Hand the shell to `products.pagecache.early`, which answers the next requests for
    the page."""
    if scope := getattr(request, "scope", None):
        generations = dict(zip(names, entry.generations))
        scope["shop.shell"] = (shell, generations, entry.expires_at)


def normalised(**parameters: str | int | None) -> str:
    """Return a query with its parameters sorted, without empty ones."""
    return urlencode(sorted((k, v) for k, v in parameters.items() if v))
