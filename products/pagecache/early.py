"""Pages that are answered before Django is asked.

To a visitor without a session a page of the catalogue is a shell to be filled
(`products.pagecache.shells`): no query, no template, no thread and no middleware. This
process keeps the shells that its pages were made of, with the headers of the answer
that Django gave, and looks a few times a second whether they are out of date. Whatever
is not quite as expected is Django's.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
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
Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Headers = list[tuple[bytes, bytes]]

PLACES = (f"{settings.BASE_PATH}products/",)  # and the front page
PAGES = 256  # kept by a process, some 60 KB each
TRUST_S = 0.25  # so long it is not asked again whether one is out of date

# What says who the visitor is, or what they are to be told.
PERSONAL = {settings.SESSION_COOKIE_NAME, settings.MESSAGES_COOKIE_NAME}
WANTED = {
    *(b"host", b"x-forwarded-proto", b"authorization", b"cookie"),
    *(b"accept-language", b"accept-encoding", b"if-none-match"),
}
# Of the answer that is kept these are made anew; and these an empty one has not.
ANEW = {b"content-length", b"content-encoding", b"etag", b"set-cookie", b"date"}
OF_CONTENT = {b"content-type", b"content-language", b"content-length"}


class Asked(NamedTuple):
    """A request that may be answered here."""

    key: tuple
    request: HttpRequest
    takes_gzip: bool
    known: str  # If-None-Match: the etags that the visitor has

    def has(self, etag: str) -> bool:
        """Whether the visitor has it; weak or not makes no difference."""
        return etag.removeprefix("W/") in self.known or self.known.strip() == "*"


class Page(NamedTuple):
    """A shell, the headers it goes with, and when it is out of date."""

    shell: Shell
    headers: Headers
    under: dict[str, str]
    until: float


class EarlyPages:
    """An ASGI application around Django's."""

    def __init__(self, django: Callable) -> None:
        self._django = django
        self._pages: OrderedDict[tuple, Page] = OrderedDict()
        self._checked: dict[tuple, float] = {}
        self._csrf = CsrfViewMiddleware(lambda request: HttpResponse())
        self._redis = ThreadPoolExecutor(1, thread_name_prefix="early")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = read(scope) if settings.CATALOGUE_MAX_AGE_S > 0 else None
        if asked is None:
            await self._django(scope, receive, send)
            return
        page = self._pages.get(asked.key)
        if page is not None and await self._is_current(asked.key, page):
            await self._answer(asked, page, send)
            return
        await self._django(scope, receive, self._learning(asked.key, scope, send))

    # --- What is kept ---------------------------------------------------------

    def _learning(self, key: tuple, scope: Scope, send: Send) -> Send:
        """A `send` that keeps the shell of the page that goes through it."""

        async def learn(message: dict[str, Any]) -> None:
            handed = scope.pop("shop.shell", None)
            # A 304 has not all the headers.
            if handed is not None and message.get("status") == handed[0].status:
                shell, under, until = handed
                headers = lasting(message["headers"])
                self._keep(key, Page(shell, headers, under, until))
            await send(message)

        return learn

    def _keep(self, key: tuple, page: Page) -> None:
        self._pages[key] = page
        self._pages.move_to_end(key)
        self._checked[key] = 0
        while len(self._pages) > PAGES:
            oldest, _page = self._pages.popitem(last=False)
            del self._checked[oldest]

    async def _is_current(self, key: tuple, page: Page) -> bool:
        """Whether the page may still be shown. A Redis that does not answer keeps a
        thread waiting, not the sockets of this process."""
        if time.time() >= page.until:
            return False
        if time.monotonic() < self._checked[key] + TRUST_S:
            return True
        now = time.monotonic()
        loop = asyncio.get_running_loop()
        under = await loop.run_in_executor(
            self._redis, caching.generations, list(page.under)
        )
        if under != page.under or self._pages.get(key) is not page:
            return False
        self._checked[key] = now
        self._pages.move_to_end(key)
        return True

    # --- The answer -----------------------------------------------------------

    async def _answer(self, asked: Asked, page: Page, send: Send) -> None:
        request, shell = asked.request, page.shell
        self._csrf.process_request(request)
        token = get_token(request)
        etag = shell.etag(request.META["CSRF_COOKIE"], "", shell.nobody.decode())
        headers = [*page.headers, (b"ETag", etag.encode()), *self._cookie(request)]
        if asked.has(etag):
            status = HTTPStatus.NOT_MODIFIED
            await respond(send, status, without_content(headers), b"")
        elif asked.takes_gzip:
            headers.append((b"Content-Encoding", b"gzip"))
            await respond(
                send, shell.status, headers, shell.zipped(token, shell.nobody)
            )
        else:
            await respond(
                send, shell.status, headers, shell.filled(token, shell.nobody)
            )

    def _cookie(self, request: HttpRequest) -> Headers:
        response = self._csrf.process_response(request, HttpResponse())
        return [
            (b"Set-Cookie", cookie.OutputString().encode())
            for cookie in response.cookies.values()
        ]


def read(scope: Scope) -> Asked | None:
    """The request, if it may be answered here."""
    path = scope["path"]
    if scope["method"] not in ("GET", "HEAD"):
        return None
    if path != settings.BASE_PATH and not path.startswith(PLACES):
        return None
    headers = _headers(scope)
    if headers is None or b"authorization" in headers:
        return None
    if not _is_ours(headers.get(b"host", "")):
        return None
    request = HttpRequest()
    request.COOKIES = parse_cookie(headers[b"cookie"]) if b"cookie" in headers else {}
    if not PERSONAL.isdisjoint(request.COOKIES):
        return None
    request.META["HTTP_ACCEPT_LANGUAGE"] = headers.get(b"accept-language", "")
    # Nothing in it is the client's to make up: else who sends a new value each time
    # would push out every page that others ask for.
    key = (
        *(_is_secure(scope, headers), path, scope["query_string"]),
        get_language_from_request(request),
    )
    takes_gzip = re_accepts_gzip.search(headers.get(b"accept-encoding", ""))
    known = headers.get(b"if-none-match", "")
    return Asked(key, request, takes_gzip is not None, known)


def _is_ours(host: str) -> bool:
    """Whether Django would answer to that host. Which of them it is, and at what port,
    makes no difference to a page: its links say `DOMAIN_NAME`, or no host."""
    domain, _port = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


def _is_secure(scope: Scope, headers: dict[bytes, str]) -> bool:
    """Whether Django takes it for https, as `HttpRequest.scheme` does."""
    said = headers.get(b"x-forwarded-proto")
    if settings.SECURE_PROXY_SSL_HEADER and said is not None:
        return said.split(",", 1)[0].strip() == settings.SECURE_PROXY_SSL_HEADER[1]
    return scope.get("scheme") == "https"


def _headers(scope: Scope) -> dict[bytes, str] | None:
    """Those that count here; None if one of them is there twice."""
    headers: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in WANTED:
            if name in headers:
                return None
            headers[name] = value.decode("latin1")
    return headers


def lasting(headers: Headers) -> Headers:
    """Those that the next answer has too."""
    return [(name, value) for name, value in headers if name.lower() not in ANEW]


def without_content(headers: Headers) -> Headers:
    """Return the headers of a 304, which has no content to describe."""
    return [(name, value) for name, value in headers if name.lower() not in OF_CONTENT]
