"""Installs Twisted's reactor, on a loop that handles a limited number of events per
iteration.

asyncio handles all pending events in one iteration. When 15,000 sockets close at once,
that takes four seconds, during which the server accepts, answers and pushes nothing. So
an iteration handles some of the events. epoll moves the files it has reported to the
end of its list, so it reports the others next time.

This depends on internals of Python's selectors; `tests/realtime/server/test_reactor.py`
fails when they change.
"""

import asyncio
import math
import select
import selectors
import sys

from twisted.internet import asyncioreactor

MAX_EVENTS = 200  # per iteration; each takes 0.1 to 0.3 ms


class Selector(selectors.DefaultSelector):
    """Returns at most `MAX_EVENTS` events. Where there is no epoll, it returns all."""

    # Internals of the parent.
    _selector: "select.epoll"
    _fd_to_key: dict[int, selectors.SelectorKey]

    if hasattr(select, "epoll"):

        def select(
            self, timeout: float | None = None
        ) -> list[tuple[selectors.SelectorKey, int]]:
            """Do what the parent does, with a limit on the number of events."""
            if timeout is None:
                seconds = -1.0
            else:  # epoll counts milliseconds; round up so that we never wake early
                seconds = math.ceil(max(timeout, 0) * 1000) / 1000
            try:
                events = self._selector.poll(seconds, MAX_EVENTS)
            except InterruptedError:
                return []
            return [
                (key, _mask(event) & key.events)
                for file, event in events
                if (key := self._fd_to_key.get(file)) is not None
            ]


def _mask(event: int) -> int:
    """Convert an epoll event. Errors count as both, so readers and writers see them."""
    mask = selectors.EVENT_WRITE if event & ~select.EPOLLIN else 0
    return mask | (selectors.EVENT_READ if event & ~select.EPOLLOUT else 0)


if "twisted.internet.reactor" not in sys.modules:
    asyncioreactor.install(asyncio.SelectorEventLoop(Selector()))

from twisted.internet import reactor as installed  # noqa: E402


def _checked(reactor: object) -> asyncioreactor.AsyncioSelectorReactor:
    assert isinstance(reactor, asyncioreactor.AsyncioSelectorReactor)
    return reactor


reactor = _checked(installed)  # for the rest of the package
