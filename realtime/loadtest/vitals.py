"""What the server spends, as far as it tells, and whether this program keeps up."""

import asyncio
import email.utils
import json
import resource
import time
from typing import Any

from realtime.loadtest.measures import Timeline, slope
from realtime.loadtest.visit import Visit
from realtime.loadtest.watchers import Ledger

EVERY_S = 1.0
NAP_S = 0.05
SATURATED_S = 0.1  # our own loop is so late: what we measure is ourselves
CLOCK_TRIES = 15
CPU, MEMORY = "process_cpu_seconds_total", "process_resident_memory_bytes"
FILES, SOCKETS = "process_open_fds", "shop_sockets"
LAG = "shop_loop_lag_seconds"


class Vitals:
    """Asks `/metrics` every second, and looks at our own loop and CPU meanwhile."""

    def __init__(self, url: str, ledger: Ledger, token: str = "") -> None:
        self._visit = Visit(url)
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
        good for a second only, says whether it is way off."""
        visit = Visit(self._visit.url)
        best: tuple[float, float, float] | None = None
        for _ in range(CLOCK_TRIES):
            sent = time.time()
            try:
                answer = await visit.get("/healthz")
                told, error = _clock(answer)
            except (OSError, ValueError, TimeoutError, EOFError):
                return
            trip = time.time() - sent
            if told is None:
                return
            if best is None or trip < best[0]:
                best = (trip, told - (sent + trip / 2), error)
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
        elapsed = time.monotonic() - self._since
        lag = self.lag.all.percentile(99)
        return self._of_the_server() | {
            "generator_cpu_percent": round(100 * spent / elapsed, 1),
            "generator_is_saturated": lag is not None and lag > SATURATED_S,
        }

    def _of_the_server(self) -> dict[str, Any]:
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
        lag = self._series(f"{LAG}_p99")
        if lag:
            told["server_loop_lag_ms"] = round(1000 * max(v for _, v in lag), 2)
        return told

    def memory_slope(self, since: float, until: float) -> float | None:
        """KB a minute, by which the server grew in that time."""
        points = [p for p in self._series(MEMORY) if since <= p[0] <= until]
        steepness = slope(points)
        return None if steepness is None else round(steepness * 60 / 1024, 1)

    def _series(self, name: str) -> list[tuple[float, float]]:
        return [(row["at"], row[name]) for row in self.rows if name in row]


def parse(text: str) -> dict[str, float]:
    """The numbers of ours in Prometheus' text, those of one name added up; of the
    loop's lag, the bucket that holds the 99th percentile."""
    found: dict[str, float] = {}
    buckets: list[tuple[float, float]] = []
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        base, _, labels = name.partition("{")
        if base in (CPU, MEMORY, FILES, SOCKETS):
            found[base] = found.get(base, 0) + float(rest.split()[-1])
        elif base == f"{LAG}_bucket":
            edge = labels.partition('le="')[2].partition('"')[0]
            buckets.append((float(edge), float(rest.split()[-1])))
    buckets.sort()
    if buckets and buckets[-1][1]:
        wanted = 0.99 * buckets[-1][1]
        edges = [edge for edge, count in buckets if count >= wanted]
        found[f"{LAG}_p99"] = min(edges[0], max(e for e, _ in buckets[:-1]))
    return found


def _clock(answer) -> tuple[float | None, float]:
    """The server's time as it told it, and how wrong that may be."""
    if answer.headers.get("content-type", "").startswith("application/json"):
        now = json.loads(answer.text).get("now")
        if isinstance(now, (int, float)):
            return float(now), 0.0
    if date := answer.headers.get("date"):
        return email.utils.parsedate_to_datetime(date).timestamp() + 0.5, 0.5
    return None, 0.0


def _cpu() -> float:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime
