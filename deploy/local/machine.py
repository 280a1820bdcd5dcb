"""The operating system: processes, locks, sockets, ports and output."""

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
    """A problem that a person can fix. Its text is shown as it is."""


def say(text: str) -> None:
    """Print a line without buffering. A closed output is not an error."""
    try:
        print(text, flush=True)
    except OSError:
        sys.stdout = open(os.devnull, "w")  # for the rest of the run


# --- Processes --------------------------------------------------------------------


def started(pid: int) -> str:
    """Return the start time of a process as the system writes it, or "" if it has
    ended.

    Ids are used again; an id and a start time together identify a process.
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
    """Return the command line of a process, or "" if it has ended."""
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
    """Return whether the process runs, zombies excluded, with `word` in its command."""
    return bool(started(pid)) and word in command_line(pid)


def exists(pid: int) -> bool:
    """Return whether the process exists, zombies included."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def wait_until(true: Callable[[], bool], seconds: float) -> bool:
    """Wait until `true()` for at most `seconds`. Return whether it came true."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def end(pid: int, first: int = signal.SIGTERM, seconds: float = 8) -> None:
    """End a process with the signal `first`, and kill it after `seconds`. A process
    that has ended is not an error."""
    for number in (first, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        if wait_until(lambda: not started(pid), seconds):
            return


def package_folder(name: str) -> Path | None:
    """Return the folder of an installed package, without importing it, or None."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def connects(path: Path, ask: bytes = b"", answer: bytes = b"") -> bool:
    """Return whether something listens on the socket and, if `ask` is sent, replies
    with a text that starts with `answer`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(2)
        try:
            client.connect(str(path))
            client.sendall(ask)
            return not ask or client.recv(64).startswith(answer)
        except OSError:
            return False


def tail(path: Path, lines: int = 5) -> str:
    """Return the last lines of a log, and its path."""
    try:
        end = path.read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        end = []
    return "\n".join([*end, f"(the whole log: {path})"])


# --- Locks ------------------------------------------------------------------------

# The layout of `struct flock`, and the positions of its type and pid.
if sys.platform == "darwin":
    FLOCK, TYPE, PID = "@qqihh", 3, 2
else:
    FLOCK, TYPE, PID = "@hhqqi", 0, 4


class Lock:
    """A lock file between processes, released by the system when its holder dies.

    These are record locks (lockf), not flock: a forked child does not inherit them, so
    processes that a killed run left behind do not look like a running shop.
    """

    file = -1  # until the file is open

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if os.fstat(self.file).st_uid == os.geteuid():
            os.fchmod(self.file, 0o600)  # whatever the umask

    def __del__(self) -> None:
        if self.file >= 0:
            os.close(self.file)

    def take(self, *, shared: bool = False, wait: bool = False) -> bool:
        """Take the lock. Return whether it is held now; with `wait` it always is."""
        how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.lockf(self.file, how if wait else how | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def holder(self) -> int:
        """Return the process that holds the lock, or 0 if none does.

        The system knows this, so it works on a full disk too.
        """
        query = [0] * 5
        query[TYPE] = fcntl.F_WRLCK
        packed = struct.pack(FLOCK, *query)
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
    """Return whether a server could listen there now. Raises Problem if the host is not
    an address of this machine."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise Problem(
            f"HOST={host} is not an address of this machine ({error})."
        ) from None
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except PermissionError:
            raise Problem(
                f"Only root may use port {port}. Choose another: make run PORT=8080"
            ) from None
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise Problem(
                    f"HOST={host} is not an address of this machine."
                ) from None
            return False
    return True


def asked_address() -> tuple[str, int]:
    """Return HOST and PORT of the environment. Raises Problem if PORT is not a port."""
    text = os.environ.get("PORT") or "8000"
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise Problem(f"PORT={text} is not a port. Try: make run PORT=8001")
    return os.environ.get("HOST") or "127.0.0.1", int(text)


def address_of(env: dict[str, str]) -> tuple[str, int]:
    """Return the address at which a server with this HOST and PORT can be reached from
    this machine."""
    near = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    return near.get(env["HOST"], env["HOST"]), int(env["PORT"])


def url_of(host: str, port: int) -> str:
    """Return the address to open in a browser on this machine."""
    if host in ("127.0.0.1", "0.0.0.0", "::", "::1", ""):
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def names_of_this_machine() -> list[str]:
    """Return the names and addresses of this machine in the local network."""
    names = [socket.gethostname()]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a datagram socket: this sends nothing
            names.append(probe.getsockname()[0])
        except OSError:
            pass
    return names
