"""Read replicas: pages of the catalogue are read from a standby of PostgreSQL.

A standby is always a little behind. So it is asked only where that does no harm, and
only while it is known to have everything that was committed `MAX_LAG_S` ago:

- A view says so itself (`from_replica`), and only tables of the catalogue are read
  there: sessions, baskets and orders never are.
- Forms, staff, and whoever has sent a form a moment ago get the primary. Their browser
  keeps a cookie for as long as the standby may be behind.
- What is kept in the cache for all is read from a standby that has replayed every
  commit up to that moment, or from the primary (`caught_up`).

How far a standby has come is measured by positions in the log of writes (LSN), so no
clocks are compared. A thread asks the primary for its position twice a second. A page
compares them with that of its own connection: with several standbys each is behind by
an amount of its own.
"""

import functools
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

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
from prometheus_client import Counter, Gauge

logger = logging.getLogger(__name__)

ALIAS = "replica"
TABLES = {
    "products.product",
    "products.productcategory",
    "products.searchword",
    "products.stock",
}
LOOK_S = 0.5
HISTORY = 600  # positions that are kept: for five minutes, lag is told in seconds
# A commit is in the log a moment after others see it, if synchronous_commit is off.
MARGIN_S = 2

UNKNOWN, OK, AWAY, BEHIND = "not known", "ok", "away", "behind"
CUT_OFF, NO_STANDBY, ANOTHER = "follows nobody", "no standby", "another database"
REASONS = {
    AWAY: "it does not answer",
    BEHIND: "it is too far behind the primary",
    CUT_OFF: "it receives nothing from a primary",
    NO_STANDBY: "it is not a standby",
    ANOTHER: "it is another database",
}
STATES = (UNKNOWN, OK, *REASONS)

# Each has a label, so that a shop without a replica shows none of them.
READS = Counter(
    "shop_catalogue_reads", "Pages of the catalogue by what they read", ["server"]
)
STATE = Gauge("shop_replica", "1 for the state of the read replica", ["state"])
LAG = Gauge(
    "shop_replica_lag_seconds", "How old what the replica has is, at most", ["server"]
)

# Which database it is, and how far it has come.
_WHICH = """
(SELECT system_identifier FROM pg_control_system())::text || ' ' ||
(SELECT oid FROM pg_database WHERE datname = current_database())
"""
OF_PRIMARY = f"SELECT {_WHICH}, (pg_current_wal_lsn() - '0/0')::bigint"
# With what is not written yet, but seen by others already.
OF_PRIMARY_NOW = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"
OF_REPLICA = f"""
SELECT {_WHICH}, (pg_last_wal_replay_lsn() - '0/0')::bigint, pg_is_in_recovery(),
    EXISTS (SELECT FROM pg_stat_wal_receiver)
"""


def is_on() -> bool:
    """Whether there is a replica."""
    return ALIAS in settings.DATABASES


# --- Which database ---------------------------------------------------------------


class Reading:
    """A page that may read from the replica. It asks for nothing before it reads."""

    @functools.cached_property
    def position(self) -> int | None:
        """How far the standby has come; None if the primary is to be read."""
        connection.ensure_connection()  # it knows the timeline that pages name
        position = _position_now()
        READS.labels("primary" if position is None else ALIAS).inc()
        return position


_reading: ContextVar[Reading | None] = ContextVar("reading", default=None)


class Router:
    """Reads of the catalogue go to the replica within `from_replica`; nothing else."""

    def db_for_read(self, model: type[Model], **hints) -> str:
        reading = _reading.get()
        if reading is None or model._meta.label_lower not in TABLES:
            return DEFAULT_DB_ALIAS
        if connection.in_atomic_block:  # where one reads what one has written
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
    """Within, the replica is read only if it has all that is committed by now: for what
    others are shown later. Costs the primary one short query if the replica is read,
    and else nothing."""
    reading = _reading.get()
    if reading is None or reading.position is None:
        yield
        return
    (needed,) = _asked(connection, OF_PRIMARY_NOW)
    has_it = reading.position >= needed or (_position_now() or 0) >= needed
    with _reads(reading if has_it else None):
        yield


View = Callable[..., HttpResponse]


def from_replica(view: View) -> View:
    """A view that only reads: from the replica, if there is one, it is good enough and
    the visitor does not wait for a change of their own. Should it fail meanwhile, the
    page is made anew from the primary."""

    @functools.wraps(view)
    def read(request: HttpRequest, *args, **kwargs) -> HttpResponse:
        if not is_on():
            return view(request, *args, **kwargs)
        if _may_lag(request):
            try:
                with _reads(Reading()):
                    return _rendered(view(request, *args, **kwargs))
            except (DatabaseError, InterfaceError):
                if not connections[ALIAS].errors_occurred:
                    raise
                # Gone, or it cannot wait any longer for what the page is reading.
                connections[ALIAS].close()
                connections[ALIAS].errors_occurred = False
        return view(request, *args, **kwargs)

    return read


def _rendered(response: HttpResponse) -> HttpResponse:
    """Templates ask the database too, so it is done here and not by Django later."""
    is_lazy = hasattr(response, "render") and not response.is_rendered
    return response.render() if is_lazy else response


# --- Who may get an older page ----------------------------------------------------


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
    """A middleware: who has sent a form sees what became of it."""

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


# --- How far the replica has come -------------------------------------------------


class Look(NamedTuple):
    """What a standby said of itself."""

    which: str
    position: int | None
    is_standby: bool
    follows: bool


class Positions:
    """Where the primary's log was when. By that, how old is what a standby shows?"""

    def __init__(self) -> None:
        self.which = ""
        self._noted: deque[tuple[float, int]] = deque(maxlen=HISTORY)

    def note(self, when: float, which: str, position: int) -> None:
        """`when` is before the primary was asked."""
        if which != self.which:
            self._noted.clear()
        self.which = which
        self._noted.append((when, position))

    def age(self, position: int, now: float) -> float:
        """How many seconds ago the primary was surely no further than `position`; at
        least, if that was before the first note."""
        noted = list(self._noted)
        found = (when for when, where in reversed(noted) if where <= position)
        return now - next(found, noted[0][0] if noted else now)

    def covers(self, position: int, seconds: float, now: float) -> bool:
        """Whether the primary was no further than `position` within these seconds."""
        return any(
            where <= position and now - when <= seconds
            for when, where in list(self._noted)
        )


class Watch:
    """Asks both servers twice a second, in a thread of its own, so that no page waits
    for a replica that is away."""

    def __init__(self) -> None:
        self.positions = Positions()
        self.state = UNKNOWN
        self._is_said = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Once a process, with its first page."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="replica", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._set(self.look())
            time.sleep(LOOK_S)

    def look(self) -> str:
        """Ask the primary, then the replica; what is to be said of the replica."""
        try:
            now = time.monotonic()
            self.positions.note(now, *_asked(connection, OF_PRIMARY))
        except (DatabaseError, InterfaceError):
            connection.close()
            return self.state  # others tell of the primary
        try:
            return self.judge(Look(*_asked(connections[ALIAS], OF_REPLICA)))
        except (DatabaseError, InterfaceError):
            connections[ALIAS].close()
            return AWAY

    def judge(self, look: Look) -> str:
        """What is to be said of a replica that answers so."""
        if look.which != self.positions.which:
            return ANOTHER
        if not look.is_standby or look.position is None:
            return NO_STANDBY
        if not look.follows:
            return CUT_OFF
        age = self.positions.age(look.position, time.monotonic())
        LAG.labels(ALIAS).set(age)
        return BEHIND if age > settings.DATABASE_REPLICA_MAX_LAG_S else OK

    def failed(self) -> None:
        """A page met it: the others need not."""
        self._set(AWAY)

    def _set(self, state: str) -> None:
        with self._lock:
            self.state = state
            for each in STATES:
                STATE.labels(each).set(each == state)
            if state == OK:
                if self._is_said:
                    logger.warning("The read replica is used again.")
                self._is_said = False
            elif state != UNKNOWN and not self._is_said:
                self._is_said = True
                logger.error("The read replica is not used: %s.", REASONS[state])


_watch = Watch()


def ask() -> str:
    """What `/readyz` says of the replica, by connections made anew."""
    watch = Watch()
    watch.positions = _watch.positions
    try:
        return watch.look()
    finally:
        connections[ALIAS].close()
        connection.close()


def _position_now() -> int | None:
    """How far the standby of this thread's connection has come; None if it is not good
    enough."""
    _watch.start()
    if _watch.state != OK:
        return None
    replica = connections[ALIAS]
    was_open = replica.connection is not None
    try:
        look = Look(*_asked(replica, OF_REPLICA))
    except (DatabaseError, InterfaceError):
        replica.close()
        if was_open:  # it may have broken long ago
            return _position_now()
        _watch.failed()
        return None
    positions, most = _watch.positions, settings.DATABASE_REPLICA_MAX_LAG_S
    is_good = _watch.judge(look) == OK
    if is_good and positions.covers(look.position, most, time.monotonic()):
        return look.position
    replica.close()  # of several, the next may be another one
    return None


def _asked(server, query: str) -> tuple:
    with server.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()
