"""How this process felt in the last two minutes: some numbers of `metrics`, kept.

`/metrics` has sums since the start, which a monitor remembers and subtracts. Who just
looks has no monitor: the hub notes the sums every two seconds, for about 0.3 ms.

Each process puts its numbers in the cache, for the pages of others.
"""

import contextlib
import os
import resource
import socket
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from django.core.cache import cache
from prometheus_client import Histogram
from prometheus_client.metrics import MetricWrapperBase

from realtime import metrics, roles

EVERY_S = 2
SHORTEST_S = 1
KEPT = 61  # two minutes
STARTED = time.time()
PROCESSORS = os.cpu_count() or 1
HOST = socket.gethostname()
SHARED = "pulse"  # the key of who has put numbers in the cache, and when
SHARED_S = 3 * EVERY_S  # then they are out of date

Buckets = tuple[tuple[float, float], ...]  # (seconds, how many took no longer)

SUMS: dict[str, MetricWrapperBase] = {
    "sockets": metrics.SOCKETS,
    "frames": metrics.FRAMES,
    "dirty": metrics.DIRTY,
    "slow": metrics.SLOW,
    "skips": metrics.SKIPS,
    "cuts": metrics.SLOW_CUTS,
    "refusals": metrics.REFUSALS,
    "gaps": metrics.GAPS,
    "resyncs": metrics.RESYNCS,
    "degraded": metrics.DEGRADED,
}
TIMES: dict[str, Histogram] = {
    "push": metrics.PUSH_LAG,
    "loop": metrics.LOOP_LAG,
    "tick": metrics.TICK,
    "probe": metrics.PROBE,
}
MEMORY = Path("/proc/self/statm")  # in pages, the second number is what is resident


class Sample(NamedTuple):
    """All sums at one moment. `memory` is missing where it is not known."""

    at: float
    sums: dict[str, float]
    times: dict[str, Buckets]


class Process(NamedTuple):
    """A process, and its numbers."""

    pid: int
    host: str
    started: float
    kinds: dict[str, float]  # how many sockets of each kind are open now
    samples: tuple[Sample, ...]


_samples: tuple[Sample, ...] = ()
_noted = 0.0  # when the last one was, in seconds of the epoch
_others: tuple[float, list[Process]] = 0.0, []  # when they were asked for last
_siblings = 1  # processes of this machine that serve sockets


def own() -> Process:
    """This process."""
    return Process(os.getpid(), HOST, STARTED, kinds(), samples())


def everybody() -> list[Process]:
    """The processes that serve sockets, as far as they are known here; this one if none
    is. Others are as they were when `ask` was called last."""
    asked_at, others = _others
    is_old = time.monotonic() - asked_at > SHARED_S
    known = {} if is_old else {(p.host, p.pid): p for p in others}
    if roles.serves_sockets() or not known:
        known[HOST, os.getpid()] = own()
    return [known[name] for name in sorted(known)]


def exchange(*, is_watched: bool) -> None:
    """Tell others how this process does and, if somebody looks here, how they do. Waits
    for the cache."""
    share(own())
    if is_watched:
        ask()


def ask() -> None:
    """Find out how others do. Waits for the cache."""
    global _others  # replaced as a whole, like the samples
    _others = time.monotonic(), shared()


def share(process: Process) -> None:
    """Put it in the cache. Two at once may overwrite each other's name; the next time
    puts it right."""
    global _siblings
    here = f"{SHARED}:{process.host}:"
    name = f"{here}{process.pid}"
    names = _names() | {name: time.time()}
    _siblings = sum(other.startswith(here) for other in names)
    cache.set(name, process, SHARED_S)
    cache.set(SHARED, names, SHARED_S)


def processor_share() -> float:
    """How much of a processor this process has while all of its siblings are busy."""
    return min(1.0, PROCESSORS / _siblings)


def shared() -> list[Process]:
    """Those in the cache, which makes lists of tuples."""
    return [
        Process(*told, samples=tuple(Sample(*sample) for sample in samples))
        for *told, samples in cache.get_many(_names()).values()
    ]


def _names() -> dict[str, float]:
    oldest = time.time() - SHARED_S
    return {name: at for name, at in (cache.get(SHARED) or {}).items() if at > oldest}


def note() -> None:
    """Note the numbers as they are now."""
    global _samples, _noted  # replaced as a whole: threads of pages read it meanwhile
    _noted = time.time()
    times = {name: _buckets(metric) for name, metric in TIMES.items()}
    sums = {name: _sum(metric) for name, metric in SUMS.items()} | dict(_process())
    _samples = (*_samples, Sample(time.monotonic(), sums, times))[-KEPT:]


def version() -> int:
    """Grows with each note."""
    return int(1000 * _noted)


def samples() -> tuple[Sample, ...]:
    """What was noted, the oldest first; never nothing.

    Before the first socket nobody notes: then the numbers of just now.
    """
    if not _samples or time.monotonic() - _samples[-1].at > 2 * EVERY_S:
        note()
    return _samples


def levels(name: str, noted: tuple[Sample, ...]) -> list[float | None]:
    """A sum as it was at each moment."""
    return [sample.sums.get(name) for sample in noted]


def rates(name: str, noted: tuple[Sample, ...]) -> list[float | None]:
    """Between each moment and the next: `rate`."""
    return [rate(name, *pair) for pair in pairwise(noted)]


def rate(name: str, older: Sample, newer: Sample) -> float | None:
    """By how much a sum rose, a second; None if it is not known, or the moments are so
    close that it says nothing: processor time comes in hundredths of a second."""
    seconds = newer.at - older.at
    if name not in newer.sums or seconds < SHORTEST_S:
        return None
    return (newer.sums[name] - older.sums[name]) / seconds


def quantiles(name: str, share: float, noted: tuple[Sample, ...]) -> list[float | None]:
    """Between each moment and the next: `quantile`."""
    return [quantile(name, share, *pair) for pair in pairwise(noted)]


def quantile(name: str, share: float, older: Sample, newer: Sample) -> float | None:
    """The seconds that `share` of what was timed in between did not exceed, guessed
    within the bucket as Prometheus does; None if nothing was timed."""
    then, now = older.times[name], newer.times[name]
    counts = [(top, n - m) for (top, n), (_, m) in zip(now, then, strict=True)]
    wanted = share * counts[-1][1]
    if not wanted:
        return None
    bottom, below = 0.0, 0.0
    for top, count in counts:
        if count >= wanted:
            break
        bottom, below = top, count
    if top == float("inf"):
        return bottom
    return bottom + (top - bottom) * (wanted - below) / (count - below)


def kinds() -> dict[str, float]:
    """How many sockets of each kind are open now."""
    (family,) = metrics.SOCKETS.collect()
    return {sample.labels["kind"]: sample.value for sample in family.samples}


def _sum(metric: MetricWrapperBase) -> float:
    """Over all labels."""
    (family,) = metric.collect()
    return sum(s.value for s in family.samples if not s.name.endswith("_created"))


def _buckets(metric: Histogram) -> Buckets:
    (family,) = metric.collect()
    return tuple(
        (float(sample.labels["le"]), sample.value)
        for sample in family.samples
        if sample.name.endswith("_bucket")
    )


def _process() -> Iterator[tuple[str, float]]:
    """Prometheus' own collector also counts open files: a millisecond for 2,000."""
    yield "cpu", time.process_time()
    with contextlib.suppress(OSError):  # no /proc, or no more files
        yield "memory", int(MEMORY.read_text().split()[1]) * resource.getpagesize()
