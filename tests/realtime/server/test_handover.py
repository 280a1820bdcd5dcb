"""Handshakes that go straight to the WebSocket protocol."""

import socket
from types import SimpleNamespace

import pytest

from realtime.server import handover
from realtime.server.handshake import HandshakeChannel
from realtime.server.wire import next_byte

PLAIN = (
    b"GET /ws/?a=b HTTP/1.1\r\nHost: localhost\r\nUpgrade: WebSocket\r\n"
    b"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: a=b; c=d\r\n\r\n"
)


def changed(old: bytes, new: bytes) -> bytes:
    assert old in PLAIN
    return PLAIN.replace(old, new)


def with_header(line: bytes) -> bytes:
    return changed(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n")


def test_handshake_of_a_browser_is_plain():
    assert handover.target_of(PLAIN) == b"/ws/?a=b"
    assert handover.target_of(changed(b": ", b":")) == b"/ws/?a=b"


@pytest.mark.parametrize(
    "data",
    [
        PLAIN[:-1],  # the rest comes later
        PLAIN + b"\x81",
        changed(b"GET", b"POST"),
        changed(b"/ws/", b"http://localhost/ws/"),
        changed(b"/ws/", b"/w\xf6/"),
        changed(b"HTTP/1.1", b"HTTP/1.0"),
        changed(b"WebSocket\r", b"websocket2\r"),
        changed(b"Host:", b"Host :"),
        changed(b"\r\nHost", b"\nHost"),
        changed(b"a=b;", b"a=\xe9;"),
        changed(b"a=b;", b"a=\x0b;"),
        changed(b" a=b;", b" a=b;\r\n "),  # a header of two lines
        with_header(b"host: elsewhere"),  # a second one
        with_header(b"X_Forwarded_For: 203.0.113.7"),
        with_header(b"Daphne-Root-Path: /evil"),
        with_header(b"Content-Length: 5"),
        with_header(b"Transfer-Encoding: chunked"),
        with_header(b"Expect: 100-continue"),
        with_header(b": nameless"),
        with_header(b"nothing"),
        with_header(b"\r\n".join(b"X-%d: 1" % n for n in range(60))),
    ],
)
def test_what_is_not_plain_is_read_by_twisted(data):
    assert handover.target_of(data) is None


def test_handshake_with_too_large_a_header_is_read_by_twisted(settings):
    limit = settings.HTTP["HEADER_BYTES"]

    assert handover.target_of(with_header(b"X: " + b"x" * limit)) is None


@pytest.fixture
def link():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        yield ours, theirs


def test_next_byte_tells_silence_from_the_end(link):
    ours, theirs = link
    transport = SimpleNamespace(socket=ours)
    assert next_byte(transport) is None

    theirs.send(b"GET")
    assert next_byte(transport) == b"G"
    assert ours.recv(10) == b"GET"  # it is still there to be read

    theirs.close()
    assert next_byte(transport) == b""


@pytest.mark.parametrize("has_gone", [False, True])
def test_handshake_in_the_queue_is_begun_only_for_a_client_that_is_still_there(
    link, monkeypatch, has_gone
):
    begun: list[bytes] = []
    monkeypatch.setattr(
        HandshakeChannel, "_begin", lambda self, data: begun.append(data)
    )
    channel = HandshakeChannel()
    channel.transport, channel._unread = SimpleNamespace(socket=link[0]), PLAIN
    if has_gone:
        link[1].close()

    channel.serve()

    assert begun == ([] if has_gone else [PLAIN])
