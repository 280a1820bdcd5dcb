"""Limits the bodies of requests on every ASGI server, by `settings.HTTP`.

`realtime/server/` reads no more than is allowed. This module answers the requests that
it refused. Other servers have no such limits, so bytes and time are counted here, too.
"""

import asyncio
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.template.loader import render_to_string

from project.http.threads import RETRY_AFTER_S, Application, Receive, Scope, Send
from realtime import bodies
from realtime.responses import respond

REFUSED = "shop.refused"  # an extension of realtime/server/: the status to answer
HEADERS = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; img-src 'self'",
    ),
]
PAGES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
}
TEXTS = {
    HTTPStatus.BAD_REQUEST: "The request could not be read.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: (
        "Your browser sends too many cookies for this site, or other headers that are"
        " too large. Delete this site's cookies, then try again."
    ),
    HTTPStatus.REQUEST_TIMEOUT: "The request came too slowly. Please try again.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Too many uploads at once. Please try again.",
}


class Body:
    """Counts the bytes and the time of a body that an application receives.

    If it is too large or too slow, the application gets a disconnect, and `refusal`
    holds the reason.
    """

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self._limit = receive, limit
        self._received, self._begun = 0, time.monotonic()
        self._is_whole = False
        self.refusal: HTTPStatus | None = None

    async def receive(self) -> dict[str, Any]:
        if self._is_whole:
            return await self._receive()
        try:
            message = await self._next()
        except TimeoutError:
            return self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        self._received += len(message.get("body", b""))
        if self._received > self._limit:
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        self._is_whole = not message.get("more_body", False)
        return message

    async def _next(self) -> dict[str, Any]:
        end = bodies.deadline(self._begun, self._received)
        left = min(end - time.monotonic(), settings.HTTP["BODY_S"])
        async with asyncio.timeout(left):
            return await self._receive()

    def _refuse(self, status: HTTPStatus) -> dict[str, Any]:
        self.refusal, self._is_whole = status, True
        return {"type": "http.disconnect"}


class LimitedBodies:
    """An ASGI application around `pages`."""

    def __init__(self, pages: Application) -> None:
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = _length(scope)
        if length == 0 and REFUSED not in scope.get("extensions", ()):
            await self._pages(scope, receive, send)
            return
        limit = bodies.limit_of(scope["method"], scope["path"])
        refusal = scope.get("extensions", {}).get(REFUSED)
        if refusal is None and length is not None and length > limit:
            refusal = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if refusal is None:
            refusal = await self._count(scope, Body(receive, limit), send)
        if refusal is not None:
            await _answer(scope, send, HTTPStatus(refusal), limit)

    async def _count(self, scope: Scope, body: Body, send: Send) -> HTTPStatus | None:
        """Make the page. If nothing was answered, return the status of the refusal."""
        is_answered = False

        async def answer(message: Mapping[str, Any]) -> None:
            nonlocal is_answered
            is_answered = True
            await send(message)

        await self._pages(scope, body.receive, answer)
        return None if is_answered else body.refusal


def _length(scope: Scope) -> int | None:
    """Return the length of the body, or None if no header gives it."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            # Servers refuse or ignore a length that is not a number.
            return int(value) if value.isdigit() and len(value) < 20 else None
        if name == b"transfer-encoding":
            return None
    return 0 if scope.get("http_version", "1.1").startswith("1") else None


async def _answer(scope: Scope, send: Send, status: HTTPStatus, limit: int) -> None:
    """Answer with the reason, as a page if the client is a browser.

    The rest of the body is not read, so the connection cannot serve another request.
    """
    kind, text = _words(scope, status, limit)
    headers = [(b"content-type", kind), *HEADERS]
    if scope.get("http_version", "1.1").startswith("1"):
        headers.append((b"connection", b"close"))
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", str(RETRY_AFTER_S).encode()))
    await respond(send, status, headers, text.encode(), method=scope["method"])


def _words(scope: Scope, status: HTTPStatus, limit: int) -> tuple[bytes, str]:
    """Return the answer's content type and text."""
    accepts = b",".join(v for name, v in scope["headers"] if name == b"accept")
    size = filesizeformat(limit)
    if b"text/html" in accepts and status in PAGES:
        page = render_to_string(f"{status:d}.html", {"most": size})
        return b"text/html; charset=utf-8", page
    if status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return b"text/plain; charset=utf-8", f"{TEXTS[status]}\n"
    size = size.replace("\xa0", " ")
    return b"text/plain; charset=utf-8", f"Too large: at most {size} are taken here.\n"
