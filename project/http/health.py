"""What machines ask a server: does it live, may it get visitors, what are its numbers.

Answered in the event loop, before Django: a server that is busy is not dead, so nothing
here waits for a thread, and no host name is asked for that the shop would know.

- `/healthz`: 200 as long as the event loop turns; it tells the time, by which a load
  test sets its clock.
- `/readyz`: 200 when pages can be served: the database takes writes, and the process is
  not being stopped. Redis is told of ("ok", "away", "read-only", "out of memory", "not
  allowed"), but not insisted on: without it the shop goes on. So is a read replica.
- `/metrics`: Prometheus' text format, for who has the token, or, where none is set, for
  programs on this machine, over TCP or a Unix socket, that no proxy has let in. The
  numbers of this process, and those of the shop's background work
  (`project.background`).
"""

import asyncio
import hmac
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from project.background import Background
from project.http.threads import Application, Receive, Scope, Send
from project.replicas import standby
from realtime import draining, outages, roles
from realtime.addresses import plain_address
from realtime.responses import respond

PATIENCE_S = 2  # for each answer of a server

Answer = tuple[HTTPStatus, str, bytes]


class Health:
    """An ASGI application that answers these, and leaves the rest to `pages`."""

    def __init__(self, pages: Application) -> None:
        self._pages = pages
        self._thread = ThreadPoolExecutor(2, "health")
        self._background = Background()
        self._answers: dict[str, Callable] = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answers.get(scope["path"])
        if answer is None or scope["method"] not in ("GET", "HEAD"):
            await self._pages(scope, receive, send)
            return
        status, kind, body = await answer(scope)
        headers = [(b"content-type", kind.encode()), (b"cache-control", b"no-store")]
        await respond(send, status, headers, body, method=scope["method"])

    async def _healthz(self, scope: Scope) -> Answer:
        return _json(HTTPStatus.OK, {"status": "ok", "now": time.time()})

    async def _readyz(self, scope: Scope) -> Answer:
        asks = [_ask_database, outages.ask]
        asks += [standby.ask] if standby.is_on() else []
        database, cache, *replica = await asyncio.gather(*map(self._asked, asks))
        is_ready = database == "ok" and not draining.is_draining()
        status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        told = {
            "status": "ready" if is_ready else "not ready",
            "database": database,
            "redis": cache,
            **({"replica": replica[0]} if replica else {}),
            "draining": draining.is_draining(),
            "role": roles.current(),
            "process": os.getpid(),  # by this `make run` knows its own server
        }
        return _json(status, told)

    async def _asked(self, ask: Callable[[], str]) -> str:
        """Return what a server says of itself, or "away"."""
        asked = asyncio.get_running_loop().run_in_executor(self._thread, ask)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await asked
        except (DatabaseError, InterfaceError, OSError):
            return "away"

    async def _metrics(self, scope: Scope) -> Answer:
        if not _may_see(scope):
            return _json(HTTPStatus.FORBIDDEN, {"error": "METRICS_TOKEN is needed"})
        await self._background.look()
        body = generate_latest() + generate_latest(self._background)
        return HTTPStatus.OK, CONTENT_TYPE_LATEST, body


def _may_see(scope: Scope) -> bool:
    headers = {name: value for name, value in scope["headers"]}
    if settings.METRICS_TOKEN:
        scheme, _space, token = headers.get(b"authorization", b"").partition(b" ")
        is_right = hmac.compare_digest(token, settings.METRICS_TOKEN.encode())
        return scheme.lower() == b"bearer" and is_right
    return _is_local(scope) and b"x-forwarded-for" not in headers


def _is_local(scope: Scope) -> bool:
    """Whether the other side is on this machine. Neither end of a Unix socket has a
    port; who may open it, the permissions of the file say."""
    if scope.get("client") is None:
        _path, port = scope.get("server") or (None, None)
        return port is None
    client = plain_address(scope["client"][0])
    return client is not None and client.is_loopback


def _ask_database() -> str:
    """By a connection made anew: whether there are any left is part of the question."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW transaction_read_only")
            is_writable = cursor.fetchone()[0] == "off"
            cursor.execute("SHOW server_encoding")
            is_utf8 = cursor.fetchone()[0] == "UTF8"
    finally:
        connection.close()
    if not is_utf8:
        return "not UTF-8"
    return "ok" if is_writable else "read-only"


def _json(status: HTTPStatus, told: dict[str, Any]) -> Answer:
    return status, "application/json", json.dumps(told).encode() + b"\n"
