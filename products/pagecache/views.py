"""Pages that are the same for everybody who is not signed in."""

from urllib.parse import urlencode

from django.conf import settings
from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response
from django.utils.translation import get_language
from django.views.generic.base import TemplateResponseMixin

from products.live import baskets, viewers
from products.pagecache import caching, shells
from products.pagecache.shells import Shell

HEADERS = {"Cache-Control": "private, no-cache"}  # ask each time; mostly a 304


class SharedPageMixin(TemplateResponseMixin):
    """Show visitors a page out of the cache, with their own basket and tokens in it.

    Who has signed in, or is to read a message, gets a page of their own.
    """

    def shared_query(self) -> str | None:
        """The query, in one spelling, that the page depends on; None if the page is
        too special to be kept."""
        return ""

    def generations(self) -> list[str]:
        """What makes the page out of date (`products.pagecache.caching`)."""
        return [caching.SHELVES, caching.CATALOGUE]

    def is_personal(self) -> bool:
        """Whether it holds more of its visitor than the badge of their basket."""
        return False

    def get(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        if not may_share(request) or self.is_personal():
            return super().get(request, *args, **kwargs)
        query = self.shared_query()
        if query is None:
            return super().get(request, *args, **kwargs)
        kept = self._kept(query)
        shell = Shell(**kept.value)
        if request.META.get("QUERY_STRING", "") == query:
            hand_over(request, shell, self.generations(), kept)
        return for_visitor(request, shell)

    def _kept(self, query: str) -> caching.Kept:
        name = f"page:{get_language()}:{self.request.path}?{query}"
        return caching.keep(name, self.generations(), lambda: self._build(query))

    def _build(self, query: str) -> dict:
        """The page as if asked for by its one address, whatever was added to that."""
        request = self.request
        request.META["QUERY_STRING"], request.GET = query, QueryDict(query)
        self.is_shell = True
        response = super().get(request, *self.args, **self.kwargs)
        badge = {"basket": baskets.EMPTY_BASKET, "version": 0}
        return {
            "status": response.status_code,
            "html": response.render().text,
            "nobody": render_to_string(BADGE_TEMPLATE, badge),
        }

    is_shell = False

    def get_context_data(self, **kwargs) -> dict:
        if self.is_shell:
            # Nothing of whoever happens to be served when it is built.
            kwargs |= {"csrf_token": shells.TOKEN, "badge_hole": shells.BADGE}
            kwargs |= {"baskets": None}
        return super().get_context_data(**kwargs)


BADGE_TEMPLATE = "products/_basket_badge.html"


def may_share(request: HttpRequest) -> bool:
    """Whether the visitor may be shown what was made for all."""
    return (
        settings.CATALOGUE_MAX_AGE_S > 0
        and request.method in ("GET", "HEAD")
        and not request.user.is_authenticated
        and not len(get_messages(request))
    )


def for_visitor(request: HttpRequest, shell: Shell) -> HttpResponse:
    """The page with their token and basket, or "as you have it" (304)."""
    token = get_token(request)
    owner = viewers.owner_of(request.session, request.user)
    badge = _badge(owner) if owner else shell.nobody
    whose = request.META["CSRF_COOKIE"], owner.key if owner else "", badge.decode()
    content = shell.filled(token, badge)
    response = HttpResponse(content, status=shell.status, headers=HEADERS)
    response["ETag"] = etag = shell.etag(*whose)
    return get_conditional_response(request, etag=etag, response=response)


def _badge(owner: viewers.Owner) -> bytes:
    state = baskets.summary(owner)
    facts = {"basket": state.facts, "version": state.version}
    return render_to_string(BADGE_TEMPLATE, facts).encode()


def hand_over(
    request: HttpRequest, shell: Shell, names: list[str], kept: caching.Kept
) -> None:
    """Leave the shell where `products.pagecache.early` finds it, which may serve it
    next time."""
    if scope := getattr(request, "scope", None):
        scope["shop.shell"] = (shell, dict(zip(names, kept.under)), kept.until)


def normalised(**parameters: str | int | None) -> str:
    """A query in one spelling: sorted, without what is empty."""
    return urlencode(sorted((k, v) for k, v in parameters.items() if v))
