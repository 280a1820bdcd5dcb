"""One HTTP request, its body and headers.

The application hears of a refused request too, without its body. It finds the status to
answer in `scope["extensions"]["shop.refused"]`.
"""

from collections.abc import Iterable
from http import HTTPStatus
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any

from daphne.http_protocol import WebRequest
from django.conf import settings
from twisted.internet.defer import Deferred

from realtime import metrics, request_ids
from realtime.addresses import client_of
from realtime.server import handshake_queue

if TYPE_CHECKING:
    from realtime.server.channel import Channel

EXTENSION = "shop.refused"
# A body may have this many chunks, and one more per so many bytes. Smaller chunks cost
# more to read than they bring.
FREE_CHUNKS, BYTES_PER_CHUNK = 1000, 16
# Headers that it takes to answer a request whose headers are too large.
NEEDED_HEADERS = {b"host", b"accept", request_ids.NAME}
FORWARDED_FOR = b"x-forwarded-for"


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
        """Keep a body in memory until it is large.

        Twisted would open a file for each body of unknown length. `file_budget` counts
        the files of large bodies only.
        """
        in_memory = settings.FILE_UPLOAD_MAX_MEMORY_SIZE
        is_small = length is not None and length <= in_memory
        self.content = BytesIO() if is_small else SpooledTemporaryFile(in_memory)

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a piece of the body. Raises `Refused`."""
        self._chunks += 1
        if self.received == 0:
            self._address = self._client_address()
        if self.received + len(data) > self.limit:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if self.channel.length is None and self._has_tiny_chunks():
            raise Refused(HTTPStatus.BAD_REQUEST)
        if not self.channel.factory.body_budget.take(self._address, len(data)):
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE)
        self.received += len(data)
        super().handleContentChunk(data)

    def _has_tiny_chunks(self) -> bool:
        return self._chunks > FREE_CHUNKS + self.received // BYTES_PER_CHUNK

    def _client_address(self) -> str | None:
        """Return the address whose limit the body counts for."""
        forwarded = self.requestHeaders.getRawHeaders(FORWARDED_FOR, [])
        return address_of(self.client, forwarded)

    def refuse(self, status: HTTPStatus) -> None:
        """Drop the body, and have the application answer with this status."""
        self.refusal = status
        metrics.REFUSALS.labels(f"http {status:d}").inc()
        self.drop_body()
        # Even a handshake reaches the application as the request of a page.
        self.requestHeaders.removeHeader(b"Upgrade")
        self.responseHeaders.setRawHeaders(b"Connection", [b"close"])

    def drop_headers(self) -> None:
        """Drop all headers that it does not take to answer."""
        for name, _values in list(self.requestHeaders.getAllRawHeaders()):
            if name.lower() not in NEEDED_HEADERS:
                self.requestHeaders.removeHeader(name)

    def drop_body(self) -> None:
        if self.content is not None:
            self.content.close()
        self.content = BytesIO()
        self.release_budget()

    def release_budget(self) -> None:
        """Stop counting the body's bytes."""
        size, self.received = self.received, 0
        if size:
            self.channel.factory.body_budget.give_back(self._address, size)

    def extensions(self) -> dict[str, Any]:
        """Return what the application learns beside the request."""
        extensions = {handshake_queue.EXTENSION: len(self.channel.factory.handshakes)}
        if self.refusal is not None:
            extensions[EXTENSION] = int(self.refusal)
        return extensions

    def process(self) -> Deferred | None:
        # Any client can send it, and it would be part of links, on cached pages too.
        self.requestHeaders.removeHeader(b"Daphne-Root-Path")
        offered = self.requestHeaders.getRawHeaders(b"Sec-WebSocket-Protocol", [])
        if not all(map(bytes.isascii, offered)):
            self.basic_error(400, b"Bad Request", "Invalid subprotocol")
            return None
        channel, result = self.channel, super().process()
        if self.transport is None:  # it has become a socket
            self.release_budget()
            channel.requests.clear()  # a reference cycle
        return result


def address_of(peer: Any, forwarded: Iterable[bytes]) -> str | None:
    """Return the address that limits count for, given who has connected and the values
    of X-Forwarded-For."""
    host = getattr(peer, "host", None)
    headers = [(FORWARDED_FOR, value) for value in forwarded]
    return client_of({"client": [host], "headers": headers})
