"""Many sockets in one process, cheap enough not to be what is measured.

    python listeners.py PORT SOCKETS TOPICS_JSON HTML OUT

Opens the sockets, subscribes each, prints "ready", and until its standard input ends
notes when each frame came. Then writes OUT: a pickled list (a socket) of lists of
(monotonic time, frame text).
"""

import asyncio
import base64
import json
import os
import pickle
import resource
import struct
import sys
import time


class Listener(asyncio.Protocol):
    """A WebSocket client that reads unmasked text frames and answers pings."""

    def __init__(self, port: int, hello: bytes, cookie: str = "") -> None:
        self.port, self.hello, self.cookie = port, hello, cookie
        self.frames: list[tuple[float, bytes]] = []
        self.subscribed = asyncio.get_running_loop().create_future()
        self._buffer = b""
        self._is_open = False

    def connection_made(self, transport) -> None:
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        cookie = f"Cookie: {self.cookie}\r\n" if self.cookie else ""
        transport.write(
            f"GET /ws/ HTTP/1.1\r\nHost: localhost:{self.port}\r\n"
            f"Origin: http://localhost:{self.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Version: 13\r\n{cookie}\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self._buffer += data
        if not self._is_open:
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self._is_open, self._buffer = True, rest
            self.transport.write(masked(0x1, self.hello))
        self._read(now)

    def _read(self, now: float) -> None:
        while len(self._buffer) >= 2:
            size, start = self._buffer[1], 2
            if size == 126 and len(self._buffer) >= 4:
                size, start = struct.unpack_from("!H", self._buffer, 2)[0], 4
            elif size == 127 and len(self._buffer) >= 10:
                size, start = struct.unpack_from("!Q", self._buffer, 2)[0], 10
            if len(self._buffer) < start + size:
                return
            payload = self._buffer[start : start + size]
            opcode = self._buffer[0] & 0xF
            self._buffer = self._buffer[start + size :]
            if opcode == 0x9:
                self.transport.write(masked(0xA, payload))
            elif opcode == 0x1:
                self.frames.append((now, payload))
                if not self.subscribed.done():
                    self.subscribed.set_result(None)


def masked(opcode: int, payload: bytes) -> bytes:
    """A client's frame, masked with zeros (which RFC 6455 does not forbid)."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    else:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    return head + bytes(4) + payload


def allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


async def main() -> None:
    port, count, topics, html, out = sys.argv[1:]
    allow_files(int(count) + 100)
    frame = {"t": "sub", "id": 1, "topics": dict.fromkeys(json.loads(topics))}
    hello = json.dumps(frame | ({"html": html} if html else {})).encode()
    loop = asyncio.get_running_loop()
    listeners = []
    for _ in range(int(count)):
        _, listener = await loop.create_connection(
            lambda: Listener(int(port), hello), "127.0.0.1", int(port)
        )
        await listener.subscribed
        listeners.append(listener)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    frames = [listener.frames[1:] for listener in listeners]  # without the snapshot
    with open(out, "wb") as file:
        pickle.dump(frames, file)


if __name__ == "__main__":
    asyncio.run(main())
