"""A real Redis for what runs inside the test's own process."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from realtime.hub import get_hub, stop_hub
from realtime.hub.hub import Hub
from tests.support.layers import publishing_at
from tests.support.servers import Redis
from tests.support.sockets import Socket
from tests.system.conftest import shared_redis

__all__ = ["shared_redis"]


@pytest.fixture
def redis(shared_redis) -> Iterator[Redis]:
    with publishing_at(shared_redis.url):
        yield shared_redis


@pytest.fixture
def own_redis(tmp_path) -> Iterator[Redis]:
    """A Redis to break; it is not started yet."""
    redis = Redis(tmp_path)
    with publishing_at(redis.url):
        yield redis
    redis.stop()


class Loop:
    """An event loop in a thread, so that the test itself may use the database."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any], seconds: float = 10) -> Any:
        """What the coroutine returns; raises what it raises."""
        return self.spawn(work).result(seconds)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> Future:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, function: Callable, *arguments: Any) -> Any:
        """What a function returns when it is called on the loop's thread."""

        async def work() -> Any:
            return function(*arguments)

        return self.run(work())

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def loop(redis) -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.run(stop_hub())
    loop.close()


@pytest.fixture
def hub(transactional_db, loop) -> Hub:
    """The real hub of this process, on the loop."""
    return loop.call(get_hub)


@pytest.fixture
def open_socket(hub, loop):
    """Sockets that are closed afterwards, each without an error."""
    sockets = []

    def open_one(*arguments, **options) -> Socket:
        sockets.append(Socket(loop, *arguments, **options))
        return sockets[-1]

    yield open_one
    for socket in sockets:
        socket.close()
