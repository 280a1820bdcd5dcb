"""How many sockets a second this process can open, learned from those it has opened.

A crowd that returns faster than that waits longer for each answer, gives up and asks
again, until nobody is served. So each page is told over how many seconds to spread its
return (`spread_ms`), while the process that could tell it is still there.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

FIRST_RATE = 300.0  # sockets a second, until we know better
SAMPLE = 50  # sockets; fewer say little
WEIGHT = 0.3  # of a new sample against all before it
USED = 0.9  # of the rate: the rest is for pages and pushes
MOST_MS = 120_000
SCHEDULER = Path("/proc/thread-self/schedstat")  # Linux: ns on a processor, ns in line


class Clocks(NamedTuple):
    """What has passed for this thread, in seconds."""

    clock: float
    cpu: float
    delay: float  # ready to run, without a processor


def read_clocks() -> Clocks:
    """The clocks of the thread that asks."""
    return Clocks(time.monotonic(), time.thread_time(), _processor_delay())


def _processor_delay() -> float:
    """Seconds that this thread has waited for a processor; 0 if the system has no
    record of it."""
    try:
        return int(SCHEDULER.read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


class Pace:
    """Sockets opened for each second that it takes.

    While sockets wait, that is a second by the clock: it includes what pages and other
    programs take. While no socket waits, it is a second of the loop's CPU, and the time
    in which the loop could have run but had no processor. That time is at least what
    the process waits while all of its siblings are busy: it then has `share()` of a
    processor.
    """

    def __init__(
        self,
        share: Callable[[], float] = lambda: 1.0,
        clocks: Callable[[], Clocks] = read_clocks,
    ) -> None:
        self.rate = FIRST_RATE
        self._share, self._clocks = share, clocks
        self._opened = self._hurried = 0  # in this sample; while others waited
        self._began: Clocks | None = None

    def opened(self, others_wait: bool) -> None:
        """A socket is open. Called on the loop's thread."""
        if self._began is None:
            self._began = self._clocks()
        self._opened += 1
        self._hurried += others_wait
        if self._opened == SAMPLE:
            self._learn()

    def _learn(self) -> None:
        now = self._clocks()
        clock, cpu, delay = (after - before for after, before in zip(now, self._began))
        if self._hurried == self._opened:
            seconds = clock
        else:
            seconds = max(cpu / self._share(), cpu + delay)
        self.rate += WEIGHT * (self._opened / max(seconds, 1e-3) - self.rate)
        self._opened, self._hurried, self._began = 0, 0, now

    def spread_ms(self, sockets: int) -> int:
        """Over how many milliseconds so many sockets are to come back."""
        return min(MOST_MS, round(sockets * 1000 / (USED * self.rate)))
