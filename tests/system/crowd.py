"""Many sockets that come back by themselves, as pages do, on a thread of their own."""

import asyncio
import random
import threading
import time
from collections.abc import Coroutine, Iterable
from typing import Any

from realtime.loadtest.ledger import Ledger
from realtime.loadtest.watchers import Watcher
from tests.support.servers import wait_until

IN_FLIGHT = 100  # handshakes at the same time, when all arrive
COME_BACK_S = 120
START_S = 120


class Visitor(Watcher):
    """A socket that notes when it comes."""

    __slots__ = ("arrivals",)

    async def open(self) -> bool:
        self.arrivals.append(time.monotonic())
        return await super().open()


class Crowd:
    """So many sockets at `url` that watch `topics`. Enter it to open them."""

    def __init__(self, url: str, topics: Iterable[str], count: int) -> None:
        self.ledger = Ledger()
        self.arrivals: list[float] = []  # attempts to open a socket, in their order
        self.codes: list[int] = []  # that the shop closed sockets with
        self._topics, self._url, self._count = tuple(topics), url, count
        self._returns: set[asyncio.Task] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "Crowd":
        self._thread.start()
        self._run(self._open())
        return self

    def __exit__(self, *exception: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def forget(self) -> None:
        """What came and went until now."""
        self.arrivals.clear()
        self.codes.clear()

    def peak(self, seconds: float = 1) -> float:
        """The most that came within so long, a second."""
        times = sorted(self.arrivals)
        most = first = 0
        for last, moment in enumerate(times):
            while times[first] <= moment - seconds:
                first += 1
            most = max(most, last - first + 1)
        return most / seconds

    def is_whole(self) -> bool:
        """Whether every socket is open and has been answered."""
        return all(visitor.is_live for visitor in self._visitors)

    def shows(self, versions: dict[str, int]) -> bool:
        """Whether every socket shows these versions, and none other."""
        return all(visitor.shown == versions for visitor in self._visitors)

    def wait(self, condition, what: str, seconds: float = COME_BACK_S) -> float:
        """Wait until it holds; the seconds that it took."""
        begun = time.monotonic()
        wait_until(condition, what, seconds)
        return time.monotonic() - begun

    # --- On the loop's thread -----------------------------------------------------

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(START_S)

    async def _open(self) -> None:
        self._visitors = [self._visitor(seed) for seed in range(self._count)]
        doors = asyncio.Semaphore(IN_FLIGHT)

        async def enter(visitor: Visitor) -> None:
            async with doors:
                assert await visitor.open(), self.ledger.refusals

        await asyncio.gather(*map(enter, self._visitors))

    def _visitor(self, seed: int) -> Visitor:
        visitor = Visitor(self._url, self._topics, self.ledger)
        visitor.arrivals, visitor.random = self.arrivals, random.Random(seed)
        visitor.on_loss = self._lost
        return visitor

    def _lost(self, visitor: Visitor) -> None:
        self.codes.append(visitor.code)
        task = self._loop.create_task(visitor.come_back(COME_BACK_S))
        self._returns.add(task)
        task.add_done_callback(self._returns.discard)

    async def _close(self) -> None:
        for task in tuple(self._returns):
            task.cancel()
        await asyncio.gather(*self._returns, return_exceptions=True)
        for visitor in self._visitors:
            visitor.leave()
            visitor.wire.cut()
