"""CPU and memory of the server, and whether this program keeps up."""

import asyncio
import email.utils
import json
import resource
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from realtime.loadtest.ledger import Ledger
from realtime.loadtest.measures import Timeline, slope
from realtime.loadtest.server_metrics import (
    MEMORY,
    STARTED,
    figures_of,
    parse,
    series,
)
from realtime.loadtest.visit import FAILURES, Answer, Visit, split_url

EVERY_S = 1.0
NAP_S = 0.05
LATE_S = 0.1  # a delay of our loop that affects what we measure
WINDOW_S = 10
TOO_LATE_S = 1.0  # sum of such delays in the window, after which we judge nothing
SATURATED = 0.9  # of the one processor that this process can use
CLOCK_TRIES = 15
BOTH = "both"  # pages and sockets: the role of a process that does not say its role
WHOLE = ""  # the name of a server that is asked at the shop's own address


class Vitals:
    """Reads `/metrics` every second, and measures our own loop and CPU.

    `addresses` are those of the server's processes, by name. Without any, the shop's
    own `url` is used. `/metrics` is at the root of a server, even if the shop has a
    path.
    """

    def __init__(
        self,
        url: str,
        ledger: Ledger,
        token: str = "",
        addresses: Mapping[str, str] | None = None,
    ) -> None:
        self._url = split_url(url)[0]
        self._addresses = addresses or {WHOLE: self._url}
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._ledger = ledger
        # By process: what it reported when, and its role.
        self.rows: dict[str, list[dict[str, float]]] = {n: [] for n in self._addresses}
        self.roles: dict[str, str] = {}
        self.lag = Timeline()
        self.clock_error: float | None = None  # how wrong `offset` may be
        self._spent, self._since = _cpu(), time.monotonic()
        self._marks: deque[tuple[float, float]] = deque()  # when, CPU spent until then
        self._busiest = 0.0  # of all windows
        # Of other generators: busy, is_overloaded.
        self._others: list[tuple[float, bool]] = []

    async def watch(self, server: bool = True) -> None:
        """Measure until cancelled."""
        async with asyncio.TaskGroup() as jobs:
            for name, address in self._addresses.items() if server else ():
                jobs.create_task(self._watch_process(name, Visit(address)))
            jobs.create_task(self._watch_ourselves())

    async def set_clock(self) -> None:
        """Measure how far the server's clock is ahead, from the middle of the quickest
        request. `/healthz` has the time in `now`. Without that, the Date header shows
        large differences, as it counts whole seconds. Raises what `Visit.get` raises.
        """
        visit = Visit(self._url)
        tries: list[tuple[float, float, float]] = []  # trip, difference, its error
        try:
            for _ in range(CLOCK_TRIES):
                sent = time.time()
                server_time, error = _clock(await visit.get("/healthz"))
                trip = time.time() - sent
                if server_time is None:
                    return
                tries.append((trip, server_time - (sent + trip / 2), error))
        finally:
            await visit.close()
        trip, difference, error = min(tries)
        self.clock_error = trip / 2 + error
        # A difference below the error is not a difference.
        is_known = abs(difference) > self.clock_error
        self._ledger.offset = difference if is_known else 0.0

    async def _watch_process(self, name: str, visit: Visit) -> None:
        while True:
            try:
                await self._ask(name, visit)
            except FAILURES:
                pass  # it is busy or restarting: the phases find out
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
            finally:  # the run may end while the loop is late
                late = time.perf_counter() - due
                if late > 0:
                    self.lag.add(self._ledger.now, late)
            self._mark()

    def _mark(self) -> None:
        """Note the CPU time every second, and remember the busiest window."""
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
        """Return the figures of the server and of this program."""
        return self._of_the_server() | {
            "generator_cpu_percent": round(100 * self.busy, 1),
            "generator_is_saturated": self.is_overloaded,
        }

    @property
    def busy(self) -> float:
        """Return the share of a processor that this process has used, or the busiest of
        several processes."""
        if self._others:
            return max(busy for busy, _ in self._others)
        return (_cpu() - self._spent) / max(time.monotonic() - self._since, NAP_S)

    @property
    def is_overloaded(self) -> bool:
        """Whether this process, or one of several, could not keep up for a while."""
        if self._others:
            return any(is_overloaded for _, is_overloaded in self._others)
        is_late = self.lag.most_in(WINDOW_S, LATE_S) >= TOO_LATE_S
        return is_late or max(self.busy, self._busiest) > SATURATED

    def raw(self) -> dict[str, Any]:
        """Return all measurements as plain values."""
        return {
            "lag": self.lag.raw(),
            "busy": self.busy,
            "is_overloaded": self.is_overloaded,
            "rows": self.rows,
            "clock_error": self.clock_error,
            "roles": self.roles,
        }

    def merge(self, raw: dict[str, Any]) -> None:
        """Add the measurements of another process. One of them asked the server."""
        self.lag.merge(raw["lag"])
        self._others.append((float(raw["busy"]), bool(raw["is_overloaded"])))
        for name, rows in raw["rows"].items():
            self.rows.setdefault(str(name), []).extend(rows)
        self.roles |= {str(name): str(role) for name, role in raw["roles"].items()}
        errors = [self.clock_error, raw["clock_error"]]
        self.clock_error = max((e for e in errors if e is not None), default=None)

    @property
    def silent(self) -> list[str]:
        """Return the processes that reported nothing."""
        return [name for name, rows in self.rows.items() if not rows]

    @property
    def is_one_process_each(self) -> bool:
        """Whether each name stood for one process throughout."""
        starts = (series(rows, STARTED) for rows in self.rows.values())
        return all(len({value for _, value in line}) < 2 for line in starts)

    def processes(self) -> dict[str, dict[str, Any]]:
        """Return the figures of each process that reported some, by its name."""
        if not self.is_one_process_each:
            return {}  # mixed counters mean nothing
        reported = {name: rows for name, rows in self.rows.items() if rows}
        return {
            name: {"role": self.roles.get(name, BOTH)} | figures_of(rows)
            for name, rows in reported.items()
        }

    def _of_the_server(self) -> dict[str, Any]:
        """Return sums over all processes, and the largest loop lag. If there are
        processes for pages and others for sockets, also the CPU of each role."""
        processes = self.processes().values()
        totals: dict[str, Any] = {}
        for key, add_up in TOTALS.items():
            if values := [figures[key] for figures in processes if key in figures]:
                totals[f"server_{key}"] = round(add_up(values), 2)
        if len(roles := {figures["role"] for figures in processes}) > 1:
            for role in sorted(roles):
                cpu = sum(
                    f.get("cpu_percent", 0) for f in processes if f["role"] == role
                )
                totals[f"server_{role}_cpu_percent"] = round(cpu, 1)
        return totals

    def memory_slope(self, since: float, until: float) -> float | None:
        """Return by how many KB a minute the server grew in that time."""
        lines = (series(rows, MEMORY) for rows in self.rows.values())
        slopes = [slope([p for p in line if since <= p[0] <= until]) for line in lines]
        known = [steepness for steepness in slopes if steepness is not None]
        return round(sum(known) * 60 / 1024, 1) if known else None

    def memory_at(self, second: int) -> float | None:
        """Return the bytes of all processes at the end of a second, or None before
        each has reported."""
        latest = [
            [value for at, value in series(rows, MEMORY) if at < second + 1][-1:]
            for rows in self.rows.values()
        ]
        return sum(sum(last) for last in latest) if all(latest) else None


# How the figures of several processes become one.
TOTALS: dict[str, Callable] = {
    "cpu_percent": sum,
    "memory_mb": sum,
    "files": sum,
    "sockets": sum,
    "loop_lag_ms": max,
}


def _role(answer: Answer) -> str:
    """Return what a process serves, according to its `/readyz`."""
    state = json.loads(answer.text) if "json" in _kind(answer) else None
    return str(state.get("role", BOTH)) if isinstance(state, dict) else BOTH


def _kind(answer: Answer) -> str:
    return answer.headers.get("content-type", "")


def _clock(answer: Answer) -> tuple[float | None, float]:
    """Return the server's time, and how wrong that may be, in seconds."""
    if "json" in _kind(answer):
        state = json.loads(answer.text)
        now = state.get("now") if isinstance(state, dict) else None
        if isinstance(now, (int, float)):
            return float(now), 0.0
    if date := answer.headers.get("date"):
        return email.utils.parsedate_to_datetime(date).timestamp() + 0.5, 0.5
    return None, 0.0


def _cpu() -> float:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime
