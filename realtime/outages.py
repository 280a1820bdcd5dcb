"""Outages of Redis: their causes, and one line in each process's log.

Redis is away, read-only, out of memory, or refuses the shop's account. Code that
notices calls `report`, as often as it likes. A thread then asks Redis until it works
again.
"""

import logging
import math
import os
import re
import threading
import time

from django.conf import settings
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ClusterDownError,
    ConnectionError,
    ExecAbortError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TimeoutError,
    TryAgainError,
)

logger = logging.getLogger(__name__)

OK, AWAY, FULL = "ok", "away", "out of memory"
READ_ONLY, REFUSED = "read-only", "not allowed"
TIMEOUT_S = 2  # for each answer of Redis
CHECK_S = 1  # between two checks whether Redis works again
# The outage is over once nobody has reported it for so long: if a check has seen it, or
# if none has.
SEEN_QUIET_S, UNSEEN_QUIET_S = 2, 12
KEY = "shop:health"

# Redis' errors start with a word; scripts and pipelines put others before it. While it
# connects, redis-py may wrap the error in a plain ConnectionError.
WORDS = {
    FULL: re.compile(r"\bOOM\b"),
    READ_ONLY: re.compile(r"\b(READONLY|MISCONF|NOREPLICAS|MASTERDOWN|UNBLOCKED)\b"),
    REFUSED: re.compile(r"\b(NOPERM|NOAUTH|WRONGPASS|DENIED|[Aa]uthenticat\w+)\b"),
    AWAY: re.compile(r"\b(LOADING|BUSY|TRYAGAIN|CLUSTERDOWN|max number of clients)\b"),
}
# redis-py cuts the word off if it has a class for it. The most specific come first.
KINDS: list[tuple[type[Exception], str]] = [
    (OutOfMemoryError, FULL),
    (ReadOnlyError, READ_ONLY),
    (MasterDownError, READ_ONLY),
    (AuthenticationError, REFUSED),
    (AuthorizationError, REFUSED),
    (NoPermissionError, REFUSED),
    (ConnectionError, AWAY),
    (TimeoutError, AWAY),
    (ClusterDownError, AWAY),
    (TryAgainError, AWAY),
    (ExecAbortError, AWAY),  # a command of the transaction was refused
    (OSError, AWAY),
]


def state_of(error: BaseException) -> str | None:
    """Return the state of Redis that an error means, in words for people. It is None if
    the error is not an outage but, for instance, a wrong command."""
    if isinstance(error, RedisError):
        for state, words in WORDS.items():
            if words.search(str(error)):
                return state
    for kind, state in KINDS:
        if isinstance(error, kind):
            return state
    return None


def behind(error: BaseException | None) -> BaseException | None:
    """Return the error of Redis that caused `error`, if it is an outage."""
    while error is not None:
        if isinstance(error, RedisError) and state_of(error):
            return error
        error = error.__cause__ or error.__context__
    return None


def ask() -> str:
    """Return the state of Redis now. It must accept a write and a message; servers for
    the channel layer alone, a message."""
    timeouts = {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S}
    try:
        with settings.REDIS.client(**timeouts) as client:
            client.set(KEY, 1, px=1000)
            client.publish(channel(), b"")
        for server in settings.REDIS_LAYER:
            with server.client(**timeouts) as client:
                client.publish(channel(), b"")
    except (RedisError, OSError) as error:
        return state_of(error) or AWAY
    return OK


def channel() -> str:
    """Return a channel to which the shop may publish, and nobody listens."""
    config = settings.CHANNEL_LAYERS["default"]["CONFIG"]
    return f"{config['prefix']}.health"


class Outage:
    """Whether Redis fails, as far as this process knows."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._is_on = False
        self._is_seen = False  # by a check
        self._reported_at = 0.0

    def report(self, error: BaseException) -> None:
        """Log that Redis has failed, unless that is known."""
        with self._lock:
            self._reported_at = time.monotonic()
            if self._is_on:
                return
            self._is_on, self._is_seen = True, False
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        logger.error("Redis is %s: %s", state_of(error) or AWAY, reason)
        threading.Thread(target=self._watch, name="outage", daemon=True).start()

    def recovered(self) -> None:
        """Note that the code that reported the outage can use Redis again."""
        with self._lock:
            self._reported_at = -math.inf

    def _watch(self) -> None:
        while self is _outage:  # or a test has ended, and its streams are closed
            if self._is_over():
                logger.warning("Redis is back.")
                return
            time.sleep(CHECK_S)

    def _is_over(self) -> bool:
        """Whether Redis works again, and nobody has reported the outage for a while:
        for a longer while if our checks never saw it."""
        if ask() != OK:
            self._is_seen = True
            return False
        with self._lock:
            quiet = time.monotonic() - self._reported_at
            self._is_on = quiet < (SEEN_QUIET_S if self._is_seen else UNSEEN_QUIET_S)
            return not self._is_on


def _reset() -> None:
    """Threads do not survive a fork: a Celery child starts its own."""
    global _outage
    _outage = Outage()


_outage = Outage()
os.register_at_fork(after_in_child=_reset)


def report(error: BaseException) -> None:
    """Log an outage of Redis, unless it is logged already."""
    _outage.report(error)


def recovered() -> None:
    """Say that what reported the outage works again."""
    _outage.recovered()


class OneLine(logging.Filter):
    """Logs an outage of Redis in one line, instead of a traceback for each page, task
    and connection."""

    def filter(self, record: logging.LogRecord) -> bool:
        errors = list(record.args) if isinstance(record.args, tuple) else []
        if record.exc_info:
            errors.append(record.exc_info[1])
        for error in errors:
            if isinstance(error, BaseException) and (outage := behind(error)):
                report(outage)
                return False
        return True


class NotAnOutage(logging.Filter):
    """Does the same for the channel layer, which logs every second what its connections
    raise, network errors too."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or state_of(error) is None:
            return True
        report(error)
        return False
