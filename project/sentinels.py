"""Asks Sentinels where the master is, whenever redis-py connects to it.

redis-py's managed connections ask their pool for its address. Its own pool of that kind
keeps connections to the Sentinels, which the channel layer would never close, and hides
why a Sentinel did not answer. These stand in for it, in a pool of the usual kind.
"""

from collections.abc import Iterable
from typing import Any

import redis.asyncio.retry
import redis.retry
from redis.exceptions import RedisError
from redis.sentinel import MasterNotFoundError

Address = tuple[str, int]

AWAY = (RedisError, OSError)


class _Master:
    """A master by its name. `options` are redis-py's for a client of a Sentinel."""

    # Attributes that a managed connection reads first.
    is_master, check_connection = True, False

    def __init__(
        self, name: str, sentinels: tuple[Address, ...], **options: Any
    ) -> None:
        self.service_name = name
        self._sentinels, self._options = sentinels, options

    def _found(self, sentinel: Address, state: dict[str, Any] | bool) -> Address:
        """Raises `MasterNotFoundError` for a master that is down."""
        if not isinstance(state, dict):
            raise MasterNotFoundError("The answer is not a state")
        if not state["is_master"] or state["is_sdown"] or state["is_odown"]:
            host, port = sentinel
            raise MasterNotFoundError(f"{host}:{port} says that it is down")
        others = [each for each in self._sentinels if each != sentinel]
        self._sentinels = (sentinel, *others)  # the next query starts with it
        return state["ip"], state["port"]

    def _not_found(self, reasons: Iterable[Exception]) -> MasterNotFoundError:
        causes = "; ".join(str(error) for error in reasons)
        return MasterNotFoundError(f"No Sentinel names {self.service_name!r}: {causes}")


class Master(_Master):
    """For the clients of redis-py that wait for each answer."""

    retry = redis.retry.Retry

    def get_master_address(self) -> Address:
        """Raises `MasterNotFoundError`."""
        reasons = []
        for sentinel in self._sentinels:
            host, port = sentinel
            try:
                with redis.Redis(host, port, **self._options) as client:
                    state = client.sentinel_master(self.service_name)
                return self._found(sentinel, state)
            except AWAY as error:
                reasons.append(error)
        raise self._not_found(reasons)


class AsyncMaster(_Master):
    """The same for redis.asyncio."""

    retry = redis.asyncio.retry.Retry

    async def get_master_address(self) -> Address:
        """Raises `MasterNotFoundError`."""
        reasons = []
        for sentinel in self._sentinels:
            host, port = sentinel
            try:
                async with redis.asyncio.Redis(
                    host=host, port=port, **self._options
                ) as client:
                    state = await client.sentinel_master(self.service_name)
                return self._found(sentinel, state)
            except AWAY as error:
                reasons.append(error)
        raise self._not_found(reasons)
