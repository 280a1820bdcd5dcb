"""A cache that the shop can do without.

While Redis does not answer, the cache behaves as if it were empty, and `add()` returns
True: allauth's rate limits take locks that way, and would refuse everybody while Redis
is away. So nothing is counted during that time. This is on purpose: a shop where nobody
can sign in does more harm, and Argon2 makes each guess expensive.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django_redis.cache import RedisCache
from django_redis.pool import ConnectionFactory
from redis.connection import ConnectionPool
from redis.exceptions import RedisError

from project import redis_url
from realtime import outages

PAUSE_S = 5  # after a failure; then one caller checks whether Redis is back
MAX_OWED = 10_000  # keys; more deletions than that are not remembered
AWAY = (RedisError, OSError)


class Breaker:
    """The circuit breaker of one Redis in this process.

    It also remembers the keys to delete when Redis is back. A Redis that hangs costs
    one timeout each `PAUSE_S`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_away = False
        self._ask_at = 0.0
        self._owed: set[str] = set()

    def lets_through(self) -> bool:
        """Return whether the caller may ask Redis. It must then report the outcome.

        It calls `failed` or `answered`.
        """
        if not self._is_away:
            return True
        with self._lock:
            now = time.monotonic()
            if self._is_away and now < self._ask_at:
                return False
            self._ask_at = now + PAUSE_S  # others wait for the outcome of this call
            return True

    def failed(self, error: Exception) -> None:
        with self._lock:
            self._is_away = True
            self._ask_at = time.monotonic() + PAUSE_S
        outages.report(error)

    def answered(self) -> set[str]:
        """Note that Redis has answered. Return the keys to delete now."""
        if not self._is_away:
            return set()
        with self._lock:
            self._is_away = False
            owed, self._owed = self._owed, set()
        return owed

    def owe(self, keys: Iterable[str]) -> None:
        """Remember to delete `keys`."""
        with self._lock:
            if len(self._owed) < MAX_OWED:
                self._owed.update(keys)


# Django makes a cache for each request. All requests of a process share a breaker.
_breakers: dict[str, Breaker] = {}
os.register_at_fork(after_in_child=_breakers.clear)


class Connections(ConnectionFactory):
    """django-redis' connections, to any Redis that REDIS_URL may name."""

    def get_connection_pool(self, params: dict[str, Any]) -> ConnectionPool:
        options = {name: value for name, value in params.items() if name != "url"}
        address = redis_url.parse(params["url"])
        return address.pool(**options, **self.pool_cls_kwargs)


class ForgivingCache(RedisCache):
    """django-redis' cache, but it raises nothing while Redis is away."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(
            [server], params
        )  # a list, because a string is split at commas
        self._ignore_exceptions = False  # `_ask` handles them
        self._breaker = _breakers.setdefault(server, Breaker())

    def add(self, key, value, timeout=DEFAULT_TIMEOUT, version=None) -> bool:
        return self._ask(True, super().add, key, value, timeout, version)

    def get(self, key, default=None, version=None) -> Any:
        return self._ask(default, super().get, key, default, version)

    def set(self, key, value, timeout=DEFAULT_TIMEOUT, version=None, **kwargs) -> Any:
        """Set a value. If Redis is away, the old value is deleted when it is back."""
        owed = [(key, version)]
        return self._ask(
            None, super().set, key, value, timeout, version, owed=owed, **kwargs
        )

    def touch(self, key, timeout=DEFAULT_TIMEOUT, version=None) -> bool:
        return self._ask(False, super().touch, key, timeout, version)

    def delete(self, key, version=None) -> bool:
        """Delete a key. If Redis is away, the key is deleted when it is back, so no
        stale value and no abandoned lock stays."""
        return self._ask(False, super().delete, key, version, owed=[(key, version)])

    def has_key(self, key, version=None) -> bool:
        return self._ask(False, super().has_key, key, version)

    def get_many(self, keys, version=None) -> dict:
        return self._ask({}, super().get_many, keys, version)

    def set_many(self, data, timeout=DEFAULT_TIMEOUT, version=None) -> list | None:
        owed = [(key, version) for key in data]
        return self._ask(
            list(data), super().set_many, data, timeout, version, owed=owed
        )

    def delete_many(self, keys, version=None) -> Any:
        keys = list(keys)
        owed = [(key, version) for key in keys]
        return self._ask(None, super().delete_many, keys, version, owed=owed)

    def incr(self, key, delta=1, version=None) -> int:
        """Increment a count. While Redis is away, each count is the first."""
        return self._ask(delta, super().incr, key, delta, version)

    def decr(self, key, delta=1, version=None) -> int:
        return self._ask(-delta, super().decr, key, delta, version)

    def clear(self) -> None:
        """Delete only the cache's keys. django-redis would empty all of Redis, with the
        workers' tasks."""
        self._ask(None, super().delete_pattern, "*")

    def _ask(
        self,
        otherwise: Any,
        method: Callable[..., Any],
        *args: Any,
        owed: Iterable[tuple[str, int | None]] = (),
        **kwargs: Any,
    ) -> Any:
        """Return what `method` returns, or `otherwise` if Redis is away."""
        if self._breaker.lets_through():
            try:
                answer = method(*args, **kwargs)
            except AWAY as error:
                self._breaker.failed(error)
            else:
                self._settle()
                return answer
        self._breaker.owe(self.client.make_key(key, version) for key, version in owed)
        return otherwise

    def _settle(self) -> None:
        if owed := self._breaker.answered():
            self.delete_many(list(owed))
