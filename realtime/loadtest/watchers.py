"""Sockets that behave as a page does: they hold its state and reconnect."""

import asyncio
import functools
import json
import random
import ssl
import time
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from realtime.loadtest.ledger import Frame, Ledger
from realtime.loadtest.visit import split_url, target
from realtime.loadtest.wire import ABNORMAL, Wire

PACE_MS = 45_000  # of a hidden tab
HANDSHAKE_S = 14  # a page waits 10 s for its socket, and 4 s for the first answer
# The longest wait of a page before it reconnects, in seconds: at first, after a few
# failures, and ever.
FIRST_WAIT_S, FEW_WAIT_S, MAX_WAIT_S = 0.25, 4.0, 60.0
FEW_FAILURES = 6  # after more of them, waits exceed what the server announced
AGAIN = 1 / 4  # of what the server announced: the shortest limit of a later wait
FINAL_CODES = 4500  # from this close code on, a page does not reconnect
PRIME, OFFSET, MASK = 0x01000193, 0x811C9DC5, 0xFFFFFFFF


class Watcher:
    """The socket of one page."""

    __slots__ = (
        *("url", "topics", "cookie", "source", "shown", "wire", "is_live"),
        *("ledger", "is_leaving", "code", "random", "on_loss", "spread_s"),
        *("timeline", "is_hidden", "pace_ms", "on_frame"),
        *("_snapshot", "_subscriptions", "_retry_s", "__weakref__"),
    )

    def __init__(
        self, url: str, topics: Iterable[str], ledger: Ledger, cookie: str = ""
    ) -> None:
        self.url, self.topics, self.ledger = url, tuple(topics), ledger
        self.cookie, self.source = cookie, None
        self.random = random.Random()
        self.on_loss: Callable[[Watcher], None] = lambda watcher: None
        self.on_frame: Callable[[Frame], None] | None = None
        self.shown: dict[str, int] = {}
        self.timeline = ""  # of the versions shown
        self.wire: Wire | None = None
        self.is_live = self.is_leaving = False
        self.code: int | None = None  # of the last connection
        self._snapshot: asyncio.Future | None = None
        self._subscriptions, self._retry_s = 0, 0.0
        self.is_hidden = False  # in a hidden tab
        self.pace_ms = 0  # between two frames, as requested
        self.spread_s: float | None = None  # over which all sockets should reconnect

    async def open(self) -> bool:
        """Connect and subscribe. Returns whether the snapshot arrived."""
        start = time.perf_counter()
        self.is_leaving = False
        self._snapshot = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                await self._connect()
                self.ledger.handshake.add(self.ledger.now, time.perf_counter() - start)
                self.subscribe()
                await self._snapshot
        except Exception as error:
            self.ledger.refusals[str(error) or type(error).__name__] += 1
            if self.wire is not None:
                self.wire.cut()
            return False
        self.is_live = True
        return True

    async def come_back(self, seconds: float) -> bool:
        """Try to reconnect for some seconds, as pages do: see `asyncapi.yaml`, "Coming
        back". Returns whether it succeeded."""
        end, failures = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            if self._retry_s:
                wait = self.random.uniform(self._retry_s, 2 * self._retry_s)
            else:
                wait = self.random.uniform(0, longest_wait(failures, self.spread_s))
            self._retry_s = 0.0
            failures += 1
            await asyncio.sleep(wait)
            if await self.open():
                return True
        return False

    def hide(self) -> None:
        """Hide the tab, before it connects."""
        self.is_hidden, self.pace_ms = True, PACE_MS

    def show(self) -> None:
        """Show the tab: it asks for the newest state at once."""
        self.pace_ms = 0
        self.subscribe()

    def leave(self) -> None:
        """Close the socket, as a page does that the visitor leaves."""
        self.is_leaving = True
        if self.wire is not None:
            self.wire.close()

    def cut(self) -> None:
        """End the connection as a network does. The page does not reconnect by
        itself."""
        self.is_leaving = True
        if self.wire is not None:
            self.wire.cut()

    def subscribe(self) -> None:
        """Send the versions that are shown. The server answers with what is newer."""
        self._subscriptions += 1
        topics = {name: self.shown.get(name) for name in self.topics}
        frame = {"t": "sub", "id": self._subscriptions, "topics": topics}
        frame["timeline"] = self.timeline
        if self.pace_ms:
            frame["pace"] = self.pace_ms
        if self.wire is not None:
            self.wire.send(json.dumps(frame).encode())

    async def _connect(self) -> None:
        host, port, tls = _target(self.url)
        local = (self.source, 0) if self.source else None
        if self.source and host == "localhost":
            host = "127.0.0.1"
        _, self.wire = await asyncio.get_running_loop().create_connection(
            lambda: Wire(self._request, self._receive, self._closed),
            host,
            port,
            ssl=tls,
            local_addr=local,
        )
        await self.wire.opened

    def _request(self, key: str) -> bytes:
        origin, base = split_url(self.url)
        lines = [
            f"GET {base}/ws/ HTTP/1.1",
            f"Host: {urlsplit(self.url).netloc}",
            f"Origin: {origin}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: shop.v1",
        ]
        if self.cookie:
            lines.append(f"Cookie: {self.cookie}")
        return "\r\n".join([*lines, "", ""]).encode("latin1")

    def _receive(self, payload: bytes) -> None:
        ledger = self.ledger
        frame = ledger.read(payload)
        if frame.timeline:
            self._switch_timeline(frame.timeline)
        shown = self.shown
        for name, version in frame.items:
            if version > shown.get(name, -1):
                shown[name] = version
        if frame.kind == "upd":
            ledger.count["pushes"] += 1
            if self.is_hidden:  # its frames are late on purpose
                ledger.count["hidden_pushes"] += 1
            elif frame.start is not None:
                now = time.time()
                ledger.push.add(now - ledger.start, now - frame.start)
            if frame.digest is not None:
                self._check_digest(frame)
        elif frame.kind == "snap":
            if self._snapshot and not self._snapshot.done():
                self._snapshot.set_result(None)
        elif frame.kind == "hb":
            self._check_digest(frame)
        elif frame.kind == "bye":
            self._retry_s = (frame.retry_ms or 0) / 1000
        elif frame.kind == "err":
            ledger.count["errors"] += 1
        if self.on_frame is not None and frame.items:
            self.on_frame(frame)

    def _switch_timeline(self, timeline: str) -> None:
        """Versions of another timeline cannot be compared: what comes is newer."""
        if timeline != self.timeline:
            self.timeline = timeline
            self.shown.clear()

    def _check_digest(self, frame: Frame) -> None:
        """A digest that differs from what is shown means that a frame was lost."""
        self.spread_s = (frame.spread_ms or 0) / 1000
        if digest(self.shown, self.topics) != frame.digest:
            self.ledger.count["gaps"] += 1
            self.subscribe()

    def _closed(self, code: int) -> None:
        was_live, self.is_live, self.code = self.is_live, False, code
        if not (self.is_leaving and code == ABNORMAL):  # we cut it
            self.ledger.closes[code] += 1
        if was_live and not self.is_leaving:
            self.ledger.count["unexpected_closes"] += 1
            if code < FINAL_CODES:
                self.on_loss(self)
        if self._snapshot and not self._snapshot.done():
            self._snapshot.set_exception(ConnectionError(f"closed with {code}"))


@functools.cache
def _target(url: str) -> tuple[str, int, ssl.SSLContext | None]:
    return target(url)


def digest(shown: dict[str, int], topics: Iterable[str]) -> str:
    """Return the digest of these versions; see `asyncapi.yaml`, "Heartbeat"."""
    prints = (_fingerprint(shown[name], name) for name in topics if name in shown)
    return f"{sum(prints) & MASK:08x}"


@functools.lru_cache(4096)
def _fingerprint(version: int, name: str) -> int:
    value = OFFSET
    for byte in f"{version}={name}".encode():
        value = ((value ^ byte) * PRIME) & MASK
    return value


def longest_wait(failures: int, spread_s: float | None) -> float:
    """Return how many seconds a page waits at most after so many failures in a row.

    It is `longestWait` in `live.js`. `spread_s` is None before the first heartbeat.
    """
    if failures == 0:
        return max(FIRST_WAIT_S, spread_s or 0)
    announced = MAX_WAIT_S if spread_s is None else max(FEW_WAIT_S, 2 * spread_s)
    # After some failures the server is slower than it announced.
    ceiling = announced * 2 ** max(0, failures - FEW_FAILURES)
    limit = max(AGAIN * (spread_s or 0), FIRST_WAIT_S * 2 ** (failures - 1))
    return min(MAX_WAIT_S, ceiling, limit)
