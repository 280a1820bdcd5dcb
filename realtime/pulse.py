"""The last two minutes of this process, in numbers: the data of the pulse page.

`/metrics` has sums since the start, which a monitor stores and subtracts. The pulse
page has no monitor, so the hub takes a sample of the sums every two seconds, which
costs about 0.3 ms. Each process puts its samples into the cache, for the pages of
others.
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
MAX_SAMPLES = 61  # two minutes
STARTED = time.time()
PROCESSORS = os.cpu_count() or 1
HOST = socket.gethostname()
SHARED = "pulse"  # the cache key of the processes that share samples, and when
SHARED_S = 3 * EVERY_S  # after which samples are out of date

Buckets = tuple[tuple[float, float], ...]  # (seconds, how many took that or less)

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
MEMORY = Path("/proc/self/statm")  # its second number is the resident pages


class Sample(NamedTuple):
    """All sums at one moment. `memory` is missing if the system does not tell it."""

    at: float
    sums: dict[str, float]
    times: dict[str, Buckets]


class Process(NamedTuple):
    """A process and its samples."""

    pid: int
    host: str
    started: float
    kinds: dict[str, float]  # how many sockets of each kind are open now
    samples: tuple[Sample, ...]


_samples: tuple[Sample, ...] = ()
_last_sample_at = 0.0  # seconds since the epoch
_others: tuple[float, list[Process]] = 0.0, []  # when they were loaded
_siblings = 1  # processes of this machine that serve sockets


def own() -> Process:
    """Return this process."""
    return Process(os.getpid(), HOST, STARTED, kinds(), samples())


def everybody() -> list[Process]:
    """Return the known processes that serve sockets, or this one if there are none.
    Others are as they were at the last `load_others`."""
    asked_at, others = _others
    is_old = time.monotonic() - asked_at > SHARED_S
    known = {} if is_old else {(p.host, p.pid): p for p in others}
    if roles.serves_sockets() or not known:
        known[HOST, os.getpid()] = own()
    return [known[name] for name in sorted(known)]


def exchange(*, is_watched: bool) -> None:
    """Share this process's samples and, if somebody watches the page here, load those
    of others. Waits for the cache."""
    share(own())
    if is_watched:
        load_others()


def load_others() -> None:
    """Load the samples of other processes. Waits for the cache."""
    global _others  # replaced as a whole, like the samples
    _others = time.monotonic(), shared()


def share(process: Process) -> None:
    """Put a process into the cache. Two at once may overwrite each other's name; the
    next time corrects that."""
    global _siblings
    here = f"{SHARED}:{process.host}:"
    name = f"{here}{process.pid}"
    names = _names() | {name: time.time()}
    _siblings = sum(other.startswith(here) for other in names)
    cache.set(name, process, SHARED_S)
    cache.set(SHARED, names, SHARED_S)


def processor_share() -> float:
    """Return how much of a processor this process has while all siblings are busy.
    Where they must share processors, all other programs count as one more."""
    return 1.0 if _siblings <= PROCESSORS else PROCESSORS / (_siblings + 1)


def shared() -> list[Process]:
    """Return the processes in the cache, which turns tuples into lists."""
    return [
        Process(pid, host, started, kinds, tuple(Sample(*each) for each in samples))
        for pid, host, started, kinds, samples in cache.get_many(_names()).values()
    ]


def _names() -> dict[str, float]:
    oldest = time.time() - SHARED_S
    return {name: at for name, at in (cache.get(SHARED) or {}).items() if at > oldest}


def note() -> None:
    """Take a sample now."""
    global _samples, _last_sample_at  # replaced as a whole, as threads of pages read it
    _last_sample_at = time.time()
    times = {name: _buckets(metric) for name, metric in TIMES.items()}
    sums = {name: _sum(metric) for name, metric in SUMS.items()} | dict(_process())
    _samples = (*_samples, Sample(time.monotonic(), sums, times))[-MAX_SAMPLES:]


def version() -> int:
    """Return a number that grows with each sample."""
    return int(1000 * _last_sample_at)


def samples() -> tuple[Sample, ...]:
    """Return the samples, the oldest first. There is at least one: before the first
    socket nobody takes samples, so this takes one.
    """
    if not _samples or time.monotonic() - _samples[-1].at > 2 * EVERY_S:
        note()
    return _samples


def levels(name: str, noted: tuple[Sample, ...]) -> list[float | None]:
    """Return a sum in each sample."""
    return [sample.sums.get(name) for sample in noted]


def rates(name: str, noted: tuple[Sample, ...]) -> list[float | None]:
    """Return the `rate` between each sample and the next."""
    return [rate(name, *pair) for pair in pairwise(noted)]


def rate(name: str, older: Sample, newer: Sample) -> float | None:
    """Return by how much a sum rose per second. It is None if that is unknown, or if
    the samples are too close: processor time counts hundredths of a second."""
    seconds = newer.at - older.at
    if name not in newer.sums or seconds < SHORTEST_S:
        return None
    return (newer.sums[name] - older.sums[name]) / seconds


def quantiles(name: str, share: float, noted: tuple[Sample, ...]) -> list[float | None]:
    """Return the `quantile` between each sample and the next."""
    return [quantile(name, share, *pair) for pair in pairwise(noted)]


def quantile(name: str, share: float, older: Sample, newer: Sample) -> float | None:
    """Return the seconds that `share` of the times between two samples did not exceed.
    It is interpolated in a bucket, as Prometheus does, or None without times."""
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
    """Return how many sockets of each kind are open now."""
    (family,) = metrics.SOCKETS.collect()
    return {sample.labels["kind"]: sample.value for sample in family.samples}


def _sum(metric: MetricWrapperBase) -> float:
    """Return the sum over all labels."""
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
    """Yield CPU and memory. Prometheus' own collector also counts open files, which
    takes a millisecond for 2,000."""
    yield "cpu", time.process_time()
    with contextlib.suppress(OSError):  # no /proc, or no more files
        yield "memory", int(MEMORY.read_text().split()[1]) * resource.getpagesize()
