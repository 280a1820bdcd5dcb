"""What the server spends, as far as it tells, and whether this program keeps up."""

import asyncio
import email.utils
import json
import resource
import time
from collections import deque
from typing import Any

from realtime.loadtest.measures import Timeline, slope
from realtime.loadtest.visit import FAILURES, Visit, parted
from realtime.loadtest.watchers import Ledger

EVERY_S = 1.0
NAP_S = 0.05
LATE_S = 0.1  # a delay of our loop that shows in what we measure
WINDOW_S = 10
TOO_LATE_S = 1.0  # of such delays within the window: what we measure is ourselves
SATURATED = 0.9  # of the one processor that this process can use
CLOCK_TRIES = 15
CPU, MEMORY = "process_cpu_seconds_total", "process_resident_memory_bytes"
FILES, SOCKETS = "process_open_fds", "shop_sockets"
LAG = "shop_loop_lag_seconds"
STARTED = "process_start_time_seconds"


class Vitals:
    """Asks `/metrics` every second, and looks at our own loop and CPU meanwhile.

    What machines ask is at the root of a server, also for a shop under a path."""

    def __init__(self, url: str, ledger: Ledger, token: str = "") -> None:
        self._visit = Visit(parted(url)[0])
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._ledger = ledger
        self.rows: list[dict[str, float]] = []
        self.lag = Timeline()
        self.clock_error: float | None = None  # how wrong `offset` may be
        self.is_told = False  # whether the server tells anything
        self._spent, self._since = _cpu(), time.monotonic()
        self._marks: deque[tuple[float, float]] = deque()  # when, CPU spent until then
        self._busiest = 0.0  # of all windows
        self._told: list[tuple[float, bool]] = []  # by others: busy, is_overloaded

    async def watch(self, server: bool = True) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as jobs:
            if server:
                jobs.create_task(self._watch_server())
            jobs.create_task(self._watch_ourselves())

    async def set_clock(self) -> None:
        """How far the server's clock is ahead: its own time against the middle of the
        quickest exchange. `/healthz` tells it in `now`; else the Date header, which is
        good for a second only, says whether it is way off. Raises what `Visit.get`
        raises."""
        visit = Visit(self._visit.url)
        best: tuple[float, float, float] | None = None
        try:
            for _ in range(CLOCK_TRIES):
                sent = time.time()
                told, error = _clock(await visit.get("/healthz"))
                trip = time.time() - sent
                if told is None:
                    return
                if best is None or trip < best[0]:
                    best = (trip, told - (sent + trip / 2), error)
        finally:
            await visit.close()
        self.clock_error = best[0] / 2 + best[2]
        # Less than the error is no difference that was measured.
        self._ledger.offset = best[1] if abs(best[1]) > self.clock_error else 0.0

    async def _watch_server(self) -> None:
        while True:
            try:
                answer = await self._visit.get("/metrics", **self._headers)
                if answer.status == 200:
                    self.is_told = True
                    self.rows.append({"at": self._ledger.now} | parse(answer.text))
            except FAILURES:
                pass  # it is busy, or being restarted: the phases will tell
            await asyncio.sleep(EVERY_S)

    async def _watch_ourselves(self) -> None:
        while True:
            due = time.perf_counter() + NAP_S
            try:
                await asyncio.sleep(NAP_S)
            finally:  # we may be ended while the loop is late
                late = time.perf_counter() - due
                if late > 0:
                    self.lag.add(self._ledger.now, late)
            self._mark()

    def _mark(self) -> None:
        """Note every second how much CPU was spent, and keep the busiest window."""
        now, marks = time.monotonic(), self._marks
        if marks and now - marks[-1][0] < EVERY_S:
            return
        marks.append((now, _cpu()))
        while now - marks[0][0] >= WINDOW_S:
            then, spent = marks.popleft()
            busy = (marks[-1][1] - spent) / (now - then)
            self._busiest = max(self._busiest, busy)

    # --- Sums ---

    def figures(self) -> dict[str, Any]:
        """What is known of both, in a reader's units."""
        return self._of_the_server() | {
            "generator_cpu_percent": round(100 * self.busy, 1),
            "generator_is_saturated": self.is_overloaded,
        }

    @property
    def busy(self) -> float:
        """The share of one processor that this process has used; of several processes,
        the busiest."""
        if self._told:
            return max(busy for busy, _ in self._told)
        return (_cpu() - self._spent) / max(time.monotonic() - self._since, NAP_S)

    @property
    def is_overloaded(self) -> bool:
        """Whether this process, or one of several, could not keep up for a while."""
        if self._told:
            return any(is_overloaded for _, is_overloaded in self._told)
        is_late = self.lag.most_in(WINDOW_S, LATE_S) >= TOO_LATE_S
        return is_late or max(self.busy, self._busiest) > SATURATED

    def raw(self) -> dict[str, Any]:
        """All that was noted, as plain values."""
        return {
            "lag": self.lag.raw(),
            "busy": self.busy,
            "is_overloaded": self.is_overloaded,
            "rows": self.rows,
            "clock_error": self.clock_error,
            "is_told": self.is_told,
        }

    def merge(self, told: dict[str, Any]) -> None:
        """Add what another process noted. One of them has asked the server."""
        self.lag.merge(told["lag"])
        self._told.append((float(told["busy"]), bool(told["is_overloaded"])))
        self.rows += told["rows"]
        self.is_told |= told["is_told"]
        errors = [self.clock_error, told["clock_error"]]
        self.clock_error = max((e for e in errors if e is not None), default=None)

    @property
    def is_one_process(self) -> bool:
        """Whether all that was told is of the same one."""
        return len({value for _, value in self._series(STARTED)}) < 2

    def _of_the_server(self) -> dict[str, Any]:
        if not self.is_one_process:
            return {}  # counters of several, mixed, mean nothing
        spent = self._series(CPU)
        memory = self._series(MEMORY)
        told: dict[str, Any] = {}
        if len(spent) > 1:
            (t0, first), (t1, last) = spent[0], spent[-1]
            told["server_cpu_percent"] = round(100 * (last - first) / (t1 - t0), 1)
        if memory:
            told["server_memory_mb"] = round(max(v for _, v in memory) / 2**20, 1)
        for name, key in ((FILES, "server_files"), (SOCKETS, "server_sockets")):
            if values := [value for _, value in self._series(name)]:
                told[key] = max(values)
        if (lag := self._loop_lag()) is not None:
            told["server_loop_lag_ms"] = round(1000 * lag, 2)
        return told

    def _loop_lag(self) -> float | None:
        """The bucket of the 99th percentile, of what came since we began."""
        if not self.rows:
            return None
        first, last = self.rows[0], self.rows[-1]
        edges = [name for name in last if name.startswith(f"{LAG}_le_")]
        counts = sorted(
            (float(name.rpartition("_")[2]), last[name] - first.get(name, 0))
            for name in edges
        )
        if len(counts) < 2 or not counts[-1][1]:
            return None
        wanted = 0.99 * counts[-1][1]
        edge = next((edge for edge, count in counts if count >= wanted), counts[-1][0])
        return min(edge, counts[-2][0])

    def memory_slope(self, since: float, until: float) -> float | None:
        """KB a minute, by which the server grew in that time."""
        points = [p for p in self._series(MEMORY) if since <= p[0] <= until]
        steepness = slope(points)
        return None if steepness is None else round(steepness * 60 / 1024, 1)

    def _series(self, name: str) -> list[tuple[float, float]]:
        return [(row["at"], row[name]) for row in self.rows if name in row]


def parse(text: str) -> dict[str, float]:
    """The numbers that we want of Prometheus' text, those of one name added up; of the
    loop's lag, how often it was at most so many seconds."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        base, _, labels = name.partition("{")
        values = rest.split()
        if not values:
            continue
        if base in (CPU, MEMORY, FILES, SOCKETS, STARTED):
            found[base] = found.get(base, 0) + float(values[-1])
        elif base == f"{LAG}_bucket":
            edge = labels.partition('le="')[2].partition('"')[0]
            found[f"{LAG}_le_{float(edge)}"] = float(values[-1])
    return found


def _clock(answer) -> tuple[float | None, float]:
    """The server's time as it told it, and how wrong that may be."""
    if answer.headers.get("content-type", "").startswith("application/json"):
        told = json.loads(answer.text)
        now = told.get("now") if isinstance(told, dict) else None
        if isinstance(now, (int, float)):
            return float(now), 0.0
    if date := answer.headers.get("date"):
        return email.utils.parsedate_to_datetime(date).timestamp() + 0.5, 0.5
    return None, 0.0


def _cpu() -> float:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime
