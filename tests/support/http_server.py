"""An HTTP server in a thread of the test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar

POLL_S = 0.01  # which its end may take


class LocalServer(ThreadingHTTPServer):
    """A server on a free port of this machine. It runs during `serving()`."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.over = threading.Event()  # set at the end, for answers that never come

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: the client has stopped waiting."""


Server = TypeVar("Server", bound=LocalServer)


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Serve until the end of the block."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=[POLL_S])
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()
