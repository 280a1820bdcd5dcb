"""The outermost layer of pages: each request gets its id, and a line in the log.

The id goes back in the answer's header, whoever answers: Django, a kept page, or a
layer that refuses. It is added here, outside of all that keeps pages, so it is never
kept with one. django-structlog and django-guid give it in a middleware of Django's, too
late for all that is answered before Django, and asgi-correlation-id, which brings
Starlette, believes whoever sends one.
"""

import logging
import time
from http import HTTPStatus
from typing import Any

from django.conf import settings

from project import logs
from project.http.threads import Application, Receive, Scope, Send
from realtime import request_ids
from realtime.masks import mask
from realtime.responses import respond

logger = logging.getLogger(__name__)

# What joins a request to a trace. Only a proxy may say it: a stranger's could make us
# record whatever they like, as part of a trace of theirs.
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
        header = request_ids.NAME, request_id.encode()
        begun, status = time.perf_counter(), None
        if not settings.TRUSTED_PROXY_COUNT and settings.IS_TRACED:
            told = scope["headers"]
            scope["headers"] = [pair for pair in told if pair[0] not in TRACES]

        async def answer(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), header]
                message = message | {"headers": headers}
            await send(message)

        try:
            await self._pages(scope, receive, answer)
        except Exception:
            if status is not None:
                raise  # the server says so, and ends the connection
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
    """One line a request. Where Django knows its address's pattern, that is shown, and
    not what stands in its place."""
    shown = logs.route() or mask(scope["path"])
    ms = round(seconds * 1000, 1)
    fields = {"method": scope["method"], "path": shown, "status": status}
    logger.info(
        "%s %s %s in %s ms",
        *(scope["method"], shown, status, ms),
        extra=fields | {"duration_ms": ms},
    )
