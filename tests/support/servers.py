"""Real servers for the tests: Daphne, uvicorn and Redis as processes of their own."""

import contextlib
import itertools
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import redis_program
from django.db import connection

from tests.support import fork_server

START_S = 30

_numbers = itertools.count(1)


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

    is_leader = False  # of a process group of its own

    def __init__(self, log: Path) -> None:
        self.log = log
        self._process: subprocess.Popen | fork_server.Forked | None = None

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
        self.launch()
        wait_until(self._answers, f"{self.command()[0]} ({self.log})", START_S)

    def launch(self) -> None:
        """Start, without waiting."""
        assert self._process is None, "it runs already"
        python, *words = self.command()
        with self.log.open("ab") as log:
            if python == sys.executable:
                self._process = fork_server.launch(
                    words, self.environment(), log, is_leader=self.is_leader
                )
            else:
                self._process = subprocess.Popen(
                    [python, *words],
                    env=self.environment(),
                    stdout=log,
                    stderr=log,
                    start_new_session=self.is_leader,
                )

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.said()[-4000:]
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

    def tell(self, number: int = signal.SIGTERM) -> None:
        """Send it a signal, and go on."""
        self._process.send_signal(number)

    def ended(self, seconds: float) -> int:
        """Its exit code, once it is over. Raises `TimeoutExpired`."""
        return self._process.wait(seconds)

    def kill(self) -> None:
        """End it as a crash would."""
        self.stop(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    @contextlib.contextmanager
    def frozen(self):
        """Meanwhile it runs but answers nothing, like a machine that hangs."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def said(self, since: int = 0) -> str:
        """What it has printed, from a position that `mark` gave."""
        if not self.log.exists():
            return ""
        return self.log.read_bytes()[since:].decode(errors="replace")

    def mark(self) -> int:
        """Where its log ends now."""
        return self.log.stat().st_size if self.log.exists() else 0


class Redis(Process):
    """A Redis on a Unix socket in `folder`, keeping nothing on disk."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "redis.log")
        self.socket = folder / "redis.sock"
        self.options: list[str] = []  # more of them, at its next start

    @property
    def url(self) -> str:
        return f"unix://{self.socket}?db=0"

    def command(self) -> list[str]:
        options = ["--port", "0", "--unixsocket", str(self.socket), "--save", ""]
        options += ["--dir", str(self.socket.parent), *self.options]
        return [redis_program.find(), *options]

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2)
            probe.connect(str(self.socket))
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith(b"+PONG")
        return False


class Shop(Process):
    """The shop on the test's database, served by some ASGI server."""

    name = "shop"
    application = "project.asgi:application"
    tls: ssl.SSLContext | None = None  # what its clients need, if it speaks TLS
    path = ""  # that its addresses begin with, as "/shop"

    def __init__(self, folder: Path, redis_url: str, **environment: str) -> None:
        super().__init__(folder / f"{self.name}-{next(_numbers)}.log")
        self.port = free_port()
        self._environment = {"REDIS_URL": redis_url, **environment}

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def url(self) -> str:
        return self.origin + self.path

    @property
    def socket_url(self) -> str:
        return f"ws://localhost:{self.port}{self.path}/ws/"

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "DATABASE_URL": database_url(),
            "DOMAIN_NAME": self.url,
            "INSECURE_COOKIES": "1",
            **self._environment,
        }

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        return False


class Daphne(Shop):
    """The shop served by our Daphne, with the options of production."""

    name = "daphne"
    module = "realtime.server"
    ping_interval_s = 25

    def command(self) -> list[str]:
        pings = ["--ping-interval", str(self.ping_interval_s), "--ping-timeout", "10"]
        return [
            sys.executable,
            *["-m", self.module, *self.address(), *pings, self.application],
        ]

    def address(self) -> list[str]:
        return ["-b", "127.0.0.1", "-p", str(self.port)]


class PlainDaphne(Daphne):
    """The shop served by Daphne as it comes: no wire, no drain."""

    name = "plain"
    module = "daphne"


class Uvicorn(Shop):
    """The shop served by uvicorn, which waits for clients that do not read."""

    name = "uvicorn"

    def command(self) -> list[str]:
        address = ["--host", "127.0.0.1", "--port", str(self.port)]
        return [
            sys.executable,
            *["-m", "uvicorn", *address, "--lifespan", "off", self.application],
        ]


def database_url() -> str:
    """The address of the test's database, for another process."""
    address = urlsplit(os.environ["DATABASE_URL"])
    return address._replace(path=f"/{connection.settings_dict['NAME']}").geturl()


def collect_static(folder: Path) -> dict[str, str]:
    """Static files under their hashed names, as a shop in production needs them;
    gives the environment that makes a server find them in `folder`."""
    environment = {"STATIC_ROOT": str(folder)}
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"],
        env=os.environ | environment,
        cwd=Path(__file__).resolve().parents[2],
        check=True,
    )
    return environment
