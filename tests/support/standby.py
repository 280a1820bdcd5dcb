"""Two PostgreSQL servers, one of which follows the other: a primary and a standby.

    with standby.pair() as pair, pair.written():
        serve(redis, DATABASE_URL=pair.url)
        …
        pair.fail_over()

They are made from the same wheel as the tests' own server, on Unix sockets.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg2
from accounts import account, group
from django.db import connection
from machine import alive
from postgres import Postgres

from project import server_urls
from tests.support.postgres import copy_tables
from tests.support.servers import wait_until

SOON_S = 20


class Server(Postgres):
    """One of the two."""

    def __init__(self, folder: Path) -> None:
        (folder / "run").mkdir(parents=True)
        shutil.chown(folder / "run", account())
        folder.chmod(0o755)
        super().__init__(folder, folder / "run", account(), durable=False)

    def run(self, program: str, *words: str) -> None:
        """Run a program of PostgreSQL's as the account that owns the data."""
        uid = {} if self.uid == os.geteuid() else {"user": self.uid}
        who = uid and uid | {"group": group(self.uid), "extra_groups": []}
        command = [f"{self.programs()}/{program}", *words]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, **who)
        assert done.returncode == 0, done.stderr

    def ask(self, query: str) -> list[tuple]:
        """Ask this very server, whatever role it has."""
        address = {"host": str(self.sockets), "user": "postgres", "dbname": "shop"}
        with closing(psycopg2.connect(**address)) as link:
            link.autocommit = True
            with link.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchall() if cursor.description else []

    @property
    def follows(self) -> bool:
        """Whether it is a standby."""
        return self.ask("SELECT pg_is_in_recovery()") == [(True,)]

    def set(self, name: str, value: str) -> None:
        """Change a setting of the running server."""
        self.ask(f"ALTER SYSTEM SET {name} = '{value}'")
        self.ask("SELECT pg_reload_conf()")

    def kill(self) -> None:
        """End it as a crash would, and its sessions with it."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not alive(pid, str(self.data)), "the kill", SOON_S)


class Pair:
    """`primary` takes writes, and `standby` follows it until it is promoted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.primary = Server(folder / "one")
        self.standby = Server(folder / "two")
        hosts = ",".join(str(folder / name / "run") for name in ("one", "two"))
        self.url = f"postgres://postgres@/shop?host={quote(hosts)}"

    @property
    def replica_url(self) -> str:
        """Of the standby alone."""
        return f"postgres://postgres@/shop?host={quote(str(self.standby.sockets))}"

    def start(self) -> None:
        self.primary.start()
        self.primary.set("wal_retrieve_retry_interval", "100ms")  # of both; else 5 s
        self.follow()

    def stop(self) -> None:
        for server in (self.standby, self.primary):
            server.stop()

    def catch_up(self) -> None:
        """Wait until the standby has all that was committed."""
        message = "SELECT pg_logical_emit_message(false, 'tests', 'now', true)"
        ((now,),) = self.primary.ask(message)  # writes out what came before it
        query = f"SELECT pg_last_wal_replay_lsn() >= '{now}'"
        wait_until(lambda: self.standby.ask(query) == [(True,)], "catching up", SOON_S)

    def cut(self) -> None:
        """From now on the standby hears nothing of the primary."""
        ((self._way,),) = self.standby.ask("SHOW primary_conninfo")
        self.standby.set("primary_conninfo", "")
        query = "SELECT count(*) FROM pg_stat_replication"
        wait_until(lambda: self.primary.ask(query) == [(0,)], "the cut", SOON_S)

    def mend(self) -> None:
        """After `cut()`: the standby follows again."""
        self.standby.set("primary_conninfo", self._way.replace("'", "''"))
        self.catch_up()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Meanwhile the standby hears of all that is written, and shows none of it."""
        self.standby.ask("SELECT pg_wal_replay_pause()")
        query = "SELECT pg_get_wal_replay_pause_state()"
        wait_until(lambda: self.standby.ask(query) == [("paused",)], "a hold", SOON_S)
        try:
            yield
        finally:
            self.standby.ask("SELECT pg_wal_replay_resume()")

    def promote(self) -> None:
        """Make a primary of the standby; `primary` and `standby` change places."""
        assert self.standby.ask(f"SELECT pg_promote(true, {SOON_S})") == [(True,)]
        self.primary, self.standby = self.standby, self.primary

    def fail_over(self) -> None:
        """Kill the primary, and promote the standby."""
        self.primary.kill()
        self.promote()

    def follow(self) -> None:
        """Start the standby on a copy of the primary, whatever it was before."""
        server = self.standby
        shutil.rmtree(server.home, ignore_errors=True)
        server.home.mkdir()
        shutil.chown(server.home, server.uid)
        source = ["-h", str(self.primary.sockets), "-U", "postgres"]
        options = ["-D", str(server.data), "-R", "-c", "fast", "--no-sync"]
        server.run("pg_basebackup", *source, *options)
        server.start()

    def written(self) -> AbstractContextManager[None]:
        """Meanwhile this process writes to it, as another does."""
        return writing_to(self.url)


@contextmanager
def writing_to(url: str) -> Iterator[None]:
    """Meanwhile this process uses the database at `url`."""
    before = connection.settings_dict
    connection.close()
    connection.settings_dict = before | server_urls.database(url)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict = before


@contextmanager
def pair() -> Iterator[Pair]:
    """A running pair with the shop's tables."""
    # Not in pytest's folder, which is closed to the account that runs PostgreSQL.
    folder = Path(tempfile.mkdtemp(prefix="shop-"))
    folder.chmod(0o755)
    two = Pair(folder)
    try:
        two.start()
        copy_tables(two.url)
        yield two
    finally:
        two.stop()
        shutil.rmtree(folder)
