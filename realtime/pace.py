"""How many sockets a second this process can open, measured as it opens them.

Pages that reconnect faster than that wait longer and longer, give up and try again,
until nobody is served. So each heartbeat tells pages over how many milliseconds to
spread (`spread_ms`), before the process that could tell them is gone.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

FIRST_RATE = 300.0  # sockets a second, before the first sample
SAMPLE = 50  # sockets
LONGEST_S = 1  # of a sample while no socket waits
WEIGHT = 0.03  # of a new sample against all earlier ones, once there are many
USABLE = 0.85  # of the rate; the rest is to close lost sockets, and for pages
MAX_SPREAD_MS = 120_000
SCHEDULER = Path("/proc/thread-self/schedstat")  # Linux: ns on a processor, ns in line


class Clocks(NamedTuple):
    """Times in seconds."""

    clock: float
    cpu: float  # of this process, as its other threads query for sockets
    delay: float  # this thread was ready to run, without a processor


def read_clocks() -> Clocks:
    """Read the clocks of the current thread and its process."""
    return Clocks(time.monotonic(), time.process_time(), _processor_delay())


def _processor_delay() -> float:
    """Return how many seconds this thread has waited for a processor, or 0 if the
    system does not record it."""
    try:
        return int(SCHEDULER.read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


class Pace:
    """Measures how many sockets are opened in a second.

    While sockets wait, these are seconds by the clock, which include what pages and
    other programs take. While no socket waits, they are seconds of the process's CPU,
    and of the time in which the loop was ready but had no processor. That time is at
    least what the process would wait if all its siblings were busy: then it has
    `share()` of a processor.

    While few sockets come, most of the CPU is for other work, so such a sample does not
    count.
    """

    def __init__(
        self,
        share: Callable[[], float] = lambda: 1.0,
        clocks: Callable[[], Clocks] = read_clocks,
    ) -> None:
        self._seconds = 1 / FIRST_RATE  # that a socket takes
        self._samples = 1  # so far; the first guess counts as one
        self._share, self._clocks = share, clocks
        self._opened = 0  # in this sample
        self._opened_while_others_wait = 0  # of these
        self._began: Clocks | None = None

    @property
    def rate(self) -> float:
        """How many sockets are opened in a second."""
        return 1 / self._seconds

    def opened(self, others_wait: bool) -> None:
        """Count an open socket. Called on the event loop."""
        if self._began is None:
            self._began = self._clocks()
        self._opened += 1
        self._opened_while_others_wait += others_wait
        if self._opened == SAMPLE:
            self._update_rate()

    def _update_rate(self) -> None:
        now = self._clocks()
        began = self._began or now
        clock, cpu, delay = (after - before for after, before in zip(now, began))
        is_busy = self._opened_while_others_wait == self._opened
        if is_busy or clock <= LONGEST_S:
            seconds = clock if is_busy else max(cpu / self._share(), cpu + delay)
            # Seconds have a mean that says how long many take. Rates have not: a few
            # fast samples would hide that the process had no processor for a while.
            self._samples += 1
            weight = max(WEIGHT, 1 / self._samples)
            self._seconds += weight * (max(seconds, 1e-3) / SAMPLE - self._seconds)
        self._opened, self._opened_while_others_wait, self._began = 0, 0, now

    def spread_ms(self, sockets: int) -> int:
        """Return over how many milliseconds so many sockets should reconnect."""
        return min(MAX_SPREAD_MS, round(sockets * 1000 / (USABLE * self.rate)))
