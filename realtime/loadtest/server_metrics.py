"""The metrics of a server process, and the figures that follow from them."""

from typing import Any

CPU, MEMORY = "process_cpu_seconds_total", "process_resident_memory_bytes"
FILES, SOCKETS = "process_open_fds", "shop_sockets"
LAG = "shop_loop_lag_seconds"
STARTED = "process_start_time_seconds"


def figures_of(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Return the figures of one process, in the report's units."""
    figures: dict[str, Any] = {}
    spent = series(rows, CPU)
    if len(spent) > 1:
        (t0, first), (t1, last) = spent[0], spent[-1]
        figures["cpu_percent"] = round(100 * (last - first) / (t1 - t0), 1)
    if memory := series(rows, MEMORY):
        figures["memory_mb"] = round(max(v for _, v in memory) / 2**20, 1)
    for name, key in ((FILES, "files"), (SOCKETS, "sockets")):
        if values := [value for _, value in series(rows, name)]:
            figures[key] = max(values)
    if (lag := _loop_lag(rows)) is not None:
        figures["loop_lag_ms"] = round(1000 * lag, 2)
    return figures


def _loop_lag(rows: list[dict[str, float]]) -> float | None:
    """Return the bucket of the 99th percentile since the start of the test."""
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


def series(rows: list[dict[str, float]], name: str) -> list[tuple[float, float]]:
    """Return the moments and values of one number."""
    return [(row["at"], row[name]) for row in rows if name in row]


def parse(text: str) -> dict[str, float]:
    """Return the numbers that we need from Prometheus' text. Those with the same name
    are added up; the loop's lag is kept by bucket."""
    numbers: dict[str, float] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        base, _, labels = name.partition("{")
        values = rest.split()
        if not values:
            continue
        if base in (CPU, MEMORY, FILES, SOCKETS, STARTED):
            numbers[base] = numbers.get(base, 0) + float(values[-1])
        elif base == f"{LAG}_bucket":
            edge = labels.partition('le="')[2].partition('"')[0]
            numbers[f"{LAG}_le_{float(edge)}"] = float(values[-1])
    return numbers
