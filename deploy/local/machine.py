"""What the rest needs from the operating system: processes, locks, ports, output."""

import errno
import fcntl
import importlib.util
import os
import pwd
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


class Problem(Exception):
    """Something a person can mend; its text is the one line to show."""


def say(text: str) -> None:
    """Prints a line at once, also into a pipe; a reader who left is no error."""
    try:
        print(text, flush=True)
    except OSError:
        sys.stdout = open(os.devnull, "w")  # kept for the rest of the run


# --- Processes --------------------------------------------------------------------


def started(pid: int) -> str:
    """In: a process id. Out: when it started, in the system's own words; "" when gone.

    Together with the id it names a process for good: ids are used again.
    """
    if Path("/proc/self/stat").exists():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in "ZX" else fields[19]
    shown = _ps(pid, "stat=,lstart=").split(None, 1)
    return shown[1] if len(shown) == 2 and "Z" not in shown[0] else ""


def command_line(pid: int) -> str:
    """In: a process id. Out: its command line; "" when it is gone."""
    if Path("/proc/self/stat").exists():
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return ""
        return raw.replace(b"\0", b" ").decode(errors="replace").strip()
    return _ps(pid, "command=")


def _ps(pid: int, columns: str) -> str:
    command = ["ps", "-ww", "-o", columns, "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def alive(pid: int, word: str = "") -> bool:
    """Whether the process runs (a zombie does not) and has the word on its line."""
    return bool(started(pid)) and word in command_line(pid)


def exists(pid: int) -> bool:
    """Whether the system has the process in its books, be it dead."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def wait_until(true: Callable[[], bool], seconds: float) -> bool:
    """Asks again and again for so many seconds. Out: whether it came true."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def end(pid: int, first: int = signal.SIGTERM, seconds: float = 8) -> None:
    """Ends a process: politely, then not. One that is gone already is no error."""
    for number in (first, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        if wait_until(lambda: not started(pid), seconds):
            return


def package_folder(name: str) -> Path | None:
    """Out: the folder of an installed package, without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


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


# --- Locks ------------------------------------------------------------------------

# `struct flock` as fcntl takes and gives it: its members, and where type and pid are.
if sys.platform == "darwin":
    FLOCK, TYPE, PID = "@qqihh", 3, 2
else:
    FLOCK, TYPE, PID = "@hhqqi", 0, 4


class Lock:
    """A lock file between processes, released by the system when its holder dies.

    Record locks (lockf), not flock: a forked child does not hold them, so what a
    killed run leaves behind does not look like a running one.
    """

    file = -1  # until the file is open

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if os.fstat(self.file).st_uid == os.geteuid():
            os.fchmod(self.file, 0o600)  # whatever the umask has made of it

    def __del__(self) -> None:
        if self.file >= 0:
            os.close(self.file)

    def take(self, *, shared: bool = False, wait: bool = False) -> bool:
        """Out: whether it is held now; with wait it always is, sooner or later."""
        how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.lockf(self.file, how if wait else how | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def holder(self) -> int:
        """Return the process that holds the lock, or 0 if none does.

        The system knows it, so this works where nothing could be written down.
        """
        asked = [0] * 5
        asked[TYPE] = fcntl.F_WRLCK
        packed = struct.pack(FLOCK, *asked)
        answer = struct.unpack(FLOCK, fcntl.fcntl(self.file, fcntl.F_GETLK, packed))
        return 0 if answer[TYPE] == fcntl.F_UNLCK else answer[PID]

    def give(self) -> None:
        fcntl.lockf(self.file, fcntl.LOCK_UN)

    def __enter__(self) -> "Lock":
        self.take(wait=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.give()


# --- Processors -------------------------------------------------------------------


def processors() -> int:
    """Return how many processors this program may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# --- Users ------------------------------------------------------------------------


def user_name(uid: int) -> str:
    """Return an account's name, or its number if it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


# --- Addresses --------------------------------------------------------------------


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now. Raises Problem for a strange host."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise Problem(f"HOST={host} is no address of this machine ({error}).") from None
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except PermissionError:
            raise Problem(
                f"Port {port} is for root only. Choose another: make run PORT=8080"
            ) from None
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise Problem(f"HOST={host} is no address of this machine.") from None
            return False
    return True


def asked_address() -> tuple[str, int]:
    """Out: HOST and PORT of the environment. Raises Problem for what is no port."""
    text = os.environ.get("PORT") or "8000"
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise Problem(f"PORT={text} is no port. Try: make run PORT=8001")
    return os.environ.get("HOST") or "127.0.0.1", int(text)


def address_of(env: dict[str, str]) -> tuple[str, int]:
    """Return where a server that was told HOST and PORT can be reached from here."""
    near = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    return near.get(env["HOST"], env["HOST"]), int(env["PORT"])


def url_of(host: str, port: int) -> str:
    """In: where the server listens. Out: what to type into a browser here."""
    if host in ("127.0.0.1", "0.0.0.0", "::", "::1", ""):
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def names_of_this_machine() -> list[str]:
    """Out: the names and addresses under which the local network may call it."""
    names = [socket.gethostname()]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a datagram socket: this sends nothing
            names.append(probe.getsockname()[0])
        except OSError:
            pass
    return names
