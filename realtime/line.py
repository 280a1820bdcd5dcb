"""Handshakes that wait for their turn.

A handshake costs the same whether its client still waits for it or has gone, so a
process that begins more than it can finish ends none. Here a few are served at a time,
the oldest first. The others wait unread, as bytes. One whose client leaves is
forgotten. One that would wait for too long is refused at once, which costs little.
"""

import time
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Protocol

EXTENSION = "shop.waiting"  # of a page's ASGI scope: how many wait
AT_ONCE = 50  # handshakes being served
A_TURN = 30  # of them begin in one turn of the loop: pages and pushes have theirs
WAIT_S = 6  # in the line at most; a page waits 10 s for its socket
SHORTEST = 100  # the line, however slow the process


class Visitor(Hashable, Protocol):
    """A connection whose first request is a handshake."""

    def serve(self) -> None:
        """Read the request."""


class Line:
    """Who waits, and how many are being served. Lives on the event loop's thread.

    In: `rate()`, the sockets that can be opened a second, and `soon(call)`, which calls
    in the loop's next turn.
    """

    def __init__(
        self, rate: Callable[[], float], soon: Callable[[Callable[[], None]], object]
    ) -> None:
        self._rate, self._soon = rate, soon
        self._waiting: dict[Visitor, tuple[str | None, float]] = {}  # address, since
        self._addresses: Counter[str | None] = Counter()
        self._served: set[Hashable] = set()
        self._is_called = False

    def __len__(self) -> int:
        return len(self._waiting)

    def is_free(self) -> bool:
        """Whether a newcomer can be served now."""
        return not self._waiting and len(self._served) < AT_ONCE

    def is_full(self) -> bool:
        """Whether a newcomer would wait for too long. The rate may be that of better
        times, so what the first has waited counts too."""
        if len(self._waiting) < SHORTEST:
            return False
        _, since = next(iter(self._waiting.values()))
        is_late = time.monotonic() - since >= WAIT_S
        return is_late or len(self._waiting) >= WAIT_S * self._rate()

    def waiting_of(self, address: str) -> int:
        """How many of an address wait."""
        return self._addresses[address]

    def wait(self, visitor: Visitor, address: str | None) -> None:
        """Serve it when it is its turn. None is an address that is not counted."""
        self._waiting[visitor] = address, time.monotonic()
        if address is not None:
            self._addresses[address] += 1

    def leave(self, visitor: Visitor) -> None:
        """It is its turn, or its client has gone before."""
        address, _ = self._waiting.pop(visitor, (None, None))
        if address is not None:
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]

    def begins(self, handshake: Hashable) -> None:
        """It is being served."""
        self._served.add(handshake)

    def ends(self, handshake: Hashable) -> None:
        """The socket is open, refused or lost; another's turn comes."""
        if handshake not in self._served:
            return
        self._served.remove(handshake)
        if self._waiting:
            self._call()

    def _advance(self) -> None:
        """Serve those whose turn it is. One that fails keeps nobody else waiting."""
        self._is_called = False
        try:
            for _ in range(min(A_TURN, AT_ONCE - len(self._served))):
                if not self._waiting:
                    return
                visitor = next(iter(self._waiting))
                self.leave(visitor)
                visitor.serve()
        finally:
            if self._waiting and len(self._served) < AT_ONCE:
                self._call()

    def _call(self) -> None:
        if not self._is_called:
            self._is_called = True
            self._soon(self._advance)
