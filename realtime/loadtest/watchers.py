"""Sockets that keep what a page would show; the ledger that times what they hear."""

import asyncio
import functools
import json
import random
import ssl
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from realtime.loadtest.measures import Timeline
from realtime.loadtest.visit import parted, target
from realtime.loadtest.wire import ABNORMAL, Wire

REMEMBERED = 64  # frames that other sockets are about to get too
RECENT_S = 2
PACE_MS = 45_000  # of a hidden tab
HANDSHAKE_S = 14  # a page waits 10 s for its socket, and 4 s for the first answer
FIRST_S, FEW_S, MOST_S = 0.25, 4.0, 60.0  # of a page's waits before it comes back
FEW_FAILURES = 6  # then they grow beyond what the server has told
FINAL = 4500  # from here on a close code says: do not come back
PRIME, OFFSET, MASK = 0x01000193, 0x811C9DC5, 0xFFFFFFFF


class Frame:
    """A frame as it was understood once, for every socket that gets the same bytes."""

    __slots__ = ("kind", "items", "start", "digest") + (
        *("retry_ms", "spread_ms", "timeline"),
    )

    def __init__(self, told: dict[str, Any], start: float | None) -> None:
        self.kind = told.get("t")
        self.items = [(item[0], item[1]) for item in told.get("items", ())]
        self.start = start  # when the oldest change in it happened, by our wall clock
        self.digest = told.get("digest")
        self.retry_ms = told.get("retry_ms")
        self.spread_ms = told.get("spread_ms")
        self.timeline = told.get("timeline")


class Ledger:
    """What all sockets have in common: what was done when, what was heard, how late.

    A change's time is the commit's, where the frame tells it (`ts`, in milliseconds
    since the epoch, by the server's clock, which `offset` puts right). Where it does
    not, it is when the request left that made the change: an upper bound.
    """

    def __init__(self) -> None:
        self.began = time.time()
        self.lasted: float | None = None  # if it is over, and told by others
        self.offset = 0.0  # the server's clock minus ours
        self.push, self.handshake = Timeline(), Timeline()
        self.http, self.order = Timeline(), Timeline()
        self.closes: Counter[int] = Counter()
        self.refusals: Counter[str] = Counter()
        self.count: Counter[str] = Counter()
        self.newest: dict[str, int] = {}
        self.units: dict[str, int] = {}  # available, as last heard, by topic
        self.doubt: Counter[str] = Counter()  # units that nobody knows the fate of
        self.timeline = ""  # that `newest` counts on: the last that was told
        self.uses_commit_times = False
        self._frames: dict[bytes, Frame] = {}
        self._order: deque[bytes] = deque()
        self._acting: dict[str, list[float]] = {}
        self._acted: dict[str, tuple[float, float]] = {}

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return time.time() - self.began if self.lasted is None else self.lasted

    # --- What shoppers do ---

    def begin(self, topic: str) -> float:
        """A request leaves that may change the topic."""
        start = time.time()
        self._acting.setdefault(topic, []).append(start)
        return start

    def end(self, topic: str, start: float) -> None:
        """It was answered."""
        self._acting[topic].remove(start)
        self._acted[topic] = (start, time.time())

    def note_request(self, seconds: float, is_fine: bool) -> None:
        self.http.add(self.now, seconds)
        self.count["requests"] += 1
        self.count["failed_requests"] += not is_fine

    # --- What sockets hear ---

    def read(self, payload: bytes) -> Frame:
        frame = self._frames.get(payload)
        if frame is None:
            frame = self._understand(payload)
            self._frames[payload] = frame
            self._order.append(payload)
            if len(self._order) > REMEMBERED:
                self._frames.pop(self._order.popleft(), None)
        return frame

    def _understand(self, payload: bytes) -> Frame:
        told = json.loads(payload)
        items = told.get("items", ())
        is_news = told.get("t") == "upd"
        if timeline := told.get("timeline"):
            self._follow(timeline)
        start = self._start(told, items) if is_news else None
        for name, version, facts, *_ in items:
            if version > self.newest.get(name, -1) and name.startswith("stock:"):
                self.newest[name] = version
                self.units[name] = facts["available"]
                self.count["changes"] += is_news
        return Frame(told, start)

    def _follow(self, timeline: str) -> None:
        """The database is another one now: versions count anew."""
        if timeline != self.timeline:
            self.timeline = timeline
            self.newest.clear()

    def _start(self, told: dict, items: Iterable) -> float | None:
        if "ts" in told:
            self.uses_commit_times = True
            return told["ts"] / 1000 - self.offset
        if self.uses_commit_times:
            return None
        starts = [self._blame(item[0]) for item in items if self._is_new(item)]
        return min(filter(None, starts), default=None)

    def _is_new(self, item: list) -> bool:
        return item[1] > self.newest.get(item[0], -1)

    def _blame(self, topic: str) -> float | None:
        """When the one request left that can have changed it; None if unclear."""
        acting = self._acting.get(topic, [])
        if acting:
            return acting[0] if len(acting) == 1 else None
        start, end = self._acted.get(topic, (0, 0))
        return start if end > time.time() - RECENT_S else None


class Watcher:
    """One page's socket: what it shows, and how it comes back."""

    __slots__ = ("url", "topics", "cookie", "source", "shown", "wire", "is_live") + (
        *("ledger", "is_leaving", "_live", "_asked", "_retry_s", "code", "__weakref__"),
        *("chance", "on_loss", "spread_s", "timeline", "is_hidden", "pace_ms"),
    )

    def __init__(
        self, url: str, topics: Iterable[str], ledger: Ledger, cookie: str = ""
    ) -> None:
        self.url, self.topics, self.ledger = url, tuple(topics), ledger
        self.cookie, self.source = cookie, None
        self.chance = random.Random()
        self.on_loss: Callable[[Watcher], None] = lambda watcher: None
        self.shown: dict[str, int] = {}
        self.timeline = ""  # that the versions shown count on
        self.wire: Wire | None = None
        self.is_live = self.is_leaving = False
        self.code: int | None = None  # that the last socket was closed with
        self._live: asyncio.Future | None = None
        self._asked, self._retry_s = 0, 0.0
        self.is_hidden = False  # in a tab that nobody sees
        self.pace_ms = 0  # between two frames, that it asks for
        self.spread_s: float | None = None  # over which everybody is to come back

    async def open(self) -> bool:
        """Connect and subscribe; whether the snapshot came. The ledger hears of it."""
        start = time.perf_counter()
        self.is_leaving = False
        self._live = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                await self._connect()
                self.ledger.handshake.add(self.ledger.now, time.perf_counter() - start)
                self.subscribe()
                await self._live
        except Exception as error:
            self.ledger.refusals[str(error) or type(error).__name__] += 1
            if self.wire is not None:
                self.wire.cut()
            return False
        self.is_live = True
        return True

    async def come_back(self, seconds: float) -> bool:
        """Open again as pages do: see `asyncapi.yaml`, "Coming back"."""
        end, failures = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            if self._retry_s:
                wait = self.chance.uniform(self._retry_s, 2 * self._retry_s)
            else:
                wait = self.chance.uniform(0, longest_wait(failures, self.spread_s))
            self._retry_s = 0.0
            failures += 1
            await asyncio.sleep(wait)
            if await self.open():
                return True
        return False

    def hide(self) -> None:
        """Nobody sees its tab from now on."""
        self.is_hidden, self.pace_ms = True, PACE_MS

    def see(self) -> None:
        """Its tab is shown: it wants to be right at once."""
        self.pace_ms = 0
        self.subscribe()

    def leave(self) -> None:
        """Close as a page does that is left."""
        self.is_leaving = True
        if self.wire is not None:
            self.wire.close()

    def subscribe(self) -> None:
        """Say what is shown; the answer is what is newer."""
        self._asked += 1
        topics = {name: self.shown.get(name) for name in self.topics}
        frame = {"t": "sub", "id": self._asked, "topics": topics}
        frame["timeline"] = self.timeline
        if self.pace_ms:
            frame["pace"] = self.pace_ms
        self.wire.send(json.dumps(frame).encode())

    async def _connect(self) -> None:
        host, port, tls = _target(self.url)
        local = (self.source, 0) if self.source else None
        if self.source and host == "localhost":
            host = "127.0.0.1"
        _, self.wire = await asyncio.get_running_loop().create_connection(
            lambda: Wire(self._request, self._hear, self._closed),
            host,
            port,
            ssl=tls,
            local_addr=local,
        )
        await self.wire.opened

    def _request(self, key: str) -> bytes:
        origin, base = parted(self.url)
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

    def _hear(self, payload: bytes) -> None:
        ledger = self.ledger
        frame = ledger.read(payload)
        if frame.timeline:
            self._follow(frame.timeline)
        shown = self.shown
        for name, version in frame.items:
            if version > shown.get(name, -1):
                shown[name] = version
        if frame.kind == "upd":
            ledger.count["pushes"] += 1
            if self.is_hidden:  # it waits for its turn
                ledger.count["hidden_pushes"] += 1
            elif frame.start is not None:
                now = time.time()
                ledger.push.add(now - ledger.began, now - frame.start)
            if frame.digest is not None:
                self._heed(frame)
        elif frame.kind == "snap":
            if self._live and not self._live.done():
                self._live.set_result(None)
        elif frame.kind == "hb":
            self._heed(frame)
        elif frame.kind == "bye":
            self._retry_s = (frame.retry_ms or 0) / 1000
        elif frame.kind == "err":
            ledger.count["errors"] += 1

    def _follow(self, timeline: str) -> None:
        """Versions of another timeline say nothing: whatever comes is newer."""
        if timeline != self.timeline:
            self.timeline = timeline
            self.shown.clear()

    def _heed(self, beat: Frame) -> None:
        """A heartbeat that differs from what is shown tells of a loss."""
        self.spread_s = (beat.spread_ms or 0) / 1000
        self._compare(beat.digest)

    def _compare(self, told: str) -> None:
        if digest(self.shown, self.topics) != told:
            self.ledger.count["gaps"] += 1
            self.subscribe()

    def _closed(self, code: int) -> None:
        was_live, self.is_live, self.code = self.is_live, False, code
        if not (self.is_leaving and code == ABNORMAL):  # we cut it ourselves
            self.ledger.closes[code] += 1
        if was_live and not self.is_leaving:
            self.ledger.count["unexpected_closes"] += 1
            if code < FINAL:
                self.on_loss(self)
        if self._live and not self._live.done():
            self._live.set_exception(ConnectionError(f"closed with {code}"))


@functools.cache
def _target(url: str) -> tuple[str, int, ssl.SSLContext | None]:
    return target(url)


def digest(shown: dict[str, int], topics: Iterable[str]) -> str:
    """What `hb` says of these versions; see `asyncapi.yaml`, "Heartbeat"."""
    prints = (_fingerprint(shown[name], name) for name in topics if name in shown)
    return f"{sum(prints) & MASK:08x}"


@functools.lru_cache(4096)
def _fingerprint(version: int, name: str) -> int:
    value = OFFSET
    for byte in f"{version}={name}".encode():
        value = ((value ^ byte) * PRIME) & MASK
    return value


def longest_wait(failures: int, spread_s: float | None) -> float:
    """The limit of a page's wait, in seconds, after so many failures in a row; as
    `longestWait` in `live.js`. None: no heartbeat has come."""
    if failures == 0:
        return max(FIRST_S, spread_s or 0)
    known = MOST_S if spread_s is None else max(FEW_S, 2 * spread_s)
    # After some failures the server is slower than it said.
    ceiling = known * 2 ** max(0, failures - FEW_FAILURES)
    return min(MOST_S, ceiling, FIRST_S * 2 ** (failures - 1))
