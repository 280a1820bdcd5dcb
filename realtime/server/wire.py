"""Writes prepared frames straight to the kernel, and knows how much it has not taken.

Consumers get it as `scope["extensions"]["shop.wire"]`.
"""

from socket import MSG_PEEK
from typing import Any, Protocol

from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import tcp
from twisted.protocols.tls import TLSMemoryBIOProtocol

EXTENSION = "shop.wire"

Transport = tcp.Connection | TLSMemoryBIOProtocol


class Wire(Protocol):
    """The functions that the extension offers to a consumer."""

    def put(self, data: bytes) -> int:
        """Write prepared bytes, at once if nothing is pending. Returns how many bytes
        are pending afterwards."""

    def offer(self, data: bytes) -> int | None:
        """Do the same, but if bytes are pending write nothing and return None."""

    is_resting: bool  # the tab is hidden, so the client is pinged seldom

    def pending(self) -> int:
        """Return how many bytes the client's connection has not taken yet."""

    def cut(self) -> None:
        """End the connection without a close frame: the client does not read."""


class WireMixin(WebSocketProtocol):
    """Implements `put`, `offer` and `pending` for Daphne's protocol."""

    transport: Transport
    _descriptor: tcp.Connection  # below TLS, if there is TLS
    _has_tls = False

    def find_descriptor(self) -> tcp.Connection:
        """Look below TLS. Called once the connection is made."""
        self._has_tls = isinstance(self.transport, TLSMemoryBIOProtocol)
        self._descriptor = below_tls(self.transport)
        return self._descriptor

    def pending(self) -> int:
        return unsent_bytes(self.transport)

    def put(self, data: bytes) -> int:
        pending = self.offer(data)
        if pending is None:
            self.transport.write(data)
            pending = self.pending()
        return pending

    def offer(self, data: bytes) -> int | None:
        """Write nothing after a close frame (RFC 6455, section 5.5.1). The application
        hears of one a moment later."""
        return self._offer(data) if self.state == self.STATE_OPEN else 0

    def _offer(self, data: bytes) -> int | None:
        """Called once for each socket and frame, so it bypasses Twisted's layers."""
        fd = self._descriptor
        if fd.dataBuffer or fd._tempDataLen:
            return None
        if self._has_tls or not fd.connected or fd.disconnecting:
            return self._offer_to_transport(data)
        try:
            sent = fd.socket.send(data)
        except OSError:  # full, or closed: the reactor finds out which
            sent = 0
        if sent == len(data):
            return 0
        fd.write(data[sent:])
        return self.pending()

    def _offer_to_transport(self, data: bytes) -> int | None:
        """Write through TLS, or to a connection that is being closed."""
        if self.pending():
            return None
        self.transport.write(data)
        return self.pending()

    def sendData(
        self, data: bytes, sync: bool = False, chopsize: int | None = None
    ) -> None:
        """Autobahn's output: handshakes, pings, pongs and close frames."""
        if sync or chopsize or self.send_queue:
            super().sendData(data, sync, chopsize)
        elif self._offer(data) is None:
            self.transport.write(data)


def below_tls(transport: Any) -> tcp.Connection:
    """Return the connection that carries TLS, or `transport` if there is no TLS."""
    if isinstance(transport, TLSMemoryBIOProtocol):
        transport = transport.transport
    return transport


def next_byte(transport: Any) -> bytes | None:
    """Return the next byte that the loop will read from the system. It is empty if the
    client has gone, and None if there is nothing to read."""
    try:
        return below_tls(transport).socket.recv(1, MSG_PEEK)
    except BlockingIOError:
        return None
    except OSError:  # the connection was reset
        return b""


def unsent_bytes(transport: Any) -> int:
    """Return how many bytes wait in a transport, and in TLS above it."""
    waiting = 0
    if isinstance(transport, TLSMemoryBIOProtocol):
        waiting = sum(map(len, transport._appSendBuffer))
        transport = transport.transport
    return (
        waiting + len(transport.dataBuffer) - transport.offset + transport._tempDataLen
    )
