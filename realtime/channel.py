"""Connections that speak HTTP: Twisted's, with limits on what a client may send.

- A body that is too large is refused before it is read, if its length is declared, and
  as soon as it is too large, if it comes in chunks. The application hears of the
  request without its body, with `scope["extensions"]["shop.refused"]`, and answers it.
- So are headers that are too large, which most likely are cookies: by pages and
  handshakes alike.
- Headers and bodies have a deadline, which single bytes do not put off.
- Of the connections that wait for their client, those that have been silent longest
  make room when there are too many.
- HTTP/2 is not offered: a proxy in front may speak it.

It looks into `twisted.web.http`, whose version `tests/realtime/test_server.py` pins.
"""

import re
import time
from collections.abc import Iterable
from http import HTTPStatus
from io import BytesIO
from itertools import islice
from socket import MSG_PEEK
from tempfile import SpooledTemporaryFile
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest
from django.conf import settings
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableDescriptor
from twisted.protocols.basic import LineReceiver
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.web.http import RESPONSES, HTTPChannel

from realtime import admission, bodies, line, metrics, request_ids, roles
from realtime.addresses import client_of
from realtime.admission import Refusal
from realtime.deadlines import Deadline
from realtime.gate import Gate

for status in HTTPStatus:  # Twisted does not know them all
    RESPONSES.setdefault(int(status), status.phrase.encode())

EXTENSION = "shop.refused"
MAX_HEADERS = 100
LINE_END = 2  # bytes
# Chunks a body may have: these, and one more for each so many bytes. Smaller ones cost
# more to read than they bring.
MAX_CHUNKS, SMALLEST_CHUNK = 1000, 16
# A client that was refused may send on for so long: closed earlier, the connection
# would be reset, and the client might never see the answer.
LINGER_S = 5
# Where others wait for a connection: how long one is silent before it makes room, and
# how many do at once.
SILENT_S = 2
AT_ONCE = 50
PAUSE_S = 0.01  # after each piece of what is thrown away
# What it takes to answer a request whose headers are too large.
KEPT = {b"host", b"accept", request_ids.NAME}
UPGRADE = re.compile(rb"\r\nupgrade:[ \t]*websocket", re.I)
FORWARDED = b"x-forwarded-for"
FORWARDED_LINE = re.compile(rb"\r\n" + FORWARDED + rb":([^\r\n]*)", re.I)


class Refused(Exception):
    """No more of the body is read; the request is answered with this status."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


class Request(WebRequest):
    """A page's request or a socket's handshake."""

    refusal: HTTPStatus | None = None
    limit = 0  # bytes of body
    received = 0
    _chunks = 0
    _address: str | None = None

    def __init__(self, channel: "Channel", queued: object = False) -> None:
        # Daphne does not use the fields that Twisted would find in a form.
        super().__init__(channel, queued, parsePOSTFormSubmission=False)

    def gotLength(self, length: int | None) -> None:
        """Keep what comes in memory, for Twisted would open a file for each body whose
        length is not known. Only large ones are put into files: `room` counts them."""
        most = settings.FILE_UPLOAD_MAX_MEMORY_SIZE
        is_small = length is not None and length <= most
        self.content = BytesIO() if is_small else SpooledTemporaryFile(most)

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a piece of the body. Raises `Refused`."""
        self._chunks += 1
        if self.received == 0:
            self._address = self._client()
        if self.received + len(data) > self.limit:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if self.channel.length is None and self._has_tiny_chunks():
            raise Refused(HTTPStatus.BAD_REQUEST)
        if not self.channel.factory.store.take(self._address, len(data)):
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE)
        self.received += len(data)
        super().handleContentChunk(data)

    def _has_tiny_chunks(self) -> bool:
        return self._chunks > MAX_CHUNKS + self.received // SMALLEST_CHUNK

    def _client(self) -> str | None:
        """Whose limit its bytes count for."""
        written = self.requestHeaders.getRawHeaders(FORWARDED, [])
        return _address_of(self.client, written)

    def forget_headers(self) -> None:
        """Keep what it takes to answer."""
        for name, _values in list(self.requestHeaders.getAllRawHeaders()):
            if name.lower() not in KEPT:
                self.requestHeaders.removeHeader(name)

    def refuse(self, status: HTTPStatus) -> None:
        """Forget the body: the request is answered with this status."""
        self.refusal = status
        metrics.REFUSALS.labels(f"http {status:d}").inc()
        self.forget_body()
        # It shall reach the application as a page's request, be it a handshake.
        self.requestHeaders.removeHeader(b"Upgrade")
        self.responseHeaders.setRawHeaders(b"Connection", [b"close"])

    def forget_body(self) -> None:
        if self.content is not None:
            self.content.close()
        self.content = BytesIO()
        self.give_back()

    def give_back(self) -> None:
        """Its bytes are no longer held."""
        size, self.received = self.received, 0
        if size:
            self.channel.factory.store.give_back(self._address, size)

    def extensions(self) -> dict[str, Any]:
        """What the application is told beside the request."""
        told = {line.EXTENSION: len(self.channel.factory.line)}
        return told if self.refusal is None else told | {EXTENSION: int(self.refusal)}

    def process(self) -> Deferred | None:
        # Anybody may send it: it would stand before the links of pages, kept ones too.
        self.requestHeaders.removeHeader(b"Daphne-Root-Path")
        offered = self.requestHeaders.getRawHeaders(b"Sec-WebSocket-Protocol", [])
        if not all(map(bytes.isascii, offered)):
            self.basic_error(400, b"Bad Request", "Invalid subprotocol")
            return None
        channel, answer = self.channel, super().process()
        if self.transport is None:  # a socket has taken it
            self.give_back()
            channel.requests.clear()  # they hold each other
        return answer


class Channel(HTTPChannel):
    """One connection, of one request after the other."""

    maxHeaders = MAX_HEADERS
    abortTimeout = 2  # seconds, for a client to take the last words
    _begun = 0.0  # when the present body has
    _is_idle = True  # nothing of the next request has come
    _unsent: int | None = None  # bytes, when they were looked at last
    _is_reading_body = _is_over = False
    _unread: bytes | None = None  # a handshake that waits for its turn

    def connectionMade(self) -> None:
        super().connectionMade()
        self.MAX_LENGTH = settings.HTTP["HEADER_BYTES"] - LINE_END
        self.totalHeadersSize = settings.HTTP["HEADERS_BYTES"]
        # With TLS, its handshake is within this time too.
        self.setTimeout(settings.HTTP["HEADERS_S"])
        self.factory.waits(self)

    def connectionLost(self, reason: Failure) -> None:
        self._is_over = True
        self.factory.gate.left()
        self.factory.waits_no_more(self)
        self.factory.line.leave(self)
        for request in self.requests:
            request.give_back()
        super().connectionLost(reason)

    # --- In -------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Past `HTTPChannel`, which would begin to wait anew with each byte."""
        if self._unread is not None:
            self._read_later(data)
            return
        if self._is_idle:
            self._is_idle = False
            self.setTimeout(settings.HTTP["HEADERS_S"])
            if data.startswith(b"GET ") and UPGRADE.search(data):
                self._handshake_received(data)
                return
        LineReceiver.dataReceived(self, data)

    def _handshake_received(self, data: bytes) -> None:
        """Serve a handshake, let it wait for its turn, or refuse it. Unread: reading is
        what costs most."""
        refusal = self.factory.takes_nobody()
        if refusal is not None:
            self._refuse(refusal)
        elif self.factory.line.is_free():
            LineReceiver.dataReceived(self, data)
        else:
            self._join_line(data)

    def _join_line(self, data: bytes) -> None:
        factory = self.factory
        # As `Request` would find it if the handshake were read.
        address = _address_of(self.transport.getPeer(), FORWARDED_LINE.findall(data))
        refusal = factory.refusal_in_line(address)
        if refusal is not None:
            self._refuse(refusal)
        else:
            self._unread = data
            factory.waits_no_more(self)  # it is our turn, not the client's
            factory.line.wait(self, address)

    def _read_later(self, data: bytes) -> None:
        self._unread += data
        if len(self._unread) > settings.HTTP["HEADERS_BYTES"]:
            self.factory.line.leave(self)
            self.serve()  # which says that it is too large

    def serve(self) -> None:
        """It is this handshake's turn."""
        data, self._unread = self._unread, None
        LineReceiver.dataReceived(self, data)

    def _refuse(self, refusal: Refusal) -> None:
        metrics.REFUSALS.labels(refusal.reason).inc()
        status, (headers, body) = refusal.status, admission.answer(refusal)
        headers = [*headers, (b"content-length", str(len(body)).encode())]
        lines = [b"%s: %s" % header for header in [*headers, (b"connection", b"close")]]
        first = f"HTTP/1.1 {status:d} {status.phrase}".encode()
        self.transport.write(b"\r\n".join([first, *lines, b"", body]))
        self.transport.loseConnection()

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

    def _refuse_headers(self) -> None:
        # Twisted has taken all headers but the last, which might go on.
        # It may be too large itself, so only what is small is taken.
        last = self._HTTPChannel__header
        if last.partition(b":")[0].lower() in KEPT and len(last) < self.MAX_LENGTH:
            super().headerReceived(last)
        self.requests[-1].forget_headers()
        self._read_no_more(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        self.allContentReceived()

    def headerReceived(self, line: bytes) -> bool:
        if self._receivedHeaderCount == self.maxHeaders:
            self._refuse_headers()
            return False
        try:
            return super().headerReceived(line)
        except ValueError:  # a length of thousands of digits
            self._respondToBadRequestAndDisconnect()
            return False

    def allHeadersReceived(self) -> None:
        request = self.requests[-1]
        request.limit = bodies.limit_of_target(self._command, self._path)
        if self.length is not None and self.length > request.limit:
            # So Twisted does not ask for the body ("100 Continue") either.
            request.requestHeaders.removeHeader(b"Expect")
            super().allHeadersReceived()
            self._read_no_more(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        super().allHeadersReceived()
        if self.length != 0:
            self._begun = time.monotonic()
            self._is_reading_body = True
            self._wait_for_body()

    def rawDataReceived(self, data: bytes) -> None:
        is_body = self._is_reading_body
        try:
            super().rawDataReceived(data)
        except Refused as refused:
            self._read_no_more(refused.status)
            self.allContentReceived()
            return
        if is_body and self._is_reading_body:
            self.factory.waits(self)
            self._wait_for_body()

    def _wait_for_body(self) -> None:
        received = self.requests[-1].received
        left = bodies.deadline(self._begun, received) - time.monotonic()
        self.setTimeout(max(0, min(left, settings.HTTP["BODY_S"])))

    def _read_no_more(self, status: HTTPStatus) -> None:
        """The rest of the body stays unread, so nothing can follow it."""
        self.requests[-1].refuse(status)
        self._transferDecoder, self.length, self.persistent = None, 0, False

    def allContentReceived(self) -> None:
        self._is_reading_body = False
        self.factory.waits_no_more(self)
        super().allContentReceived()

    # --- The end of a request -------------------------------------------------

    def requestDone(self, request: Request) -> None:
        request.give_back()
        self._savedTimeOut = settings.HTTP["KEEP_ALIVE_S"]
        self._is_idle = True
        if self.persistent:
            self.factory.waits(self)
        if request.refusal is None:
            super().requestDone(request)
            if not self.persistent and not self._is_over:
                self.setTimeout(settings.HTTP["KEEP_ALIVE_S"])
        else:
            del self.requests[0]
            self._linger()

    def _linger(self) -> None:
        """Read and forget for a while, see `LINGER_S`."""
        self._networkProducer.unregisterProducer()
        self.dataReceived = self._discard
        if IHalfCloseableDescriptor.providedBy(self.transport):
            self.transport.loseWriteConnection()
        self.transport.resumeProducing()
        self._dataBuffer.clear()
        self._abortingCall = self.callLater(LINGER_S, self.forceAbortClient)

    def _discard(self, data: bytes) -> None:
        self.transport.pauseProducing()
        self.callLater(PAUSE_S, self._read_on)

    def _read_on(self) -> None:
        if not self._is_over:
            self.transport.resumeProducing()

    # --- Deadlines ------------------------------------------------------------

    def timeoutConnection(self) -> None:
        """The time for headers, for a body, or between two requests is over."""
        unsent = pending(self.transport)
        if unsent and (self._unsent is None or unsent < self._unsent):
            self._unsent = unsent  # an answer that is read slowly, but read
            self.setTimeout(settings.HTTP["KEEP_ALIVE_S"])
        elif unsent or not self.requests:
            self.end()
        else:
            self._end_with(HTTPStatus.REQUEST_TIMEOUT)

    def is_silent(self) -> bool:
        """Whether the client has sent nothing that waits to be read."""
        below = self.transport
        if isinstance(below, TLSMemoryBIOProtocol):
            below = below.transport
        try:
            return not below.socket.recv(1, MSG_PEEK)
        except OSError:  # there is nothing, or nobody
            return True

    def end(self) -> None:
        """Close the connection now; what is unsent is lost."""
        self.setTimeout(None)
        if pending(self.transport):
            self.transport.abortConnection()
        else:
            self.loseConnection()

    def _end_with(self, status: HTTPStatus) -> None:
        metrics.REFUSALS.labels(f"http {status:d}").inc()
        for request in self.requests:
            request.forget_body()
        line = f"HTTP/1.1 {status:d} {status.phrase}\r\n"
        self.transport.write(line.encode() + b"Content-Length: 0\r\n")
        self.transport.write(b"X-Request-ID: %s\r\n" % self._request_id().encode())
        self.transport.write(b"Connection: close\r\n\r\n")
        super().timeoutConnection()

    def _request_id(self) -> str:
        """Of a request that the application never hears of: the proxy's, by which its
        log knows it, as far as its headers have come."""
        written: list[bytes] = []
        for request in self.requests:
            written += request.requestHeaders.getRawHeaders(request_ids.NAME, [])
        return request_ids.of_headers(written)


class Factory(HTTPFactory):
    """Makes them, and keeps those that wait for their client: the one that has been
    silent longest comes first."""

    protocol = Channel

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self.store = bodies.Store()
        self.line = server.line
        self.gate = Gate(self.places, self.make_room)
        self._waiting: dict[Channel, float] = {}  # since when they are silent

    def buildProtocol(self, addr: Any) -> Channel:
        self.gate.entered()
        channel = super().buildProtocol(addr)
        channel.requestFactory = Request
        channel.callLater = Deadline
        return channel

    def acceptableProtocols(self) -> list[bytes]:
        return [b"http/1.1"]

    def takes_nobody(self) -> Refusal | None:
        """Why no handshake is served now, whosever it is."""
        if not roles.serves_sockets():
            return admission.NO_SOCKETS
        return self.server.admission().takes_nobody()

    def refusal_in_line(self, address: str | None) -> Refusal | None:
        """Why a handshake may not wait for its turn."""
        most = settings.LIVE["NEW_PER_ADDRESS"]
        if address is not None and self.line.waiting_of(address) >= most:
            return admission.SILENT
        return admission.BUSY if self.line.is_full() else None

    def waits(self, channel: Channel) -> None:
        """The channel has just been heard of, and its client is to go on."""
        self._waiting.pop(channel, None)
        self._waiting[channel] = time.monotonic()

    def waits_no_more(self, channel: Channel) -> None:
        self._waiting.pop(channel, None)

    def places(self) -> int:
        """How many more may wait for their client."""
        return settings.HTTP["CONNECTIONS"] - len(self._waiting)

    def make_room(self) -> None:
        """Others wait for a connection: end some of those whose client is silent. A
        client whose request the loop has not read yet is not silent."""
        horizon = time.monotonic() - SILENT_S
        for channel in tuple(islice(self._waiting, AT_ONCE)):
            if self._waiting[channel] > horizon:
                return  # those that follow have been heard of later
            if channel.is_silent():
                self._end(channel)
            else:
                self.waits(channel)

    def _end(self, silent: Channel) -> None:
        del self._waiting[silent]
        metrics.REFUSALS.labels("http connections").inc()
        silent.end()


def _address_of(peer: Any, written: Iterable[bytes]) -> str | None:
    """The address that limits count for. In: who has connected, and the values of
    X-Forwarded-For."""
    host = getattr(peer, "host", None)
    headers = [(FORWARDED, value) for value in written]
    return client_of({"client": [host], "headers": headers})


def pending(transport: Any) -> int:
    """The bytes that a client has not taken yet."""
    waiting = 0
    if isinstance(transport, TLSMemoryBIOProtocol):
        waiting = sum(map(len, transport._appSendBuffer))
        transport = transport.transport
    return (
        waiting + len(transport.dataBuffer) - transport.offset + transport._tempDataLen
    )
