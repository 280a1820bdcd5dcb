"""What the server spends, as far as it tells, and whether this program keeps up."""

import asyncio
import email.utils
import json
import resource
import time
from collections import deque
from collections.abc import Callable, Mapping
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
BOTH = "both"  # pages and sockets, as long as a process does not say what it serves


WHOLE = ""  # the name of a server that is asked by the shop's own address


class Vitals:
    """Asks `/metrics` every second, and looks at our own loop and CPU meanwhile.

    `addresses` are those of the server's processes, by name; without any the shop's
    own `url` is asked. What machines ask is at the root of a server, also for a shop
    under a path."""

    def __init__(
        self,
        url: str,
        ledger: Ledger,
        token: str = "",
        addresses: Mapping[str, str] | None = None,
    ) -> None:
        self._url = parted(url)[0]
        self._addresses = addresses or {WHOLE: self._url}
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._ledger = ledger
        # By process: what it told when, and what it serves.
        self.rows: dict[str, list[dict[str, float]]] = {n: [] for n in self._addresses}
        self.roles: dict[str, str] = {}
        self.lag = Timeline()
        self.clock_error: float | None = None  # how wrong `offset` may be
        self._spent, self._since = _cpu(), time.monotonic()
        self._marks: deque[tuple[float, float]] = deque()  # when, CPU spent until then
        self._busiest = 0.0  # of all windows
        self._told: list[tuple[float, bool]] = []  # by others: busy, is_overloaded

    async def watch(self, server: bool = True) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as jobs:
            for name, address in self._addresses.items() if server else ():
                jobs.create_task(self._watch_process(name, Visit(address)))
            jobs.create_task(self._watch_ourselves())

    async def set_clock(self) -> None:
        """How far the server's clock is ahead: its own time against the middle of the
        quickest exchange. `/healthz` tells it in `now`; else the Date header, which is
        good for a second only, says whether it is way off. Raises what `Visit.get`
        raises."""
        visit = Visit(self._url)
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

    async def _watch_process(self, name: str, visit: Visit) -> None:
        while True:
            try:
                await self._ask(name, visit)
            except FAILURES:
                pass  # it is busy, or being restarted: the phases will tell
            await asyncio.sleep(EVERY_S)

    async def _ask(self, name: str, visit: Visit) -> None:
        """Raises what `Visit.get` raises."""
        if name not in self.roles:
            self.roles[name] = _role(await visit.get("/readyz"))
        answer = await visit.get("/metrics", **self._headers)
        if answer.status == 200:
            self.rows[name].append({"at": self._ledger.now} | parse(answer.text))

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
            "roles": self.roles,
        }

    def merge(self, told: dict[str, Any]) -> None:
        """Add what another process noted. One of them has asked the server."""
        self.lag.merge(told["lag"])
        self._told.append((float(told["busy"]), bool(told["is_overloaded"])))
        for name, rows in told["rows"].items():
            self.rows.setdefault(str(name), []).extend(rows)
        self.roles |= {str(name): str(role) for name, role in told["roles"].items()}
        errors = [self.clock_error, told["clock_error"]]
        self.clock_error = max((e for e in errors if e is not None), default=None)

    @property
    def silent(self) -> list[str]:
        """The processes that told nothing."""
        return [name for name, rows in self.rows.items() if not rows]

    @property
    def is_one_process_each(self) -> bool:
        """Whether each name always stood for the same process."""
        starts = (_series(rows, STARTED) for rows in self.rows.values())
        return all(len({value for _, value in line}) < 2 for line in starts)

    def processes(self) -> dict[str, dict[str, Any]]:
        """The figures of each process that told some, by its name."""
        if not self.is_one_process_each:
            return {}  # counters of several, mixed, mean nothing
        told = {name: rows for name, rows in self.rows.items() if rows}
        return {
            name: {"role": self.roles.get(name, BOTH)} | _figures_of(rows)
            for name, rows in told.items()
        }

    def _of_the_server(self) -> dict[str, Any]:
        """Of all processes together: sums, and the lag of the one that is latest. The
        CPU also of those that serve pages and those that serve sockets, if both kinds
        are there."""
        each = self.processes().values()
        told: dict[str, Any] = {}
        for key, added in ADDED.items():
            if values := [figures[key] for figures in each if key in figures]:
                told[f"server_{key}"] = round(added(values), 2)
        if len(roles := {figures["role"] for figures in each}) > 1:
            for role in sorted(roles):
                spent = [f.get("cpu_percent", 0) for f in each if f["role"] == role]
                told[f"server_{role}_cpu_percent"] = round(sum(spent), 1)
        return told

    def memory_slope(self, since: float, until: float) -> float | None:
        """KB a minute, by which the server grew in that time."""
        lines = (_series(rows, MEMORY) for rows in self.rows.values())
        slopes = [slope([p for p in line if since <= p[0] <= until]) for line in lines]
        known = [steepness for steepness in slopes if steepness is not None]
        return round(sum(known) * 60 / 1024, 1) if known else None

    def memory_at(self, second: int) -> float | None:
        """Bytes that all processes had by the end of a second; None before all told."""
        found = [
            [value for at, value in _series(rows, MEMORY) if at < second + 1][-1:]
            for rows in self.rows.values()
        ]
        return sum(sum(last) for last in found) if all(found) else None


# How figures of processes are made one.
ADDED: dict[str, Callable] = {
    "cpu_percent": sum,
    "memory_mb": sum,
    "files": sum,
    "sockets": sum,
    "loop_lag_ms": max,
}


def _figures_of(rows: list[dict[str, float]]) -> dict[str, Any]:
    """What one process told, in a reader's units."""
    told: dict[str, Any] = {}
    spent = _series(rows, CPU)
    if len(spent) > 1:
        (t0, first), (t1, last) = spent[0], spent[-1]
        told["cpu_percent"] = round(100 * (last - first) / (t1 - t0), 1)
    if memory := _series(rows, MEMORY):
        told["memory_mb"] = round(max(v for _, v in memory) / 2**20, 1)
    for name, key in ((FILES, "files"), (SOCKETS, "sockets")):
        if values := [value for _, value in _series(rows, name)]:
            told[key] = max(values)
    if (lag := _loop_lag(rows)) is not None:
        told["loop_lag_ms"] = round(1000 * lag, 2)
    return told


def _loop_lag(rows: list[dict[str, float]]) -> float | None:
    """The bucket of the 99th percentile, of what came since we began."""
    first, last = rows[0], rows[-1]
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


def _series(rows: list[dict[str, float]], name: str) -> list[tuple[float, float]]:
    return [(row["at"], row[name]) for row in rows if name in row]


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


def _role(answer) -> str:
    """What a process serves, as its `/readyz` says."""
    told = json.loads(answer.text) if "json" in _kind(answer) else None
    return str(told.get("role", BOTH)) if isinstance(told, dict) else BOTH


def _kind(answer) -> str:
    return answer.headers.get("content-type", "")


def _clock(answer) -> tuple[float | None, float]:
    """The server's time as it told it, and how wrong that may be."""
    if "json" in _kind(answer):
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
