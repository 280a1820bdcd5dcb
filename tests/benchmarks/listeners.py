"""Many sockets in one process, cheap enough not to be what is measured.

    python listeners.py PORT SOCKETS TOPICS_JSON HTML OUT

Opens the sockets, subscribes each, prints "ready", and until its standard input ends
notes when each frame came. Then writes OUT: a pickled list (a socket) of lists of
(monotonic time, frame text).
"""

import base64
import itertools
import json
import math
import os
import pickle
import resource
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable

AT_ONCE = 48  # sockets being opened; Daphne as it comes lets 50 wait at its door
TEXT, PING = 0x81, 0x89  # first bytes of whole frames, RFC 6455, section 5.2


class Listener:
    """A WebSocket client on a raw socket: notes what comes and when, answers pings, and
    reads what it noted when all is over."""

    def __init__(self, port: int, hello: bytes, cookie: str = "") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self.fileno = self._socket.fileno()
        self._port, self._hello, self._cookie = port, hello, cookie
        self._chunks: list[tuple[float, bytes]] = []
        self._is_open = False

    def knock(self) -> None:
        """Ask for the socket."""
        key = base64.b64encode(os.urandom(16)).decode()
        cookie = f"Cookie: {self._cookie}\r\n" if self._cookie else ""
        self._socket.sendall(
            f"GET /ws/ HTTP/1.1\r\nHost: localhost:{self._port}\r\n"
            f"Origin: http://localhost:{self._port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Version: 13\r\n{cookie}\r\n".encode()
        )

    def read(self) -> None:
        """Take what has come. Raises `ConnectionError` if that is the end."""
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("the server has closed a socket")
        if data[0] == PING:
            self._socket.sendall(masked(0xA, data[2 : 2 + data[1]]))
        self._chunks.append((time.monotonic(), data))

    def advance(self) -> bool:
        """Ask for the topics once the socket is open; whether the answer is there."""
        data = b"".join(data for _, data in self._chunks)
        if not self._is_open and b"\r\n\r\n" in data:
            assert data.startswith(b"HTTP/1.1 101"), data[:500]
            self._is_open = True
            self._socket.sendall(masked(0x1, self._hello))
        return self._is_open and len(self.frames()) > 0

    def frames(self) -> list[tuple[float, bytes]]:
        """The text frames so far, each with when its end came."""
        received, buffer, is_open = [], b"", False
        for moment, data in self._chunks:
            buffer += data
            if not is_open:
                head, is_open, rest = buffer.partition(b"\r\n\r\n")
                if not is_open:
                    continue
                buffer = rest
            buffer = _cut(buffer, moment, received)
        return received

    def close(self) -> None:
        self._socket.close()


def _cut(buffer: bytes, moment: float, received: list[tuple[float, bytes]]) -> bytes:
    """Add the whole text frames in `buffer` to `found`; gives the rest."""
    frames, rest = whole_frames(buffer)
    received += [(moment, payload) for head, payload in frames if head == TEXT]
    return rest


def whole_frames(buffer: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The first byte and the payload of each whole frame, and what is left."""
    frames = []
    while len(buffer) >= 2:
        size, start = buffer[1], 2
        if size == 126 and len(buffer) >= 4:
            size, start = struct.unpack_from("!H", buffer, 2)[0], 4
        elif size == 127 and len(buffer) >= 10:
            size, start = struct.unpack_from("!Q", buffer, 2)[0], 10
        if len(buffer) < start + size:
            break
        frames.append((buffer[0], buffer[start : start + size]))
        buffer = buffer[start + size :]
    return frames, buffer


class Crowd:
    """Listeners, and the loop that reads them."""

    def __init__(self) -> None:
        self.listeners: dict[int, Listener] = {}
        self._epoll = select.epoll()

    def open(self, make: Iterable[Callable[[], Listener]], at_once: int) -> None:
        """Open sockets, so many at a time, each up to its first answer."""
        waiting, makers = set(), iter(make)
        while True:
            for maker in itertools.islice(makers, at_once - len(waiting)):
                waiting.add(self._add(maker()))
            if not waiting:
                return
            for number in self._read(1):
                if number in waiting and self.listeners[number].advance():
                    waiting.remove(number)

    def listen(self, until: int | None = None, seconds: float = math.inf) -> bool:
        """Read until something comes on the file `until`, or the time is over; whether
        something came."""
        if until is not None:
            self._epoll.register(until, select.EPOLLIN)
        try:
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                if until in self._read(min(left, 1)):
                    return True
            return False
        finally:
            if until is not None:
                self._epoll.unregister(until)

    def close(self) -> None:
        for listener in self.listeners.values():
            listener.close()
        self.listeners.clear()

    def _add(self, listener: Listener) -> int:
        self.listeners[listener.fileno] = listener
        self._epoll.register(listener.fileno, select.EPOLLIN)
        listener.knock()
        return listener.fileno

    def _read(self, seconds: float) -> list[int]:
        numbers = [number for number, _ in self._epoll.poll(seconds)]
        for number in numbers:
            if number in self.listeners:
                self.listeners[number].read()
        return numbers


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


def main() -> None:
    port, count, topics, html, out = sys.argv[1:]
    allow_files(int(count) + 100)
    frame = {"t": "sub", "id": 1, "topics": dict.fromkeys(json.loads(topics))}
    hello = json.dumps(frame | ({"html": html} if html else {})).encode()
    crowd = Crowd()
    crowd.open([lambda: Listener(int(port), hello)] * int(count), AT_ONCE)
    print("ready", flush=True)
    crowd.listen(until=sys.stdin.fileno())
    listeners = crowd.listeners.values()
    frames = [listener.frames()[1:] for listener in listeners]  # without the snapshot
    with open(out, "wb") as file:
        pickle.dump(frames, file)


if __name__ == "__main__":
    main()
