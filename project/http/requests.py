"""The outermost layer of pages. It gives each request an id and logs it in one line.

Every response carries the id in a header, whether it comes from Django, the page cache
or a layer that refuses the request. The header is added outside of the page cache, so
it is never cached. django-structlog and django-guid add the id in a Django middleware,
which is too late for responses made before Django. asgi-correlation-id needs Starlette
and trusts ids from any client.
"""

import logging
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.conf import settings

from project import logs
from project.http.threads import Application, Receive, Scope, Send
from realtime import request_ids
from realtime.masks import mask
from realtime.responses import respond

logger = logging.getLogger(__name__)

# Headers that join a request to a trace. Only a trusted proxy may send them. Otherwise
# a stranger could make us record their requests as part of any trace.
TRACES = {b"traceparent", b"tracestate", b"baggage", b"sentry-trace"}
BROKEN = b"Something broke on our side. Please try again in a minute.\n"


class Requests:
    """An ASGI application around `pages`."""

    def __init__(self, pages: Application) -> None:
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with logs.page():
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = request_ids.begin(scope)
        id_header = request_ids.NAME, request_id.encode()
        begun, status = time.perf_counter(), None
        if not settings.TRUSTED_PROXY_COUNT and settings.IS_TRACED:
            scope["headers"] = [
                header for header in scope["headers"] if header[0] not in TRACES
            ]

        async def answer(message: Mapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), id_header]
                message = {**message, "headers": headers}
            await send(message)

        try:
            await self._pages(scope, receive, answer)
        except Exception:
            if status is not None:
                raise  # the server logs it and closes the connection
            logger.exception("A request failed outside of its page")
            await _say_broken(answer)
        if settings.LOG_REQUESTS and status is not None:
            _log(scope, status, time.perf_counter() - begun)


async def _say_broken(send: Send) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"cache-control", b"no-store"),
    ]
    await respond(send, HTTPStatus.INTERNAL_SERVER_ERROR, headers, BROKEN)


def _log(scope: Scope, status: int, seconds: float) -> None:
    """Log the request in one line, with the pattern of its URL if Django knows it."""
    path = logs.route() or mask(scope["path"])
    ms = round(seconds * 1000, 1)
    fields = {"method": scope["method"], "path": path, "status": status}
    logger.info(
        "%s %s %s in %s ms",
        *(scope["method"], path, status, ms),
        extra=fields | {"duration_ms": ms},
    )
