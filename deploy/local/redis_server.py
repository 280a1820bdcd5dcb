"""One Redis on a Unix socket."""

import subprocess
from pathlib import Path

import redis_program
from folders import make_private
from machine import Problem, alive, connects, end, tail, wait_until


class Redis:
    """One Redis. `local` is the instance's folder and `sockets` the folder of its
    socket. If it is not `durable`, it keeps nothing on disk."""

    label = "Redis"

    def __init__(self, local: Path, sockets: Path, durable: bool) -> None:
        self.home, self.socket = local / "redis", sockets / "redis.sock"
        self.durable = durable

    @property
    def url(self) -> str:
        return f"unix://{self.socket}?db=0"

    @property
    def pid(self) -> int:
        """The process that serves our socket; 0 if none does."""
        try:
            pid = int((self.home / "pid").read_text())
        except (OSError, ValueError):
            return 0
        # The command line of Redis shows the socket it listens on.
        return pid if alive(pid, str(self.socket)) else 0

    @property
    def answers(self) -> bool:
        return bool(self.pid) and connects(self.socket, b"PING\r\n", b"+PONG")

    def start(self) -> None:
        """Start it and wait until it answers. Raises Problem with the log's end."""
        program = redis_program.find()
        if program is None:
            raise Problem(redis_program.MISSING)
        make_private(self.home)  # it holds sessions
        self.socket.unlink(missing_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "daemonize": "yes",
            "dir": str(self.home),
            "pidfile": str(self.home / "pid"),
            "logfile": str(self.home / "server.log"),
            # It holds waiting tasks. With this file a crash loses one second.
            "appendonly": "yes" if self.durable else "no",
            "save": "",
        }
        words = [
            word for name, value in options.items() for word in (f"--{name}", value)
        ]
        subprocess.run([program, *words], stdin=subprocess.DEVNULL, capture_output=True)
        if not wait_until(lambda: self.answers, 20):
            raise Problem(f"Redis did not start: {tail(self.home / 'server.log')}")

    def stop(self) -> None:
        if self.pid:
            end(self.pid)
