"""The measurements of one generator's sockets and people."""

import json
import time
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

from realtime.loadtest.measures import Timeline

CACHED_FRAMES = 64  # that other sockets are about to receive too
RECENT_S = 2
SLOW_PAGE_S = 5.0


class Frame:
    """A parsed frame. All sockets that receive the same bytes share it."""

    __slots__ = (
        *("kind", "items", "start", "digest"),
        *("retry_ms", "spread_ms", "timeline"),
    )

    def __init__(self, message: dict[str, Any], start: float | None) -> None:
        self.kind = message.get("t")
        self.items = [(item[0], item[1]) for item in message.get("items", ())]
        self.start = start  # when the oldest change in it happened, by our wall clock
        self.digest = message.get("digest")
        self.retry_ms = message.get("retry_ms")
        self.spread_ms = message.get("spread_ms")
        self.timeline = message.get("timeline")


class Ledger:
    """Times and counts of everything that a generator's sockets and people do.

    The time of a change is that of its commit, if the frame has it (`ts`, in
    milliseconds since the epoch, by the server's clock, which `offset` corrects). If
    not, it is the time at which the request that made the change was sent, so that
    latencies are upper bounds.
    """

    def __init__(self) -> None:
        self.start = time.time()
        self.duration: float | None = None  # once merged from other generators
        self.offset = 0.0  # the server's clock minus ours
        self.push, self.handshake = Timeline(), Timeline()
        self.http, self.order = Timeline(), Timeline()
        self.closes: Counter[int] = Counter()
        self.refusals: Counter[str] = Counter()
        self.count: Counter[str] = Counter()
        self.newest: dict[str, int] = {}
        self.units: dict[str, int] = {}  # available, as last received, by topic
        self.doubt: Counter[str] = Counter()  # units that may or may not be sold
        self.rooms: dict[str, dict[str, Any]] = {}  # facts of drops, by topic
        self.timeline = ""  # of the versions in `newest`
        self.uses_commit_times = False
        self._frames: dict[bytes, Frame] = {}
        self._frame_order: deque[bytes] = deque()
        # By topic: the start of each pending request, and start and end of the last.
        self._pending: dict[str, list[float]] = {}
        self._last: dict[str, tuple[float, float]] = {}

    @property
    def now(self) -> float:
        """Return the seconds since the start."""
        if self.duration is not None:
            return self.duration
        return time.time() - self.start

    # --- What shoppers do ---

    def begin(self, topic: str) -> float:
        """Note that a request which may change the topic is sent. Returns the time."""
        start = time.time()
        self._pending.setdefault(topic, []).append(start)
        return start

    def end(self, topic: str, start: float) -> None:
        """Note that the request was answered."""
        self._pending[topic].remove(start)
        self._last[topic] = (start, time.time())

    def note_request(self, seconds: float, is_fine: bool) -> None:
        self.http.add(self.now, seconds)
        self.count["requests"] += 1
        self.count["failed_requests"] += not is_fine

    def note_page(self, seconds: float, is_fine: bool) -> None:
        """Note a request of somebody in a waiting room."""
        self.note_request(seconds, is_fine)
        self.count["slow_pages"] += seconds > SLOW_PAGE_S

    # --- What sockets receive ---

    def read(self, payload: bytes) -> Frame:
        """Parse a frame, and count what it says, once for all sockets."""
        frame = self._frames.get(payload)
        if frame is None:
            frame = self._parse(payload)
            self._frames[payload] = frame
            self._frame_order.append(payload)
            if len(self._frame_order) > CACHED_FRAMES:
                self._frames.pop(self._frame_order.popleft(), None)
        return frame

    def _parse(self, payload: bytes) -> Frame:
        message = json.loads(payload)
        items = message.get("items", ())
        is_update = message.get("t") == "upd"
        if timeline := message.get("timeline"):
            self._switch_timeline(timeline)
        start = self._change_time(message, items) if is_update else None
        for name, version, facts, *_ in items:
            if version > self.newest.get(name, -1) and name.startswith("drop:"):
                self.newest[name], self.rooms[name] = version, facts
            if version > self.newest.get(name, -1) and name.startswith("stock:"):
                self.newest[name] = version
                self.units[name] = facts["available"]
                self.count["changes"] += is_update
        return Frame(message, start)

    def _switch_timeline(self, timeline: str) -> None:
        """Versions of another database cannot be compared with those known so far."""
        if timeline != self.timeline:
            self.timeline = timeline
            self.newest.clear()

    def _change_time(self, message: dict, items: Iterable) -> float | None:
        if "ts" in message:
            self.uses_commit_times = True
            return message["ts"] / 1000 - self.offset
        if self.uses_commit_times:
            return None
        starts = [self._request_time(item[0]) for item in items if self._is_new(item)]
        return min(filter(None, starts), default=None)

    def _is_new(self, item: list) -> bool:
        return item[1] > self.newest.get(item[0], -1)

    def _request_time(self, topic: str) -> float | None:
        """Return when the request was sent that changed the topic; None if unclear."""
        pending = self._pending.get(topic, [])
        if pending:
            return pending[0] if len(pending) == 1 else None
        start, end = self._last.get(topic, (0, 0))
        return start if end > time.time() - RECENT_S else None
