"""A PgBouncer in transaction mode, if the program is installed.

It keeps so few sessions that those who share it meet each other's.
"""

import os
import pwd
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from accounts import account

from tests.support.servers import Process

PORT = 6432
SESSIONS = 4  # of PostgreSQL


class PgBouncer(Process):
    """On a Unix socket, in front of the PostgreSQL whose socket is in `server`."""

    def __init__(self, folder: Path, server: str) -> None:
        super().__init__(folder / "pgbouncer.log")
        self.folder = folder
        self._settings = folder / "pgbouncer.ini"
        self.point_at(server)

    def point_at(self, server: str) -> None:
        """Lead to that server, from the next start or `follow()` on."""
        settings = {
            "pool_mode": "transaction",
            "default_pool_size": SESSIONS,
            "unix_socket_dir": self.folder,
            "listen_port": PORT,
            "auth_type": "any",  # anyone who reaches the socket, as for the server
        }
        if os.geteuid() == 0:  # which it refuses to run as
            settings["user"] = pwd.getpwuid(account()).pw_name
        lines = [f"{name} = {value}" for name, value in settings.items()]
        databases = f"[databases]\n* = host={server} user=postgres"
        self._settings.write_text("\n".join([databases, "[pgbouncer]", *lines, ""]))

    def follow(self, server: str) -> None:
        """Lead to another server from now on; who is connected stays so."""
        self.point_at(server)
        self.tell(signal.SIGHUP)

    def url(self, name: str) -> str:
        """The address of a database, for the shop."""
        where = f"host={quote(str(self.folder))}&port={PORT}"
        return f"postgres://postgres@/{name}?{where}&pool_mode=transaction"

    def command(self) -> list[str]:
        return ["pgbouncer", str(self._settings)]

    def is_ready(self) -> bool:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(self.folder / f".s.PGSQL.{PORT}"))
            return True
        return False


@contextmanager
def running(server: str) -> Iterator[PgBouncer]:
    # Not in pytest's folder, which is closed to the account that runs it.
    folder = Path(tempfile.mkdtemp(prefix="shop-"))
    folder.chmod(0o755)
    shutil.chown(folder, account())
    pooler = PgBouncer(folder, server)
    try:
        pooler.start()
        yield pooler
    finally:
        pooler.stop()
        shutil.rmtree(folder)
