"""A WebSocket client on a bare asyncio protocol (RFC 6455, text frames, no extension).

A library would cost more than what is measured: thousands of these share one process.
"""

import asyncio
import base64
import hashlib
import os
import struct
from collections.abc import Callable

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
FIN = 0x80
ABNORMAL = 1006  # the connection ended without a close frame


class Refused(Exception):
    """The server did not switch protocols; the first line of its answer."""


class Wire(asyncio.Protocol):
    """One socket. `on_text(payload)` is called for each text, `on_close(code)` once."""

    def __init__(
        self,
        request: Callable[[str], bytes],
        on_text: Callable[[bytes], None],
        on_close: Callable[[int], None],
    ) -> None:
        self._request, self._on_text, self._on_close = request, on_text, on_close
        self._key = base64.b64encode(os.urandom(16)).decode()
        self._buffer, self._fragments = b"", b""
        self._code: int | None = None
        self._is_open = self._is_closing = False
        self.opened = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request(self._key))

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._is_open and not self._switch():
            return
        while (frame := self._frame()) is not None:
            self._take(*frame)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(error or Refused("closed without an answer"))
        elif self._is_open:
            self._on_close(self._code or ABNORMAL)

    def send(self, text: bytes) -> None:
        """Send a text, unless the socket is gone."""
        self._write(masked(TEXT, text))

    def _write(self, frame: bytes) -> None:
        if self.transport and not self.transport.is_closing():
            self.transport.write(frame)

    def close(self, code: int = 1000) -> None:
        """Say goodbye; the server ends the connection."""
        if self.transport and not self.transport.is_closing():
            self._is_closing = True
            self.transport.write(masked(CLOSE, struct.pack("!H", code)))

    def cut(self) -> None:
        """End the connection as a network does."""
        if self.transport:
            self.transport.abort()

    def _switch(self) -> bool:
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return False
        accept = base64.b64encode(hashlib.sha1(self._key.encode() + GUID).digest())
        if not head.startswith(b"HTTP/1.1 101") or accept not in head:
            self.opened.set_exception(Refused(head.split(b"\r\n")[0].decode("latin1")))
            self.cut()
            return False
        self._is_open, self._buffer = True, rest
        self.opened.set_result(None)
        return True

    def _frame(self) -> tuple[int, bytes] | None:
        """The next whole frame, taken from the buffer: its first byte and payload."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, start = buffer[1] & 0x7F, 2
        if size == 126:
            start = 4
            size = int.from_bytes(buffer[2:4]) if len(buffer) >= 4 else 1 << 62
        elif size == 127:
            start = 10
            size = int.from_bytes(buffer[2:10]) if len(buffer) >= 10 else 1 << 62
        if len(buffer) < start + size:
            return None
        self._buffer = buffer[start + size :]
        return buffer[0], buffer[start : start + size]

    def _take(self, first: int, payload: bytes) -> None:
        opcode = first & 0xF
        if opcode == PING:
            self._write(masked(PONG, payload))
        elif opcode == CLOSE:
            self._code = int.from_bytes(payload[:2]) if len(payload) > 1 else 1005
            if not self._is_closing:
                self._write(masked(CLOSE, payload[:2]))
            if self.transport:
                self.transport.close()
        elif opcode in (0, TEXT):
            self._fragments += payload
            if first & FIN:
                whole, self._fragments = self._fragments, b""
                self._on_text(whole)


def masked(opcode: int, payload: bytes) -> bytes:
    """A client's frame. Masked with zeros, which is cheap and which the RFC allows."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", FIN | opcode, FIN | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", FIN | opcode, FIN | 126, size)
    else:
        head = struct.pack("!BBQ", FIN | opcode, FIN | 127, size)
    return head + bytes(4) + payload
