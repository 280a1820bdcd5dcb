"""How many sockets a second this process can open, learned from those it has opened.

A crowd that returns faster than that waits longer for each answer, gives up and asks
again, until nobody is served. So each page is told over how many seconds to spread its
return (`spread_ms`), while the process that could tell it is still there.
"""

import time
from collections.abc import Callable

FIRST_RATE = 300.0  # sockets a second, until we know better
SAMPLE = 50  # sockets; fewer say little
WEIGHT = 0.3  # of a new sample against all before it
USED = 0.9  # of the rate: the rest is for pages and pushes
MOST_MS = 120_000


class Pace:
    """Sockets opened for each second that it takes.

    While others wait, that is a second by the clock: pages, and other programs, have
    their share of it. While nobody waits, it is a second of the loop's CPU, of which a
    process has `share()` while all processes of this machine are busy.
    """

    def __init__(self, share: Callable[[], float] = lambda: 1.0) -> None:
        self.rate = FIRST_RATE
        self._share = share
        self._opened = self._hurried = 0  # in this sample; while others waited
        self._began: tuple[float, float] | None = None  # clock and CPU, in seconds

    def opened(self, others_wait: bool) -> None:
        """A socket is open. Called on the loop's thread."""
        if self._began is None:
            self._began = _clocks()
        self._opened += 1
        self._hurried += others_wait
        if self._opened == SAMPLE:
            self._learn()

    def _learn(self) -> None:
        now = _clocks()
        clock, cpu = (after - before for after, before in zip(now, self._began))
        seconds = clock if self._hurried == self._opened else cpu / self._share()
        self.rate += WEIGHT * (self._opened / max(seconds, 1e-3) - self.rate)
        self._opened, self._hurried, self._began = 0, 0, now

    def spread_ms(self, sockets: int) -> int:
        """Over how many milliseconds so many sockets are to come back."""
        return min(MOST_MS, round(sockets * 1000 / (USED * self.rate)))


def _clocks() -> tuple[float, float]:
    return time.monotonic(), time.thread_time()
