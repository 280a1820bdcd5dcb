"""Accepts connections while there are files for them.

One connection too many takes the file that a query or a template needs, and that fails
then. So connections that come too fast wait in the system's queue (`server.BACKLOG`)
until others have been answered.

It looks into Twisted's listening ports, whose version `tests/realtime/test_server.py`
pins.
"""

import logging
import math
import time
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor, tcp
from twisted.logger import Logger

from realtime import files, room

logger = logging.getLogger(__name__)

# With a file in reserve Twisted would accept those for whom there is none, close them
# without a word, and tell of each. Without one it leaves them waiting.
tcp._reservedFD = tcp._NullFileDescriptorReservation()

# Connections accepted in one turn of the loop. Twisted takes ever more of a crowd: then
# one turn takes a tenth of a second, and what the first have sent stays unread.
AT_ONCE = 100
FULL_S = 0.02  # until we look again whether there is room
SHORT_S = 0.25  # after the system has refused a file
ONE_OUTAGE_S = 60  # refusals closer to each other are the same outage
SHORTAGES = {"EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"}


class Gate:
    """Counts the connections of all ports of a process.

    In: `places()`, how many more may wait for their client, and `make_room()`, which
    closes some whose client is silent, if there are any.
    """

    def __init__(
        self, places: Callable[[], int], make_room: Callable[[], object]
    ) -> None:
        self._places, self._make_room = places, make_room
        self._open = 0
        self._failed_at = -math.inf

    def entered(self) -> None:
        """A connection was accepted."""
        self._open += 1

    def left(self) -> None:
        """A connection has ended."""
        self._open -= 1

    def guard(self, port: tcp.Port) -> None:
        accept = port.doRead

        def accept_some() -> None:
            left = min(room.connections() - self._open, self._places())
            if left > 0:
                port.numberAccepts = min(port.numberAccepts, AT_ONCE, left)
                accept()
            else:
                self._make_room()
                _pause(port, FULL_S)

        def failed(event: dict[str, Any]) -> None:
            if event.get("acceptError") in SHORTAGES:
                self._tell(event["acceptError"])
                self._make_room()
                _pause(port, SHORT_S)

        port.doRead = accept_some
        port._logger = Logger(namespace=__name__, observer=failed)

    def _tell(self, error: str) -> None:
        """Log that the system refused a file. `room` prevents that, unless somebody
        lowered the limit or the whole system has no files left."""
        failed_at, self._failed_at = self._failed_at, time.monotonic()
        if self._failed_at - failed_at > ONE_OUTAGE_S:
            logger.error(
                "Connections cannot be accepted (%s) and have to wait: %s are open,"
                " the limit of open files is %s",
                *(error, self._open, files.limit()),
            )


def _pause(port: tcp.Port, seconds: float) -> None:
    """Look away: a connection that waits keeps the port readable all the time."""
    port.stopReading()
    reactor.callLater(seconds, _go_on, port)


def _go_on(port: tcp.Port) -> None:
    if port.connected and not port.disconnecting:
        port.startReading()
