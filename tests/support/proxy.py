"""A network between two programs that fails on demand: it cuts, stalls, forgets,
throttles, and swallows single WebSocket frames."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Target = Path | tuple[str, int]

PIECE = 16 * 1024  # bytes carried at once
STEP_S = 0.05  # between pieces of a throttled line
START_S = 5
TEXT, LONG = 0x81, 126  # a whole text frame; a length of two bytes follows


class Proxy:
    """A TCP port before a Unix socket or another port, on a thread of its own."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._is_cut, self._rate, self._era = False, 0, 0
        self._swallows: bytes | None = None
        self.held = 0  # pieces that wait for the line to move on
        self.swallowed = 0  # frames
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task] = set()
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(
            asyncio.start_server(self._accept, "127.0.0.1", 0, limit=PIECE)
        )

    @property
    def port(self) -> int:
        return self._server.sockets[0].getsockname()[1]

    @contextlib.contextmanager
    def cut(self) -> Iterator[None]:
        """Reset all connections, and new ones meanwhile."""
        self._is_cut = True
        self._call(self._reset)
        try:
            yield
        finally:
            self._is_cut = False

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        """Meanwhile nothing moves; nothing is lost, and nobody is told."""
        self._call(self._flows.clear)
        try:
            yield
        finally:
            self._call(self._flows.set)

    @contextlib.contextmanager
    def throttled(self, rate: int) -> Iterator[None]:
        """Meanwhile each direction carries so many bytes a second."""
        self._rate = rate
        try:
            yield
        finally:
            self._rate = 0

    def forget(self) -> None:
        """As a router does that was restarted: what is connected now stays so and
        hears nothing more; new connections are fine."""
        self._era += 1

    def swallow(self, words: bytes) -> None:
        """Lose the next small WebSocket frame to a client with these words in it."""
        self._swallows = words

    def close(self) -> None:
        self._run(self._end())
        self._call(self._loop.stop)
        self._thread.join(START_S)
        self._loop.close()

    # --- On the thread --------------------------------------------------------

    async def _accept(
        self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter
    ) -> None:
        self._tasks.add(asyncio.current_task())
        self._writers.add(to_near)
        try:
            if not self._is_cut:
                await self._connect(near, to_near)
        except OSError:
            pass  # as the target is away, or one of the two has gone
        finally:
            to_near.transport.abort()
            self._writers.discard(to_near)
            self._tasks.discard(asyncio.current_task())

    async def _connect(
        self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter
    ) -> None:
        far, to_far = await self._reach()
        self._writers.add(to_far)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(near, to_far, bytes))
                both.create_task(self._carry(far, to_near, self._but_swallowed))
        except* OSError:
            pass
        finally:
            to_far.transport.abort()
            self._writers.discard(to_far)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(self._target, limit=PIECE)
        return await asyncio.open_connection(*self._target, limit=PIECE)

    async def _carry(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        change: Callable[[bytes], bytes],
    ) -> None:
        era = self._era
        while data := await source.read(int(self._rate * STEP_S) or PIECE):
            await self._until_it_flows()
            if era != self._era:
                continue
            if self._rate:
                await asyncio.sleep(STEP_S)
            sink.write(change(data))
            await sink.drain()
        raise ConnectionResetError  # one end has closed: the other hears of it

    async def _until_it_flows(self) -> None:
        self.held += 1
        await self._flows.wait()
        self.held -= 1

    def _but_swallowed(self, data: bytes) -> bytes:
        if self._swallows is None or data[0] != TEXT:
            return data
        rest = b""
        while data:
            frame, data = _first(data)
            if self._swallows is not None and self._swallows in frame:
                self._swallows = None
                self.swallowed += 1
            else:
                rest += frame
        return rest

    def _reset(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _end(self) -> None:
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- From other threads ---------------------------------------------------

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START_S)

    def _call(self, function: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(function)


def _first(data: bytes) -> tuple[bytes, bytes]:
    """The first of the frames that a server has sent, and the rest."""
    size, start = data[1], 2
    if size == LONG:
        size, start = int.from_bytes(data[2:4], "big"), 4
    return data[: start + size], data[start + size :]
