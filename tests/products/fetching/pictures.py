"""A web server with pictures."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from tests.support.factories import make_picture


class Page(NamedTuple):
    """What the server sends for a path."""

    body: bytes = b""
    media_type: str = "image/png"
    status: int = 200
    location: str = ""
    pause_s: float = 0  # before each byte


class PictureServer(ThreadingHTTPServer):
    """Sends `pages`, and stores the paths it was asked for in `requests`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.requests: list[str] = []
        self.pages = {"/lamp.png": Page(make_picture().read())}

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that hang up."""


class Handler(BaseHTTPRequestHandler):
    server: PictureServer

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        path = self.path.partition("?")[0]
        page = self.server.pages.get(path, Page(status=404))
        self.send_response(page.status)
        self.send_header("Content-Type", page.media_type)
        self.send_header("Content-Length", str(len(page.body)))
        if page.location:
            self.send_header("Location", page.location)
        self.end_headers()
        if not page.pause_s:
            self.wfile.write(page.body)
            return
        for byte in page.body:
            time.sleep(page.pause_s)
            self.wfile.write(bytes([byte]))

    def log_message(self, *args: object) -> None:
        """Log nothing."""


@contextmanager
def picture_server() -> Iterator[PictureServer]:
    with PictureServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        yield server
        server.shutdown()
        thread.join()
