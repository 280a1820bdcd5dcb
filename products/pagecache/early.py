"""Cached pages that are answered before the request reaches Django.

A visitor without a session gets a shell (`products.pagecache.shells`) with a new token:
that takes no query, template, thread or middleware. Each process keeps the shells of
pages that its views have returned, with the headers of Django's response, and checks a
few times a second whether their generations are current. Every other request, and each
one that is unusual in any way, goes to Django.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.cookie import parse_cookie
from django.http.request import split_domain_port, validate_host
from django.middleware.csrf import CsrfViewMiddleware, get_token
from django.middleware.gzip import re_accepts_gzip
from django.utils.translation import get_language_from_request

from products.pagecache import caching
from products.pagecache.shells import Shell
from realtime.responses import respond

Scope = dict[str, Any]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Headers = list[tuple[bytes, bytes]]

PATHS = (f"{settings.BASE_PATH}products/",)  # and the front page
MAX_PAGES = 256  # in a process, of some 60 KB each
CHECK_S = 0.25  # between two checks of a page's generations

# Cookies that say who the visitor is, or hold messages for them.
PERSONAL_COOKIES = {settings.SESSION_COOKIE_NAME, settings.MESSAGES_COOKIE_NAME}
# Headers that the answer depends on.
REQUEST_HEADERS = {
    *(b"host", b"x-forwarded-proto", b"authorization", b"cookie"),
    *(b"accept-language", b"accept-encoding", b"if-none-match"),
}
# Headers of the response that are different for each visitor.
VISITOR_HEADERS = {
    *(b"content-length", b"content-encoding", b"etag", b"set-cookie", b"date"),
}
# Headers that a response without a body does not have.
BODY_HEADERS = {b"content-type", b"content-language", b"content-length"}


class PageRequest(NamedTuple):
    """A request that may be answered here."""

    key: tuple  # of the page
    request: HttpRequest
    accepts_gzip: bool
    if_none_match: str

    def matches(self, etag: str) -> bool:
        """Return whether the browser has the page with this ETag."""
        etags = self.if_none_match
        return etag.removeprefix("W/") in etags or etags.strip() == "*"


class Page(NamedTuple):
    """A shell, the headers of its response, and when it is out of date."""

    shell: Shell
    headers: Headers
    generations: dict[str, str]
    expires_at: float


class EarlyPages:
    """An ASGI application around Django's."""

    def __init__(self, django: Callable) -> None:
        self._django = django
        self._pages: OrderedDict[tuple, Page] = OrderedDict()
        self._checked_at: dict[tuple, float] = {}
        self._csrf = CsrfViewMiddleware(lambda request: HttpResponse())
        self._redis = ThreadPoolExecutor(1, thread_name_prefix="early")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = parse(scope) if settings.CATALOGUE_MAX_AGE_S > 0 else None
        if request is None:
            await self._django(scope, receive, send)
            return
        page = self._pages.get(request.key)
        if page is not None and await self._is_current(request.key, page):
            await self._answer(request, page, send)
            return
        await self._django(scope, receive, self._storing(request.key, scope, send))

    # --- Pages ----------------------------------------------------------------

    def _storing(self, key: tuple, scope: Scope, send: Send) -> Send:
        """Return a `send` that stores the shell of the page it sends, if the view has
        handed one over (`views.hand_over`)."""

        async def send_and_store(message: Mapping[str, Any]) -> None:
            handed_over = scope.pop("shop.shell", None)
            # A 304 lacks some headers.
            if handed_over and message.get("status") == handed_over[0].status:
                shell, generations, expires_at = handed_over
                headers = shared_headers(message["headers"])
                self._store(key, Page(shell, headers, generations, expires_at))
            await send(message)

        return send_and_store

    def _store(self, key: tuple, page: Page) -> None:
        self._pages[key] = page
        self._pages.move_to_end(key)
        self._checked_at[key] = 0
        while len(self._pages) > MAX_PAGES:
            oldest, _page = self._pages.popitem(last=False)
            del self._checked_at[oldest]

    async def _is_current(self, key: tuple, page: Page) -> bool:
        """Return whether the page may be shown. Generations are read in a thread, so
        that a Redis that does not answer does not stop this process's sockets."""
        if time.time() >= page.expires_at:
            return False
        if time.monotonic() < self._checked_at[key] + CHECK_S:
            return True
        now = time.monotonic()
        loop = asyncio.get_running_loop()
        generations = await loop.run_in_executor(
            self._redis, caching.read_generations, list(page.generations)
        )
        if generations != page.generations or self._pages.get(key) is not page:
            return False
        self._checked_at[key] = now
        self._pages.move_to_end(key)
        return True

    # --- The answer -----------------------------------------------------------

    async def _answer(self, wanted: PageRequest, page: Page, send: Send) -> None:
        request, shell = wanted.request, page.shell
        badge = shell.empty_badge
        self._csrf.process_request(request)
        token = get_token(request)
        etag = shell.etag(request.META["CSRF_COOKIE"], "", badge.decode())
        headers = [*page.headers, (b"ETag", etag.encode()), *self._cookie(request)]
        if wanted.matches(etag):
            status = HTTPStatus.NOT_MODIFIED
            await respond(send, status, without_body(headers), b"")
        elif wanted.accepts_gzip:
            headers.append((b"Content-Encoding", b"gzip"))
            await respond(send, shell.status, headers, shell.zipped(token, badge))
        else:
            await respond(send, shell.status, headers, shell.filled(token, badge))

    def _cookie(self, request: HttpRequest) -> Headers:
        response = self._csrf.process_response(request, HttpResponse())
        return [
            (b"Set-Cookie", cookie.OutputString().encode())
            for cookie in response.cookies.values()
        ]


def parse(scope: Scope) -> PageRequest | None:
    """Return the request if it may be answered here."""
    path = scope["path"]
    if scope["method"] not in ("GET", "HEAD"):
        return None
    if path != settings.BASE_PATH and not path.startswith(PATHS):
        return None
    headers = _headers(scope)
    if headers is None or b"authorization" in headers:
        return None
    if not _is_allowed(headers.get(b"host", "")):
        return None
    request = HttpRequest()
    request.COOKIES = parse_cookie(headers[b"cookie"]) if b"cookie" in headers else {}
    if not PERSONAL_COOKIES.isdisjoint(request.COOKIES):
        return None
    request.META["HTTP_ACCEPT_LANGUAGE"] = headers.get(b"accept-language", "")
    # The key contains nothing that clients can make up: a client that sent new values
    # could otherwise push out all other pages.
    key = (
        *(_is_secure(scope, headers), path, scope["query_string"]),
        get_language_from_request(request),
    )
    accepts_gzip = re_accepts_gzip.search(headers.get(b"accept-encoding", ""))
    etags = headers.get(b"if-none-match", "")
    return PageRequest(key, request, accepts_gzip is not None, etags)


def _is_allowed(host: str) -> bool:
    """Return whether Django would answer for this host. Pages are the same for all of
    them: their links contain `DOMAIN_NAME`, or no host."""
    domain, _port = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


def _is_secure(scope: Scope, headers: dict[bytes, str]) -> bool:
    """Return whether Django takes the request for HTTPS, as `HttpRequest.scheme`."""
    forwarded = headers.get(b"x-forwarded-proto")
    if settings.SECURE_PROXY_SSL_HEADER and forwarded is not None:
        scheme = forwarded.split(",", 1)[0].strip()
        return scheme == settings.SECURE_PROXY_SSL_HEADER[1]
    return scope.get("scheme") == "https"


def _headers(scope: Scope) -> dict[bytes, str] | None:
    """Return those of `REQUEST_HEADERS`, or None if one of them is there twice."""
    headers: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in REQUEST_HEADERS:
            if name in headers:
                return None
            headers[name] = value.decode("latin1")
    return headers


def shared_headers(headers: Headers) -> Headers:
    """Return the headers that are the same for all visitors."""
    return [each for each in headers if each[0].lower() not in VISITOR_HEADERS]


def without_body(headers: Headers) -> Headers:
    """Return the headers of a 304, which has no body to describe."""
    return [each for each in headers if each[0].lower() not in BODY_HEADERS]
