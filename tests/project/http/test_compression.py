"""What is streamed can be read to its end, by clients that take gzip and by others."""

import ast
import asyncio
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.middleware.gzip import GZipMiddleware as DjangoMiddleware

from project.http.compression import GZipMiddleware

ROOT = Path(__file__).resolve().parents[3]
PARTS = [f"part {n}, ".encode() * 50 for n in range(20)]


async def parts() -> AsyncIterator[bytes]:
    for part in PARTS:
        yield part


def stream(kind, accept: str = "gzip, br", **headers: str) -> StreamingHttpResponse:
    """The response as `kind` of middleware leaves it."""
    request = HttpRequest()
    request.META["HTTP_ACCEPT_ENCODING"] = accept
    response = StreamingHttpResponse(parts(), headers=headers)
    return kind(lambda request: response)(request)


def sent(response: StreamingHttpResponse) -> list[bytes]:
    async def collect() -> list[bytes]:
        return [part async for part in response.streaming_content]

    return asyncio.run(collect())


def first_member(content: bytes) -> tuple[bytes, bytes]:
    """The first gzip member, as browsers read it; and what they leave unread."""
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
    return reader.decompress(content), reader.unused_data


def test_stream_for_who_takes_gzip_is_one_member():
    response = stream(GZipMiddleware)

    content, unread = first_member(b"".join(sent(response)))

    assert (content, unread) == (b"".join(PARTS), b"")
    assert response["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in response["Vary"]


def test_stream_by_djangos_middleware_is_cut_off():
    """The positive control: the reader above drops what browsers drop."""
    content, unread = first_member(b"".join(sent(stream(DjangoMiddleware))))

    assert content == PARTS[0]
    assert unread


def test_part_of_a_stream_can_be_read_when_it_has_come():
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)

    read = [reader.decompress(part) for part in sent(stream(GZipMiddleware))]

    assert read == [*PARTS, b""]


def test_stream_has_a_length_that_tells_nothing():
    lengths = {len(b"".join(sent(stream(GZipMiddleware)))) for _ in range(20)}

    assert len(lengths) > 1


@pytest.mark.parametrize(
    "accept, headers", [("", {}), ("gzip", {"Content-Encoding": "identity"})]
)
def test_stream_for_who_takes_no_gzip_or_is_encoded_stays_as_it_is(accept, headers):
    assert sent(stream(GZipMiddleware, accept, **headers)) == PARTS


def test_page_is_compressed_as_before():
    request = HttpRequest()
    request.META["HTTP_ACCEPT_ENCODING"] = "gzip"
    page = HttpResponse(b"".join(PARTS))

    response = GZipMiddleware(lambda request: page)(request)

    assert first_member(response.content) == (b"".join(PARTS), b"")


def test_settings_compress_with_ours_alone():
    compressing = [name for name in settings.MIDDLEWARE if "gzip" in name.lower()]

    assert compressing == ["project.http.compression.GZipMiddleware"]


def test_responses_that_stream_are_known():
    """A new one needs a look: tried in a browser, with and without compression?"""
    kinds = {"StreamingHttpResponse", "FileResponse"}
    using = {
        path.relative_to(ROOT).as_posix()
        for package in ("project", "products", "users", "realtime")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        if kinds & {alias.name for alias in node.names}
    }

    handling = {"project/http/compression.py", "project/http/media.py"}
    assert using - handling == {"products/staff/export.py"}
