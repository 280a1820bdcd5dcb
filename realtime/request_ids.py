"""The id that joins what one request causes: its log lines, tasks, mails and pushes.

A request has the id that a proxy of ours gave it, or a new one. A context variable
holds it, so code that a request runs, in whatever thread, need not hand it on.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import Any
from uuid import uuid4

from django.conf import settings

NAME = b"x-request-id"
# What other systems use as ids: hexadecimal numbers, UUIDs, ULIDs. It goes into log
# lines, headers of mails and pages, so it holds no character that means anything there.
SANE = re.compile(rb"[A-Za-z0-9._-]{8,128}")

_current: ContextVar[str | None] = ContextVar("request_id", default=None)

current = _current.get


def new() -> str:
    return uuid4().hex


def begin(scope: dict[str, Any]) -> str:
    """Choose the id of a request or a socket, and keep it until its task ends."""
    request_id = _chosen([v for name, v in scope["headers"] if name == NAME])
    _current.set(request_id)
    return request_id


def of_headers(values: list[bytes]) -> str:
    """The id of a request that is answered before the application hears of it."""
    return _chosen(values)


def _chosen(values: list[bytes]) -> str:
    """The proxy's id, if there is one proxy, one id, and nothing odd in it. Anybody
    could send one to a shop without a proxy, and so hide among others' lines."""
    if settings.TRUSTED_PROXY_COUNT and len(values) == 1 and SANE.fullmatch(values[0]):
        return values[0].decode()
    return new()


@contextmanager
def carried(request_id: str | None) -> Iterator[None]:
    """Work in here belongs to the request with that id."""
    token = _current.set(request_id)
    try:
        yield
    finally:
        _current.reset(token)


def context_of(request_id: str | None) -> Context:
    """A context for a task of asyncio that belongs to that request and has nothing
    else of whoever starts it."""
    context = Context()
    context.run(_current.set, request_id)
    return context
