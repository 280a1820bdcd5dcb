"""HTTP connections with limits on what a client may send.

- Headers that are too large, most likely cookies, are refused, for pages and handshakes
  alike.
- A body that is too large is refused before it is read, if its length is declared, or
  as soon as it is too large, if it comes in chunks.
- Headers and bodies have a deadline, which single bytes do not extend.
"""

import time
from http import HTTPStatus

from django.conf import settings
from twisted.internet.interfaces import IHalfCloseableDescriptor
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from realtime import bodies, metrics, request_ids
from realtime.server.handshake import HandshakeChannel
from realtime.server.request import NEEDED_HEADERS, Refused, Request
from realtime.server.wire import next_byte, unsent_bytes

MAX_HEADERS = 100
LINE_END = 2  # bytes
# How long a refused client may keep sending. If we closed earlier, the connection would
# be reset, and the client might never see the answer.
LINGER_S = 5
DISCARD_PAUSE_S = 0.01  # after each piece of input that is thrown away


class Channel(HandshakeChannel):
    """A connection, with one request after the other."""

    maxHeaders = MAX_HEADERS
    abortTimeout = 2  # seconds, for a client to take the last bytes
    _body_began = 0.0
    _last_unsent: int | None = None  # bytes, at the last timeout
    _is_reading_body = _is_lingering = _is_over = False
    _HTTPChannel__header: bytes  # a private attribute of Twisted's class

    def connectionMade(self) -> None:
        super().connectionMade()
        self.MAX_LENGTH = settings.HTTP["HEADER_BYTES"] - LINE_END
        self.totalHeadersSize = settings.HTTP["HEADERS_BYTES"]
        # This includes the TLS handshake.
        self.setTimeout(settings.HTTP["HEADERS_S"])
        self.factory.awaits_client(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._is_over = True
        self.factory.gate.left()
        self.factory.answers(self)
        self.factory.handshakes.leave(self)
        for request in self.requests:
            request.release_budget()
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        if self._is_lingering:
            self._discard()
        else:
            super().dataReceived(data)

    # --- Headers --------------------------------------------------------------

    def lineReceived(self, line: bytes) -> None:
        if self._receivedHeaderSize + len(line) > self.totalHeadersSize:
            self._refuse_headers()
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        if self.requests:
            self._refuse_headers()
        else:
            self._end_with(HTTPStatus.REQUEST_URI_TOO_LONG)

    def headerReceived(self, line: bytes) -> bool:
        if self._receivedHeaderCount == self.maxHeaders:
            self._refuse_headers()
            return False
        try:
            return super().headerReceived(line)
        except ValueError:  # a length of thousands of digits
            self._respondToBadRequestAndDisconnect()
            return False

    def _refuse_headers(self) -> None:
        # Twisted has parsed all headers but the last, which might continue. That one
        # may be too large itself.
        last = self._HTTPChannel__header
        name = last.partition(b":")[0].lower()
        if name in NEEDED_HEADERS and len(last) < self.MAX_LENGTH:
            super().headerReceived(last)
        self.requests[-1].drop_headers()
        self._stop_reading(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        self.allContentReceived()

    def allHeadersReceived(self) -> None:
        request = self.requests[-1]
        request.limit = bodies.limit_of_target(self._command, self._path)
        if self.length is not None and self.length > request.limit:
            # Without it Twisted does not ask for the body ("100 Continue").
            request.requestHeaders.removeHeader(b"Expect")
            super().allHeadersReceived()
            self._stop_reading(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        super().allHeadersReceived()
        if self.length != 0:
            self._body_began = time.monotonic()
            self._is_reading_body = True
            self._set_body_timeout()

    # --- Bodies ---------------------------------------------------------------

    def rawDataReceived(self, data: bytes) -> None:
        is_body = self._is_reading_body
        try:
            super().rawDataReceived(data)
        except Refused as refused:
            self._stop_reading(refused.status)
            self.allContentReceived()
            return
        if is_body and self._is_reading_body:
            self.factory.awaits_client(self)
            self._set_body_timeout()

    def _set_body_timeout(self) -> None:
        received = self.requests[-1].received
        left = bodies.deadline(self._body_began, received) - time.monotonic()
        self.setTimeout(max(0, min(left, settings.HTTP["BODY_S"])))

    def _stop_reading(self, status: HTTPStatus) -> None:
        """Refuse the request. The rest of its body stays unread, so no other request
        can follow."""
        self.requests[-1].refuse(status)
        self._transferDecoder, self.length, self.persistent = None, 0, False

    def allContentReceived(self) -> None:
        self._is_reading_body = False
        self.factory.answers(self)
        super().allContentReceived()

    # --- The end of a request -------------------------------------------------

    def requestDone(self, request: Request) -> None:
        request.release_budget()
        self._savedTimeOut = settings.HTTP["KEEP_ALIVE_S"]
        self._is_idle = True
        if self.persistent:
            self.factory.awaits_client(self)
        if request.refusal is None:
            super().requestDone(request)
            if not self.persistent and not self._is_over:
                self.setTimeout(settings.HTTP["KEEP_ALIVE_S"])
        else:
            del self.requests[0]
            self._linger()

    def _linger(self) -> None:
        """Read and discard input for a while; `LINGER_S` says why."""
        self._networkProducer.unregisterProducer()
        self._is_lingering = True
        if IHalfCloseableDescriptor.providedBy(self.transport):
            self.transport.loseWriteConnection()
        self.transport.resumeProducing()
        self._dataBuffer.clear()
        self._abortingCall = self.callLater(LINGER_S, self.forceAbortClient)

    def _discard(self) -> None:
        self.transport.pauseProducing()
        self.callLater(DISCARD_PAUSE_S, self._resume_reading)

    def _resume_reading(self) -> None:
        if not self._is_over:
            self.transport.resumeProducing()

    # --- Timeouts -------------------------------------------------------------

    def timeoutConnection(self) -> None:
        """The time for headers, for a body, or between two requests is over."""
        unsent = unsent_bytes(self.transport)
        if unsent and (self._last_unsent is None or unsent < self._last_unsent):
            self._last_unsent = unsent  # the client reads the answer slowly
            self.setTimeout(settings.HTTP["KEEP_ALIVE_S"])
        elif unsent or not self.requests:
            self.end()
        else:
            self._end_with(HTTPStatus.REQUEST_TIMEOUT)

    def is_silent(self) -> bool:
        """Whether the client has sent nothing that waits to be read."""
        return not next_byte(self.transport)

    def end(self) -> None:
        """Close the connection now. Unsent bytes are lost."""
        self.setTimeout(None)
        if unsent_bytes(self.transport):
            self.transport.abortConnection()
        else:
            self.loseConnection()

    def _end_with(self, status: HTTPStatus) -> None:
        """Answer without the application, and close."""
        metrics.REFUSALS.labels(f"http {status:d}").inc()
        for request in self.requests:
            request.drop_body()
        line = f"HTTP/1.1 {status:d} {status.phrase}\r\n"
        self.transport.write(line.encode() + b"Content-Length: 0\r\n")
        self.transport.write(b"X-Request-ID: %s\r\n" % self._request_id().encode())
        self.transport.write(b"Connection: close\r\n\r\n")
        super().timeoutConnection()

    def _request_id(self) -> str:
        """Return the proxy's id of the request, by which its log knows it, as far as
        the headers have arrived; otherwise a new one."""
        values: list[bytes] = []
        for request in self.requests:
            values += request.requestHeaders.getRawHeaders(request_ids.NAME, [])
        return request_ids.of_headers(values)
