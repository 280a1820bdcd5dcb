"""Real servers for the tests: Daphne and Redis as processes of their own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from django.db import connection
from servers import redis_program

START_S = 20


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Wait for `condition`. Raises `AssertionError` naming `what` after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} took longer than {seconds} s"
        time.sleep(0.02)


class Process:
    """A program that is started, killed and started again."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._process: subprocess.Popen | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def is_ready(self) -> bool:
        raise NotImplementedError

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), env=self.environment(), stdout=log, stderr=log
            )
        wait_until(self._answers, f"{self.command()[0]} ({self.log})", START_S)

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.log.read_text()[-4000:]
        return self.is_ready()

    def stop(self, with_signal: int = signal.SIGTERM) -> None:
        """End it, if it runs; SIGKILL after 10 s."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(with_signal)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def said(self) -> str:
        """Everything it has printed."""
        return self.log.read_text(errors="replace")


class Redis(Process):
    """A Redis on a Unix socket in `folder`, keeping nothing on disk."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "redis.log")
        self.socket = folder / "redis.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}?db=0"

    def command(self) -> list[str]:
        options = ["--port", "0", "--unixsocket", str(self.socket), "--save", ""]
        return [redis_program(), *options, "--dir", str(self.socket.parent)]

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(self.socket))
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith(b"+PONG")
        return False


class Daphne(Process):
    """The shop served by Daphne, on the test's database."""

    def __init__(self, folder: Path, redis_url: str, **environment: str) -> None:
        super().__init__(folder / "daphne.log")
        self.port = free_port()
        self._environment = {"REDIS_URL": redis_url, **environment}

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://localhost:{self.port}/ws/"

    def command(self) -> list[str]:
        address = ["-b", "127.0.0.1", "-p", str(self.port)]
        pings = ["--ping-interval", "25", "--ping-timeout", "10"]
        return [
            sys.executable,
            *["-m", "daphne", *address, *pings, "project.asgi:application"],
        ]

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "DATABASE_URL": database_url(),
            "DOMAIN_NAME": self.url,
            "INSECURE_COOKIES": "1",
            "PYTHONUNBUFFERED": "1",
            **self._environment,
        }

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        return False


def database_url() -> str:
    """The address of the test's database, for another process."""
    address = urlsplit(os.environ["DATABASE_URL"])
    return address._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
