"""Measures whether the standby may be read, and how far behind the primary it is."""

import logging
import threading
import time
from collections import deque
from typing import NamedTuple

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, connections
from prometheus_client import Gauge

logger = logging.getLogger(__name__)

ALIAS = "replica"
LOOK_S = 0.5
HISTORY = 600  # positions to remember: those of the last five minutes
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
STATE = Gauge("shop_replica", "1 for the state of the read replica", ["state"])
LAG = Gauge(
    "shop_replica_lag_seconds", "How old what the replica has is, at most", ["server"]
)

# The identity of a database, and its position in the log.
_WHICH = """
(SELECT system_identifier FROM pg_control_system())::text || ' ' ||
(SELECT oid FROM pg_database WHERE datname = current_database())
"""
OF_PRIMARY = f"SELECT {_WHICH}, (pg_current_wal_lsn() - '0/0')::bigint"
# Includes commits that others can see although they are not yet written to disk.
OF_PRIMARY_NOW = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"
OF_REPLICA = f"""
SELECT {_WHICH}, (pg_last_wal_replay_lsn() - '0/0')::bigint, pg_is_in_recovery(),
    EXISTS (SELECT FROM pg_stat_wal_receiver)
"""


def is_on() -> bool:
    """Return whether the shop has a replica."""
    return ALIAS in settings.DATABASES


class Look(NamedTuple):
    """The answer of a standby to `OF_REPLICA`."""

    which: str
    position: int | None
    is_standby: bool
    follows: bool


class Positions:
    """The primary's recent positions, which show how far behind a standby is."""

    def __init__(self) -> None:
        self.which = ""
        self._noted: deque[tuple[float, int]] = deque(maxlen=HISTORY)

    def note(self, when: float, which: str, position: int) -> None:
        """Remember a position. `when` is the time before the primary was asked."""
        if which != self.which:
            self._noted.clear()
        self.which = which
        self._noted.append((when, position))

    def age(self, position: int, now: float) -> float:
        """Return how many seconds ago the primary had surely not passed `position`.

        If that was before the first note, return the age of the first note.
        """
        noted = list(self._noted)
        times = (when for when, where in reversed(noted) if where <= position)
        return now - next(times, noted[0][0] if noted else now)

    def covers(self, position: int, seconds: float, now: float) -> bool:
        """Return whether the primary had not passed `position` `seconds` ago."""
        return any(
            where <= position and now - when <= seconds
            for when, where in list(self._noted)
        )


class Watch:
    """Asks both servers twice a second in a separate thread, so that no page waits for
    a replica that is away."""

    def __init__(self) -> None:
        self.positions = Positions()
        self.state = UNKNOWN
        self._is_logged = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread. The first page of a process calls this."""
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
        """Ask the primary, then the replica. Return the replica's state."""
        try:
            now = time.monotonic()
            self.positions.note(now, *query_one(connection, OF_PRIMARY))
        except (DatabaseError, InterfaceError):
            connection.close()
            return self.state  # the primary's outages are reported elsewhere
        try:
            return self.judge(Look(*query_one(connections[ALIAS], OF_REPLICA)))
        except (DatabaseError, InterfaceError):
            connections[ALIAS].close()
            return AWAY

    def judge(self, look: Look) -> str:
        """Return the state of a replica that gave this answer."""
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
        """Note that a page failed to read the replica, so others do not try."""
        self._set(AWAY)

    def _set(self, state: str) -> None:
        with self._lock:
            self.state = state
            for each in STATES:
                STATE.labels(each).set(each == state)
            if state == OK:
                if self._is_logged:
                    logger.warning("The read replica is used again.")
                self._is_logged = False
            elif state != UNKNOWN and not self._is_logged:
                self._is_logged = True
                logger.error("The read replica is not used: %s.", REASONS[state])


_watch = Watch()


def ask() -> str:
    """Return the replica's state for `/readyz`, over new connections."""
    watch = Watch()
    watch.positions = _watch.positions
    try:
        return watch.look()
    finally:
        connections[ALIAS].close()
        connection.close()


def position_now() -> int | None:
    """Return the position of the standby that this thread is connected to.

    Return None if the standby may not be read.
    """
    _watch.start()
    if _watch.state != OK:
        return None
    replica = connections[ALIAS]
    was_open = replica.connection is not None
    try:
        look = Look(*query_one(replica, OF_REPLICA))
    except (DatabaseError, InterfaceError):
        replica.close()
        if was_open:  # the old connection may have broken long ago
            return position_now()
        _watch.failed()
        return None
    positions, most = _watch.positions, settings.DATABASE_REPLICA_MAX_LAG_S
    is_good, position = _watch.judge(look) == OK, look.position
    if is_good and position is not None:
        if positions.covers(position, most, time.monotonic()):
            return position
    replica.close()  # the next connection may reach another standby
    return None


def query_one(server, query: str) -> tuple:
    """Return the one row of a query. `server` is a connection."""
    with server.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()
