"""Decides which pages read from the replica."""

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.conf import settings
from django.db import (
    DEFAULT_DB_ALIAS,
    DatabaseError,
    InterfaceError,
    connection,
    connections,
)
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse
from prometheus_client import Counter

from project.replicas.standby import (
    ALIAS,
    OF_PRIMARY_NOW,
    is_on,
    position_now,
    query_one,
)

TABLES = {
    "products.product",
    "products.productcategory",
    "products.searchword",
    "products.stock",
    "products.variant",
}
# A commit is in the log a moment after others see it, if synchronous_commit is off.
MARGIN_S = 2


# It has a label, so that a shop without a replica does not show it.
READS = Counter(
    "shop_catalogue_reads", "Pages of the catalogue by what they read", ["server"]
)


class Reading:
    """A page that may read from the replica. It asks when it first reads."""

    @functools.cached_property
    def position(self) -> int | None:
        """The standby's position, or None if the page must read from the primary."""
        connection.ensure_connection()  # it knows the timeline that pages name
        position = position_now()
        READS.labels("primary" if position is None else ALIAS).inc()
        return position


_reading: ContextVar[Reading | None] = ContextVar("reading", default=None)


class Router:
    """Sends reads of the catalogue to the replica in a `from_replica` view."""

    def db_for_read(self, model: type[Model], **hints) -> str:
        reading = _reading.get()
        if reading is None or model._meta.label_lower not in TABLES:
            return DEFAULT_DB_ALIAS
        if connection.in_atomic_block:  # it may read its own writes
            return DEFAULT_DB_ALIAS
        return DEFAULT_DB_ALIAS if reading.position is None else ALIAS

    def db_for_write(self, model: type[Model], **hints) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, one: Model, other: Model, **hints) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints) -> bool:
        return db == DEFAULT_DB_ALIAS


@contextmanager
def _reads(reading: Reading | None) -> Iterator[None]:
    token = _reading.set(reading)
    try:
        yield
    finally:
        _reading.reset(token)


@contextmanager
def caught_up() -> Iterator[None]:
    """Inside this block, read the replica only if it has every commit up to now.

    Use it for what is cached for others. It costs one short query to the primary, and
    none if the page does not read from the replica.
    """
    reading = _reading.get()
    if reading is None or reading.position is None:
        yield
        return
    (needed,) = query_one(connection, OF_PRIMARY_NOW)
    has_it = reading.position >= needed or (position_now() or 0) >= needed
    with _reads(reading if has_it else None):
        yield


View = Callable[..., HttpResponseBase]


def from_replica(view: View) -> View:
    """Let a view that only reads use the replica.

    It uses the primary if there is no replica, if the replica is too far behind, or if
    the visitor has just changed something. If the replica fails while the page is
    made, the page is made again from the primary.
    """

    @functools.wraps(view)
    def read(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not is_on():
            return view(request, *args, **kwargs)
        if _may_lag(request):
            try:
                with _reads(Reading()):
                    return _rendered(view(request, *args, **kwargs))
            except (DatabaseError, InterfaceError):
                if not connections[ALIAS].errors_occurred:
                    raise
                # It is away, or cancelled a query that delayed its replay.
                connections[ALIAS].close()
                connections[ALIAS].errors_occurred = False
        return view(request, *args, **kwargs)

    return read


def _rendered(response: HttpResponseBase) -> HttpResponseBase:
    """Render lazy responses now, because templates query the database, too."""
    if isinstance(response, SimpleTemplateResponse) and not response.is_rendered:
        return response.render()
    return response


# --- Which visitors may get an older page -----------------------------------------


def _may_lag(request: HttpRequest) -> bool:
    if request.method not in ("GET", "HEAD") or _cookie() in request.COOKIES:
        return False
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return True
    return not request.user.is_staff


def _cookie() -> str:
    return f"{settings.COOKIE_PREFIX}wrote"


def read_own_writes(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware that lets visitors who have sent a form see its outcome."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if is_on() and request.method not in ("GET", "HEAD", "OPTIONS", "TRACE"):
            response.set_cookie(
                _cookie(),
                "1",
                max_age=math.ceil(settings.DATABASE_REPLICA_MAX_LAG_S + MARGIN_S),
                path=settings.SESSION_COOKIE_PATH,
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=True,
                samesite="Lax",
            )
        return response

    return middleware
