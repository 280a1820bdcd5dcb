"""An outage of Redis: what is wrong with it, and one line in each process' log.

Redis is away, only reads, is out of memory or refuses the shop's account. Whoever
notices calls `met`, as often as they like. A thread then asks Redis until all is well.
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
PATIENCE_S = 2  # for each answer of Redis
LOOK_S = 1  # between looks whether it is well again
SOON_S, QUIET_S = 2, 12  # nobody has met the outage for so long
KEY = "shop:health"

# Redis' answers begin with a word; scripts and pipelines put others before it. Where a
# connection is made, redis-py may wrap the answer in a plain ConnectionError.
WORDS = {
    FULL: re.compile(r"\bOOM\b"),
    READ_ONLY: re.compile(r"\b(READONLY|MISCONF|NOREPLICAS|MASTERDOWN|UNBLOCKED)\b"),
    REFUSED: re.compile(r"\b(NOPERM|NOAUTH|WRONGPASS|DENIED|[Aa]uthenticat\w+)\b"),
    AWAY: re.compile(r"\b(LOADING|BUSY|TRYAGAIN|CLUSTERDOWN|max number of clients)\b"),
}
# redis-py cuts the word off where it has a class for it. The most special come first.
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
    """Return what an error says about Redis: a word for people, or None if it is no
    outage but, for instance, a wrong command."""
    if isinstance(error, RedisError):
        for state, words in WORDS.items():
            if words.search(str(error)):
                return state
    for kind, state in KINDS:
        if isinstance(error, kind):
            return state
    return None


def behind(error: BaseException | None) -> BaseException | None:
    """Return the error of Redis that is behind `error`, if an outage is."""
    while error is not None:
        if isinstance(error, RedisError) and state_of(error):
            return error
        error = error.__cause__ or error.__context__
    return None


def ask() -> str:
    """Return what Redis is good for now: it must take a write and a message, and each
    server that the channel layer has for itself a message."""
    wait = {"socket_timeout": PATIENCE_S, "socket_connect_timeout": PATIENCE_S}
    try:
        with settings.REDIS.client(**wait) as client:
            client.set(KEY, 1, px=1000)
            client.publish(channel(), b"")
        for server in settings.REDIS_LAYER:
            with server.client(**wait) as client:
                client.publish(channel(), b"")
    except (RedisError, OSError) as error:
        return state_of(error) or AWAY
    return OK


def channel() -> str:
    """Return a channel that the shop may publish to and nobody listens to."""
    config = settings.CHANNEL_LAYERS["default"]["CONFIG"]
    return f"{config['prefix']}.health"


class Outage:
    """Whether Redis fails, as far as this process has noticed."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._is_on = False
        self._is_seen = False  # by who looks whether it is over
        self._met_at = 0.0

    def met(self, error: BaseException) -> None:
        """Something of Redis has failed."""
        with self._lock:
            self._met_at = time.monotonic()
            if self._is_on:
                return
            self._is_on, self._is_seen = True, False
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        logger.error("Redis is %s: %s", state_of(error) or AWAY, reason)
        threading.Thread(target=self._watch, name="outage", daemon=True).start()

    def healed(self) -> None:
        """Whoever has met it last is well again."""
        with self._lock:
            self._met_at = -math.inf

    def _watch(self) -> None:
        while not self._is_over():
            time.sleep(LOOK_S)
        logger.warning("Redis is back.")

    def _is_over(self) -> bool:
        """Whether Redis is well again, and nobody has met the outage for a while: for a
        long one, if it concerns only what is not asked for here."""
        if ask() != OK:
            self._is_seen = True
            return False
        with self._lock:
            quiet = time.monotonic() - self._met_at
            self._is_on = quiet < (SOON_S if self._is_seen else QUIET_S)
            return not self._is_on


def _start_afresh() -> None:
    """Threads do not survive a fork: a Celery child makes its own."""
    global _outage
    _outage = Outage()


_outage = Outage()
os.register_at_fork(after_in_child=_start_afresh)


def met(error: BaseException) -> None:
    """Tell this process' log of an outage, unless it knows."""
    _outage.met(error)


def healed() -> None:
    """Tell that what has met the outage works again."""
    _outage.healed()


class OneLine(logging.Filter):
    """Logs an outage of Redis in one line for each process, where each page, task and
    connection would log a traceback of its own."""

    def filter(self, record: logging.LogRecord) -> bool:
        errors = list(record.args) if isinstance(record.args, tuple) else []
        if record.exc_info:
            errors.append(record.exc_info[1])
        for error in errors:
            if isinstance(error, BaseException) and (found := behind(error)):
                met(found)
                return False
        return True


class NotAnOutage(logging.Filter):
    """The same for the channel layer, which logs each second what its connections
    raise without Redis, errors of the network too."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or state_of(error) is None:
            return True
        met(error)
        return False
