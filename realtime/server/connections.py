"""All HTTP connections of the process, and which of them make room for others.

When too many connections wait for their client, those whose client has been silent
longest are closed.
"""

import time
from itertools import islice
from typing import Any

from daphne.http_protocol import HTTPFactory
from django.conf import settings

from realtime import admission, metrics, roles
from realtime.admission import Refusal
from realtime.server.body_budget import BodyBudget
from realtime.server.channel import Channel
from realtime.server.deadlines import Deadline
from realtime.server.gate import Gate
from realtime.server.request import Request

SILENT_S = 2  # after which a connection makes room for another
MAX_CLOSED = 50  # connections that make room at a time


class Connections(HTTPFactory):
    """Makes connections, and orders those that wait for their client by their last
    sign of life."""

    protocol = Channel

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self.body_budget = BodyBudget()
        self.handshakes = server.handshakes
        self.gate = Gate(self.free_places, self.make_room)
        self._waiting: dict[Channel, float] = {}  # since when; the longest comes first

    def buildProtocol(self, addr: Any) -> Channel:
        self.gate.entered()
        channel = super().buildProtocol(addr)
        channel.requestFactory = Request
        channel.callLater = Deadline
        return channel

    def acceptableProtocols(self) -> list[bytes]:
        """Leave out HTTP/2: a proxy in front may speak it."""
        return [b"http/1.1"]

    # --- Handshakes -----------------------------------------------------------

    def general_refusal(self) -> Refusal | None:
        """Return why no handshake is served now, from any address."""
        if not roles.serves_sockets():
            return admission.NO_SOCKETS
        return self.server.admission().takes_nobody()

    def queue_refusal(self, address: str | None) -> Refusal | None:
        """Return why a handshake from that address may not join the queue."""
        limit = settings.LIVE["NEW_PER_ADDRESS"]
        if address is not None and self.handshakes.waiting_from(address) >= limit:
            return admission.SILENT
        return admission.BUSY if self.handshakes.is_full() else None

    # --- Connections that wait for their client -------------------------------

    def awaits_client(self, channel: Channel) -> None:
        """The client has just been heard of, and is to send more."""
        self._waiting.pop(channel, None)
        self._waiting[channel] = time.monotonic()

    def answers(self, channel: Channel) -> None:
        """The client has sent a whole request, or has gone: it is our turn."""
        self._waiting.pop(channel, None)

    def free_places(self) -> int:
        """Return how many more connections may wait for their client."""
        return settings.HTTP["CONNECTIONS"] - len(self._waiting)

    def make_room(self) -> None:
        """Close some connections whose client is silent. A client is not silent while
        the loop has not read what it sent."""
        horizon = time.monotonic() - SILENT_S
        for channel in tuple(islice(self._waiting, MAX_CLOSED)):
            if self._waiting[channel] > horizon:
                return  # the others were heard of even later
            if channel.is_silent():
                self._close(channel)
            else:
                self.awaits_client(channel)

    def _close(self, channel: Channel) -> None:
        del self._waiting[channel]
        metrics.REFUSALS.labels("http connections").inc()
        channel.end()
