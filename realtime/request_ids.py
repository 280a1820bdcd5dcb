"""The id of a request, which its log lines, tasks, mails and pushes share.

A request has the id that our own proxy gave it, or a new one. It is in a context
variable, so code that a request runs, in any thread, need not pass it on.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import Any
from uuid import uuid4

from django.conf import settings

NAME = b"x-request-id"
# Hexadecimal numbers, UUIDs, ULIDs. The id appears in log lines, mail headers and
# pages, so it has no character with a meaning there.
VALID = re.compile(rb"[A-Za-z0-9._-]{8,128}")

_current: ContextVar[str | None] = ContextVar("request_id", default=None)

current = _current.get


def new() -> str:
    return uuid4().hex


def begin(scope: dict[str, Any]) -> str:
    """Choose the id of a request or a socket, and set it until its task ends."""
    request_id = _chosen([v for name, v in scope["headers"] if name == NAME])
    _current.set(request_id)
    return request_id


def of_headers(values: list[bytes]) -> str:
    """Return the id of a request that is answered before the application sees it."""
    return _chosen(values)


def _chosen(values: list[bytes]) -> str:
    """Return the proxy's id if there is a proxy and one valid id; otherwise a new one.
    Without a proxy, clients could send the id of others, to hide among their lines."""
    if settings.TRUSTED_PROXY_COUNT and len(values) == 1 and VALID.fullmatch(values[0]):
        return values[0].decode()
    return new()


@contextmanager
def carried(request_id: str | None) -> Iterator[None]:
    """Set the id of the request that this block works for."""
    token = _current.set(request_id)
    try:
        yield
    finally:
        _current.reset(token)


def context_of(request_id: str | None) -> Context:
    """Return a context for an asyncio task that has this id and nothing else of its
    creator's context."""
    context = Context()
    context.run(_current.set, request_id)
    return context
