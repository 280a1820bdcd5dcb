"""Makes Twisted's reactor, with a loop that takes some events in one turn, not all.

asyncio takes all that has happened. Where 15,000 sockets end at once, one turn takes
four seconds, in which nobody is accepted, answered or told. So a turn takes a part;
epoll puts what it has given to the end of its list, and gives the others next time.

It looks into Python's selectors; `tests/realtime/test_turns.py` fails when they change.
"""

import asyncio
import math
import select
import selectors
import sys

from twisted.internet import asyncioreactor

EVENTS = 200  # in a turn; each takes 0.1 to 0.3 ms


class Selector(selectors.DefaultSelector):
    """Gives some of what has happened. Where there is no epoll, it gives all."""

    if hasattr(select, "epoll"):

        def select(
            self, timeout: float | None = None
        ) -> list[tuple[selectors.SelectorKey, int]]:
            """As its parent does, but for the number of events."""
            if timeout is None:
                seconds = -1.0
            else:  # epoll counts milliseconds: wait no shorter than was asked for
                seconds = math.ceil(max(timeout, 0) * 1000) / 1000
            try:
                events = self._selector.poll(seconds, EVENTS)
            except InterruptedError:
                return []
            return [
                (key, _kinds(event) & key.events)
                for file, event in events
                if (key := self._fd_to_key.get(file)) is not None
            ]


def _kinds(event: int) -> int:
    """An error counts as both, so that readers and writers hear of it."""
    kinds = selectors.EVENT_WRITE if event & ~select.EPOLLIN else 0
    return kinds | (selectors.EVENT_READ if event & ~select.EPOLLOUT else 0)


if "twisted.internet.reactor" not in sys.modules:
    asyncioreactor.install(asyncio.SelectorEventLoop(Selector()))
