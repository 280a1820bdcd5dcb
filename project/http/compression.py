"""Gzip for pages and streams, in a form that every browser reads completely."""

from collections.abc import AsyncIterator
from gzip import GzipFile
from secrets import randbelow
from zlib import Z_SYNC_FLUSH

from asgiref.sync import sync_to_async
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.middleware import gzip
from django.utils.text import StreamingBuffer

LEVEL = 6


class GZipMiddleware(gzip.GZipMiddleware):
    """Django's, but an async stream becomes one gzip member.

    Django compresses each part of such a stream into a member of its own. Browsers read
    the first member and drop the rest without an error.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if not isinstance(response, StreamingHttpResponse):
            return super().process_response(request, response)
        parts = response.streaming_content
        if not isinstance(parts, AsyncIterator):
            return super().process_response(request, response)
        was_encoded = response.has_header("Content-Encoding")
        super().process_response(request, response)  # sets the headers
        if response.has_header("Content-Encoding") and not was_encoded:
            response.streaming_content = one_member(parts, self.max_random_bytes)
        return response


async def one_member(
    parts: AsyncIterator[bytes], max_random_bytes: int
) -> AsyncIterator[bytes]:
    """Compress `parts` into one gzip member. Clients can read each part at once.

    The random length of the name in the header hides the size of the content (BREACH).
    Compression runs in the request's thread, because it would block the event loop.
    """
    buffer = StreamingBuffer()
    name = b"a" * randbelow(max_random_bytes)
    file = GzipFile(name, "wb", LEVEL, fileobj=buffer, mtime=0)

    def compressed(part: bytes) -> bytes:
        file.write(part)
        file.flush(Z_SYNC_FLUSH)
        return buffer.read()

    async for part in parts:
        yield await sync_to_async(compressed)(part)
    file.close()
    yield buffer.read()
