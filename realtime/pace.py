"""How many sockets a second this process can open, learned from those it has opened.

A crowd that returns faster than that waits longer for each answer, gives up and asks
again, until nobody is served. So each page is told over how many seconds to spread its
return (`spread_ms`), while the process that could tell it is still there.
"""

import time

FIRST_RATE = 300.0  # sockets a second, until we know better
SAMPLE = 50  # sockets; fewer say little
WEIGHT = 0.3  # of a new sample against all before it
USED = 0.9  # of the rate: the rest is for pages and pushes
MOST_MS = 120_000


class Pace:
    """Sockets opened for each second of CPU that the event loop used meanwhile."""

    def __init__(self) -> None:
        self.rate = FIRST_RATE
        self._opened = 0
        self._cpu: float | None = None  # of the loop's thread, when the sample began

    def opened(self) -> None:
        """A socket has got its first answer. Called on the loop's thread."""
        if self._cpu is None:
            self._cpu = time.thread_time()
        self._opened += 1
        if self._opened == SAMPLE:
            self._learn()

    def _learn(self) -> None:
        now = time.thread_time()
        rate = self._opened / max(now - self._cpu, 1e-3)
        self.rate += WEIGHT * (rate - self.rate)
        self._opened, self._cpu = 0, now

    def spread_ms(self, sockets: int) -> int:
        """Over how many milliseconds so many sockets are to come back."""
        return min(MOST_MS, round(sockets * 1000 / (USED * self.rate)))
