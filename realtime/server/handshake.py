"""HTTP connections whose handshakes wait in the queue as unread bytes.

To read a handshake is what costs most. So it is recognised by its first bytes, and read
only when its turn comes.
"""

import re

from django.conf import settings
from twisted.protocols.basic import LineReceiver
from twisted.web.http import HTTPChannel

from realtime import admission, metrics
from realtime.admission import Refusal
from realtime.server import handover
from realtime.server.request import FORWARDED_FOR, address_of
from realtime.server.wire import Transport, next_byte

UPGRADE_LINE = re.compile(rb"\r\nupgrade:[ \t]*websocket", re.I)
FORWARDED_LINE = re.compile(rb"\r\n" + FORWARDED_FOR + rb":([^\r\n]*)", re.I)


class HandshakeChannel(HTTPChannel):
    """Serves a handshake, queues it, or refuses it."""

    # Twisted declares an interface of zope.interface, which mypy cannot read.
    transport: Transport  # type: ignore[assignment]
    _is_idle = True  # nothing of the next request has arrived
    _unread: bytes | None = None  # a handshake in the queue

    def dataReceived(self, data: bytes) -> None:
        """Bypass `HTTPChannel`, which would restart the timeout at each byte."""
        if self._unread is not None:
            self._read_later(self._unread + data)
            return
        if self._is_idle:
            self._is_idle = False
            self.setTimeout(settings.HTTP["HEADERS_S"])
            if data.startswith(b"GET ") and UPGRADE_LINE.search(data):
                self._handshake_received(data)
                return
        LineReceiver.dataReceived(self, data)

    def serve(self) -> None:
        """Read the handshake: its turn has come.

        A client that has gone while the loop was busy costs nothing more. The loop will
        read the end of its connection.
        """
        data, self._unread = self._unread or b"", None
        if next_byte(self.transport) != b"":
            self._begin(data)

    def _begin(self, data: bytes) -> None:
        target = handover.target_of(data)
        if target is None:
            LineReceiver.dataReceived(self, data)
        else:
            handover.hand_over(self, target, data)

    def _handshake_received(self, data: bytes) -> None:
        refusal = self.factory.general_refusal()
        if refusal is not None:
            self._refuse(refusal)
        elif self.factory.handshakes.is_free():
            self._begin(data)
        else:
            self._join_queue(data)

    def _join_queue(self, data: bytes) -> None:
        # The same address that `Request` would find in the headers.
        address = address_of(self.transport.getPeer(), FORWARDED_LINE.findall(data))
        refusal = self.factory.queue_refusal(address)
        if refusal is not None:
            self._refuse(refusal)
        else:
            self._unread = data
            self.factory.answers(self)
            self.factory.handshakes.join(self, address)

    def _read_later(self, unread: bytes) -> None:
        self._unread = unread
        if len(unread) > settings.HTTP["HEADERS_BYTES"]:
            self.factory.handshakes.leave(self)
            self.serve()  # which refuses it as too large

    def _refuse(self, refusal: Refusal) -> None:
        metrics.REFUSALS.labels(refusal.reason).inc()
        status, (headers, body) = refusal.status, admission.answer(refusal)
        headers = [*headers, (b"content-length", str(len(body)).encode())]
        lines = [b"%s: %s" % header for header in [*headers, (b"connection", b"close")]]
        first = f"HTTP/1.1 {status:d} {status.phrase}".encode()
        self.transport.write(b"\r\n".join([first, *lines, b"", body]))
        self.transport.loseConnection()
