"""What the server spends, as far as it tells, and whether this program keeps up."""

import asyncio
import email.utils
import json
import resource
import time
from typing import Any

from realtime.loadtest.measures import Timeline, slope
from realtime.loadtest.visit import Visit, parted
from realtime.loadtest.watchers import Ledger

EVERY_S = 1.0
NAP_S = 0.05
SATURATED_S = 0.1  # our own loop is so late: what we measure is ourselves
SATURATED = 0.9  # of the one processor that this program can use
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

    async def watch(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as jobs:
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
        self._ledger.offset = best[1]
        self.clock_error = best[0] / 2 + best[2]

    async def _watch_server(self) -> None:
        while True:
            try:
                answer = await self._visit.get("/metrics", **self._headers)
                if answer.status == 200:
                    self.is_told = True
                    self.rows.append({"at": self._ledger.now} | parse(answer.text))
            except (OSError, ValueError, TimeoutError, EOFError):
                pass  # it is busy, or being restarted: the phases will tell
            await asyncio.sleep(EVERY_S)

    async def _watch_ourselves(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(NAP_S)
            late = time.perf_counter() - before - NAP_S
            self.lag.add(self._ledger.now, late)

    # --- Sums ---

    def figures(self) -> dict[str, Any]:
        """What is known of both, in a reader's units."""
        spent = _cpu() - self._spent
        busy = spent / (time.monotonic() - self._since)
        lag = self.lag.all.percentile(99) or 0
        return self._of_the_server() | {
            "generator_cpu_percent": round(100 * busy, 1),
            "generator_is_saturated": lag > SATURATED_S or busy > SATURATED,
        }

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
        edge = next(edge for edge, count in counts if count >= wanted)
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
        if base in (CPU, MEMORY, FILES, SOCKETS, STARTED):
            found[base] = found.get(base, 0) + float(rest.split()[-1])
        elif base == f"{LAG}_bucket":
            edge = labels.partition('le="')[2].partition('"')[0]
            found[f"{LAG}_le_{float(edge)}"] = float(rest.split()[-1])
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
