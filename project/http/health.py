"""Health checks and metrics of a server process.

The event loop answers them before Django. So they do not wait for a thread while the
server is busy, and they accept any host name.

- `/healthz` answers 200 while the event loop runs. It includes the time, by which a
  load test sets its clock.
- `/readyz` answers 200 if pages can be served: the database accepts writes and the
  process is not draining. It also reports Redis ("ok", "away", "read-only", "out of
  memory", "not allowed") and the read replica. The shop runs without either.
- `/metrics` has the metrics of this process and of the shop's background work
  (`project.background`) in Prometheus' text format. It needs the token. If none is set,
  it answers programs on this machine that do not come through a proxy.
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
    """An ASGI application that answers these paths and passes others to `pages`."""

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
        checks = [_ask_database, outages.ask]
        checks += [standby.ask] if standby.is_on() else []
        database, cache, *replica = await asyncio.gather(*map(self._state_of, checks))
        is_ready = database == "ok" and not draining.is_draining()
        status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        report = {
            "status": "ready" if is_ready else "not ready",
            "database": database,
            "redis": cache,
            **({"replica": replica[0]} if replica else {}),
            "draining": draining.is_draining(),
            "role": roles.current(),
            "process": os.getpid(),  # `make run` recognises its server by this
        }
        return _json(status, report)

    async def _state_of(self, check: Callable[[], str]) -> str:
        """Return what `check` returns, or "away" if the server does not answer."""
        state = asyncio.get_running_loop().run_in_executor(self._thread, check)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await state
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
    """Return whether the client is on this machine.

    Neither end of a Unix socket has a port. The file's permissions say who may open it.
    """
    if scope.get("client") is None:
        _path, port = scope.get("server") or (None, None)
        return port is None
    client = plain_address(scope["client"][0])
    return client is not None and client.is_loopback


def _ask_database() -> str:
    """Return the database's state over a new connection, because none may be left."""
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


def _json(status: HTTPStatus, content: dict[str, Any]) -> Answer:
    return status, "application/json", json.dumps(content).encode() + b"\n"
