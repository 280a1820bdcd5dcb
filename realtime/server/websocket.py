"""A WebSocket connection: Daphne's protocol, mended and made lighter.

- Empty messages are sent, which Daphne drops.
- Registered close codes (1001, 1012, …) arrive as they are.
- A refused handshake gets the application's status, headers and body: the ASGI
  extension `websocket.http.response`.
- Unread output is bounded, and an open socket drops what only its handshake needed.
"""

import socket
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from realtime.server.flood import FloodMixin
from realtime.server.wire import WireMixin

if TYPE_CHECKING:
    from realtime.server.server import Server

# Bytes that the system buffers for a client (Linux doubles it). By default it buffers
# megabytes, which are out of date when a slow client reads them.
SEND_BUFFER = 64 * 1024
MAX_UNSENT_PONGS = 64 * 1024  # bytes; a client that pings and never reads gets no more
# Between pings to a hidden tab. Frames keep its connection open; that it has gone
# without closing is detected later than for others.
RESTING_PING_S = 240
# Close codes that an application may use (RFC 6455 and its registry). Autobahn sends
# 1011 instead of those between 1001 and 2999.
REGISTERED_CODES = {
    *(1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014)
}


class Socket(WireMixin, FloodMixin, WebSocketProtocol):
    """Daphne's side of a WebSocket connection, which is also its own `Wire`."""

    server: "Server"  # Daphne sets it once the request is a handshake
    http_headers: dict[str, str]
    is_resting = False

    def connectionMade(self) -> None:
        # The HTTP channel, which this connection came from, is done with it.
        self.transport.unregisterProducer()
        descriptor = self.find_descriptor()
        descriptor.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        super().connectionMade()

    def onConnect(self, request: ConnectionRequest) -> Deferred:
        result = super().onConnect(request)
        self.server.handshakes.started(self)
        return result

    def onOpen(self) -> None:
        super().onOpen()
        handshakes = self.server.handshakes
        handshakes.finished(self)
        self.server.admission().pace.opened(others_wait=len(handshakes) > 0)
        # Only the handshake needs these, which are half of a socket's memory.
        self.clean_headers.clear()  # the scope's too
        self.http_headers, self.http_request_data = {}, b""
        self.server.socket_opened()

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if hasattr(self, "server"):
            super().onClose(wasClean, code, reason)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.is_closed = None  # a reference cycle
        self.factory.server_class.http_factory.gate.left()
        if hasattr(self, "server"):
            self.server.handshakes.finished(self)

    def cut(self) -> None:
        self.wasNotCleanReason = "it did not read"
        self.dropConnection(abort=True)

    # --- Pings ----------------------------------------------------------------

    def check_timeouts(self) -> None:
        """Daphne asks every two seconds whether it is time for a ping."""
        if not self.is_resting or time.time() - self.last_ping > RESTING_PING_S:
            super().check_timeouts()

    def onPing(self, payload: bytes) -> None:
        if self.pending() < MAX_UNSENT_PONGS:
            super().onPing(payload)

    # --- The application's messages -------------------------------------------

    def handle_reply(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "websocket.send" if self.state != self.STATE_CONNECTING:
                self._send_message(message)
            case "websocket.http.response.start":
                self._response_start = message
            case "websocket.http.response.body":
                self._deny(message.get("body", b""))
            case _:
                super().handle_reply(message)

    def _send_message(self, message: dict[str, Any]) -> None:
        is_binary = message.get("text") is None
        if is_binary == (message.get("bytes") is None):
            raise ValueError("A message has either text or bytes")
        if self.state == self.STATE_OPEN:
            content = message["bytes" if is_binary else "text"]
            self.serverSend(content, binary=is_binary)

    def serverSend(self, content: str | bytes, binary: bool = False) -> None:
        """Bypass Autobahn's limit on messages, which is meant for input."""
        payload = content.encode() if isinstance(content, str) else content
        self.sendFrame(opcode=2 if binary else 1, payload=payload)

    def serverClose(self, code: int | None = None) -> None:
        if code in REGISTERED_CODES:
            self.sendCloseFrame(code=code)
        else:
            super().serverClose(code)

    def _deny(self, body: bytes) -> None:
        """Refuse the handshake with the application's status, headers and body."""
        start = self._response_start
        headers = [(n.decode(), v.decode()) for n, v in start.get("headers", ())]
        headers += [("Content-Length", str(len(body))), ("Connection", "close")]
        self._denial = headers, body
        deny = ConnectionDeny(start["status"], HTTPStatus(start["status"]).phrase)
        self.handshake_deferred.errback(deny)
        del self.handshake_deferred
        self.server.protocol_disconnected(self)

    def sendHttpErrorResponse(
        self, code: int, reason: str, responseHeaders: Any = None
    ) -> None:
        headers, body = getattr(self, "_denial", (responseHeaders, b""))
        super().sendHttpErrorResponse(code, reason, headers)
        if body:
            self.sendData(body)
