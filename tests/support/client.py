"""A WebSocket client that holds every frame against `asyncapi.yaml`."""

import json
import socket
import time
from collections.abc import Callable
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from tests.support import schema
from tests.support.page import Page
from tests.support.servers import Shop

SOON_S = 5


class Client:
    """One page's socket. Heartbeats are kept aside in `beats`."""

    def __init__(
        self,
        shop: Shop,
        page: Page | None = None,
        *,
        cookie: str | None = None,
        html: str | None = "en",
        origin: str | None = "",
        headers: dict[str, str] | None = None,
        host: str = "localhost",
        path: str | None = None,
        buffer: int | None = None,
        port: int | None = None,
        **options: Any,
    ) -> None:
        self.page = page or Page()
        self.frames: list[dict] = []  # all but heartbeats, as they came
        self.beats: list[dict] = []
        self._html, self._is_new = html, True
        self._buffer = buffer  # bytes that the kernel may take while nobody reads
        self._port = port or shop.port  # another is a proxy's
        path = f"{shop.path}/ws/" if path is None else path
        self._uri = f"{'wss' if shop.tls else 'ws'}://{host}:{shop.port}{path}"
        self._options = {
            "origin": shop.origin if origin == "" else origin,
            "additional_headers": (headers or {})
            | ({"Cookie": cookie} if cookie else {}),
            "subprotocols": ["shop.v1"],
            "max_size": None,
            "ssl": shop.tls,
            **options,
        }

    def __enter__(self) -> "Client":
        link = socket.socket()
        if self._buffer:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
        link.connect(("127.0.0.1", self._port))
        self._connection = connect(self._uri, sock=link, **self._options)
        self.socket: ClientConnection = self._connection.__enter__()
        return self

    def __exit__(self, *exception) -> None:
        self._connection.__exit__(*exception)

    # --- Out ------------------------------------------------------------------

    def send(self, frame: dict) -> None:
        """Send a frame that the document allows."""
        schema.check(frame, schema.SENT_BY_CLIENT)
        self.send_raw(json.dumps(frame))

    def send_raw(self, frame: str | bytes) -> None:
        """Send whatever it is."""
        self.socket.send(frame)

    def flood(self, text: str, *, times: int) -> None:
        """Send a text so many times in one write. Past the library's `send`, which
        waits for a reader of what came back when the shop closes meanwhile."""
        frame = Frame(Opcode.TEXT, text.encode())
        self.socket.socket.sendall(
            b"".join(frame.serialize(mask=True) for _ in range(times))
        )

    def watch(self, *names: str, **versions: int) -> dict:
        """Subscribe to what the page shows, and `names` which it shows nothing of;
        gives the snapshot."""
        for name in names:
            self.page.shown.setdefault(name, -1)
        frame = self.page.subscription(is_new_socket=self._is_new, html=self._html)
        topics = frame["topics"]
        frame["topics"] = {
            name: None if version == -1 else version for name, version in topics.items()
        }
        self._is_new = False
        self.send(frame)
        return self.until(lambda answer: answer["t"] == "snap")

    # --- In -------------------------------------------------------------------

    def receive(self, seconds: float = SOON_S) -> dict:
        """The next frame but heartbeats. Raises `TimeoutError`, `ConnectionClosed`."""
        end = time.monotonic() + seconds
        while True:
            text = self.socket.recv(timeout=max(0, end - time.monotonic()))
            frame = schema.received(text)
            self.page.hear(frame)
            if frame["t"] != "hb":
                self.frames.append(frame)
                return frame
            self.beats.append(frame)

    def until(self, is_it: Callable[[dict], bool], seconds: float = SOON_S) -> dict:
        """The first frame that `is_it` says yes to."""
        end = time.monotonic() + seconds
        while True:
            frame = self.receive(max(0, end - time.monotonic()))
            if is_it(frame):
                return frame

    def shows(self, name: str, version: int, seconds: float = SOON_S) -> dict:
        """Wait until the page shows that version of a topic or a later one; gives its
        facts."""
        end = time.monotonic() + seconds
        while self.page.shown.get(name, -1) < version:
            self.receive(max(0, end - time.monotonic()))
        return self.page.facts[name]

    def beat(self, seconds: float = SOON_S) -> dict:
        """The next heartbeat."""
        count, end = len(self.beats), time.monotonic() + seconds
        while len(self.beats) == count:
            text = self.socket.recv(timeout=max(0, end - time.monotonic()))
            frame = schema.received(text)
            self.page.hear(frame)
            (self.beats if frame["t"] == "hb" else self.frames).append(frame)
        return self.beats[-1]

    def hears_nothing(self, seconds: float) -> bool:
        """Whether nothing but heartbeats comes for so long."""
        try:
            self.receive(seconds)
        except TimeoutError:
            return True
        return False

    def closed(self, seconds: float = SOON_S) -> int:
        """Read on until the shop closes; gives the close code."""
        try:
            self.until(lambda frame: False, seconds)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006
        raise AssertionError("unreachable")
