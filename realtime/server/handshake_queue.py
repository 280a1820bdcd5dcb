"""Handshakes that wait until the server has time for them.

A handshake costs the same whether its client still waits or has gone, so a process that
starts more than it can finish completes none. Here only a few are served at a time, the
oldest first. The others wait as unread bytes. A handshake is dropped when its client
leaves, and refused at once, which is cheap, if it would wait too long.
"""

import time
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Protocol

EXTENSION = "shop.waiting"  # in the ASGI scope of pages: the length of the queue
MAX_SERVED = 50  # handshakes at the same time
MAX_STARTED = 30  # per loop iteration, so that pages and pushes get their share
MAX_WAIT_S = 5  # in the queue; a page waits 10 s, the system's queue included
MIN_LENGTH = 100  # that the queue may have, however slow the process is


class Handshake(Hashable, Protocol):
    """A connection whose first request is an unread handshake."""

    def serve(self) -> None:
        """Read the request."""


class HandshakeQueue:
    """The waiting handshakes, and the number being served. Runs on the event loop.

    `rate()` returns how many sockets the process can open a second. `call_soon(call)`
    runs `call` in the loop's next iteration.
    """

    def __init__(
        self,
        rate: Callable[[], float],
        call_soon: Callable[[Callable[[], None]], object],
    ) -> None:
        self._rate, self._call_soon = rate, call_soon
        # Address, and when it joined; the oldest first.
        self._waiting: dict[Handshake, tuple[str | None, float]] = {}
        self._addresses: Counter[str | None] = Counter()
        self._served: set[Hashable] = set()
        self._is_scheduled = False

    def __len__(self) -> int:
        return len(self._waiting)

    def is_free(self) -> bool:
        """Whether a new handshake can be served now."""
        return not self._waiting and len(self._served) < MAX_SERVED

    def is_full(self) -> bool:
        """Whether a new handshake would wait too long.

        The rate may be out of date, so the wait of the oldest handshake counts too.
        """
        if len(self._waiting) < MIN_LENGTH:
            return False
        _, since = next(iter(self._waiting.values()))
        is_late = time.monotonic() - since >= MAX_WAIT_S
        return is_late or len(self._waiting) >= MAX_WAIT_S * self._rate()

    def waiting_from(self, address: str) -> int:
        """How many handshakes from an address wait."""
        return self._addresses[address]

    def join(self, handshake: Handshake, address: str | None) -> None:
        """Serve a handshake when its turn comes. An address of None is not counted."""
        self._waiting[handshake] = address, time.monotonic()
        if address is not None:
            self._addresses[address] += 1

    def leave(self, handshake: Handshake) -> None:
        """Remove a handshake: its turn has come, or its client has gone."""
        address, _ = self._waiting.pop(handshake, (None, None))
        if address is not None:
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]

    def started(self, connection: Hashable) -> None:
        """Count a handshake that is being served."""
        self._served.add(connection)

    def finished(self, connection: Hashable) -> None:
        """Make room for the next: this socket is open, refused or lost."""
        if connection not in self._served:
            return
        self._served.remove(connection)
        if self._waiting:
            self._schedule()

    def _serve_next(self) -> None:
        """Serve the oldest handshakes. If one fails, the others are served later."""
        self._is_scheduled = False
        try:
            for _ in range(min(MAX_STARTED, MAX_SERVED - len(self._served))):
                if not self._waiting:
                    return
                handshake = next(iter(self._waiting))
                self.leave(handshake)
                handshake.serve()
        finally:
            if self._waiting and len(self._served) < MAX_SERVED:
                self._schedule()

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._call_soon(self._serve_next)
