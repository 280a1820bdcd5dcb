"""WebSocket frames made by hand, RFC 6455's or not: what no client library sends."""

import json
import os
import socket
import struct
import time

from tests.support import schema
from tests.support.servers import Shop

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
GONE = -1  # the connection ended without a close frame
HANDSHAKE = (
    "GET /ws/ HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: shop.v1\r\n\r\n"
)
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def frame(
    payload: bytes, opcode: int = TEXT, *, is_last=True, rsv=0, is_masked=True
) -> bytes:
    """One frame, as a client would send it."""
    head = bytes([is_last << 7 | rsv << 4 | opcode])
    masked, size = is_masked << 7, len(payload)
    if size <= 125:
        head += bytes([masked | size])
    elif size <= 0xFFFF:
        head += struct.pack("!BH", masked | 126, size)
    else:
        head += struct.pack("!BQ", masked | 127, size)
    if not is_masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def shake(shop: Shop, path: bytes, headers: dict[bytes, bytes], seconds: float) -> int:
    """The status that a handshake is answered with, its headers changed; GONE if the
    shop hangs up."""
    usual = HANDSHAKE.format(port=shop.port, key=KEY).encode().split(b"\r\n")[1:-2]
    lines = dict(line.split(b": ", 1) for line in usual) | headers
    head = b"".join(b"%s: %s\r\n" % line for line in lines.items())
    with socket.create_connection(("127.0.0.1", shop.port), seconds) as link:
        link.sendall(b"GET %s HTTP/1.1\r\n%s\r\n" % (path, head))
        answer = link.recv(65536)
    return int(answer.split(b" ", 2)[1]) if answer else GONE


class RawSocket:
    """A connection to a shop that has shaken hands, and what came over it."""

    def __init__(self, shop: Shop, seconds: float) -> None:
        self.frames: list[dict] = []  # of the shop, held against its document
        self.code: int | None = None  # that it closed with
        self._link = socket.create_connection(("127.0.0.1", shop.port), seconds)
        self._end = time.monotonic() + seconds
        self._bytes = b""
        self._link.sendall(HANDSHAKE.format(port=shop.port, key=KEY).encode())
        answer = self._until(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101 "), answer

    def __enter__(self) -> "RawSocket":
        return self

    def __exit__(self, *exception) -> None:
        self._link.close()

    def send(self, data: bytes) -> None:
        """Send bytes, unless the shop has closed; how that looks is not said."""
        try:
            self._link.sendall(data)
        except ConnectionError:
            pass

    def end(self) -> None:
        """Say that nothing more comes."""
        try:
            self._link.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def hear(self) -> dict | None:
        """The next frame of the shop; None when it has closed. Raises `TimeoutError`
        if it does neither."""
        while self.code is None:
            try:
                opcode, payload = self._frame()
            except ConnectionError:
                self.code = GONE
                break
            if opcode == CLOSE:
                self.code = struct.unpack("!H", payload[:2])[0] if payload else 1005
            elif opcode == TEXT:
                self.frames.append(schema.received(payload.decode()))
                return self.frames[-1]
            else:
                assert opcode in (PING, PONG), f"the shop sends no opcode {opcode}"
        return None

    def _frame(self) -> tuple[int, bytes]:
        head, size = self._take(2)
        if size == 126:
            size = struct.unpack("!H", self._take(2))[0]
        elif size == 127:
            size = struct.unpack("!Q", self._take(8))[0]
        assert head & 0xF0 == 0x80, f"{head:x}: the shop's frames are whole"
        return head & 0x0F, self._take(size)

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._bytes:
            self._more()
        head, _, self._bytes = self._bytes.partition(mark)
        return head

    def _take(self, size: int) -> bytes:
        while len(self._bytes) < size:
            self._more()
        taken, self._bytes = self._bytes[:size], self._bytes[size:]
        return taken

    def _more(self) -> None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._link.settimeout(left)
        data = self._link.recv(65536)
        if not data:
            raise ConnectionResetError
        self._bytes += data


def subscription(request_id: int) -> bytes:
    """A frame that every socket in good order answers."""
    return frame(json.dumps({"t": "sub", "id": request_id, "topics": {}}).encode())
