"""Accepts connections only while there are files for them.

A connection too many takes the file that a query or a template needs, and that then
fails. So connections that arrive too fast wait in the system's queue
(`BACKLOG`) until others are done.

This depends on internals of Twisted's listening ports.
"""

import logging
import math
import time
from collections.abc import Callable
from typing import Any

from twisted.internet import tcp
from twisted.logger import Logger

from realtime import file_budget, files
from realtime.server.reactor import reactor

logger = logging.getLogger(__name__)

BACKLOG = 4096  # connections not accepted yet; Twisted has 50, and the next waits 1 s
# Connections accepted per loop iteration. Twisted accepts ever more of a crowd: one
# iteration then takes a tenth of a second, and what the first sent stays unread.
MAX_ACCEPTS = 100
FULL_PAUSE_S = 0.02  # before checking again whether there is room
SHORTAGE_PAUSE_S = 0.25  # after the system has refused a file
SAME_SHORTAGE_S = 60  # refusals closer together than this are logged once
SHORTAGES = {"EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"}


class Gate:
    """Counts the connections of all listening ports of a process.

    `free_places()` returns how many more connections may wait for their client.
    `make_room()` closes some whose client is silent, if there are any.
    """

    def __init__(
        self, free_places: Callable[[], int], make_room: Callable[[], object]
    ) -> None:
        self._free_places, self._make_room = free_places, make_room
        self._open = 0
        self._shortage_at = -math.inf

    def entered(self) -> None:
        """A connection was accepted."""
        self._open += 1

    def left(self) -> None:
        """A connection has ended."""
        self._open -= 1

    def guard(self, port: tcp.Port) -> None:
        """Limit what a listening port accepts."""
        accept = port.doRead

        def accept_some() -> None:
            room_left = min(file_budget.connections() - self._open, self._free_places())
            if room_left > 0:
                port.numberAccepts = min(port.numberAccepts, MAX_ACCEPTS, room_left)
                accept()
            else:
                self._make_room()
                _pause(port, FULL_PAUSE_S)

        def observe(event: dict[str, Any]) -> None:
            if event.get("acceptError") in SHORTAGES:
                self._log_shortage(event["acceptError"])
                self._make_room()
                _pause(port, SHORTAGE_PAUSE_S)

        setattr(port, "doRead", accept_some)
        # The type is an interface of zope.interface, which mypy cannot read.
        port._logger = Logger(__name__, observer=observe)  # type: ignore[arg-type]

    def _log_shortage(self, error: str) -> None:
        """Log that the system refused a file.

        `file_budget` prevents that, unless somebody lowers the limit or the whole
        system runs out of files.
        """
        previous, self._shortage_at = self._shortage_at, time.monotonic()
        if self._shortage_at - previous > SAME_SHORTAGE_S:
            logger.error(
                "Connections cannot be accepted (%s) and have to wait: %s are open,"
                " the limit of open files is %s",
                *(error, self._open, files.limit()),
            )


def _pause(port: tcp.Port, seconds: float) -> None:
    """Stop reading: a waiting connection would wake the loop all the time."""
    port.stopReading()
    reactor.callLater(seconds, _resume, port)


def _resume(port: tcp.Port) -> None:
    if port.connected and not port.disconnecting:
        port.startReading()
