"""The Procfile's processes in one terminal, with honcho."""

import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import NamedTuple

import nginx
from honcho.environ import expand_processes, parse_procfile
from honcho.manager import Manager
from honcho.printer import Message, Printer
from machine import address_of, say
from notes import write_note
from servers import Servers

HERE = Path(__file__).resolve().parent


class Terminal(Printer):
    """A printer of honcho that survives its terminal. When the terminal is closed, a
    signal ends the shop, and its processes must still be stopped."""

    def write(self, message: Message) -> None:
        try:
            super().write(message)
        except OSError:
            self.output = open(os.devnull, "w")  # for the rest


Address = tuple[str, int] | Path  # a Unix socket's


class Link(HTTPConnection):
    """A connection to an address."""

    def __init__(self, address: Address) -> None:
        host, port = ("localhost", 80) if isinstance(address, Path) else address
        super().__init__(host, port, timeout=10)
        self.address = address

    def connect(self) -> None:
        if isinstance(self.address, Path):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.timeout)
            self.sock.connect(str(self.address))
        else:
            super().connect()


class Front(NamedTuple):
    """The nginx in front of the servers, and the path of the shop there."""

    address: tuple[str, int]
    path: str

    def answers(self) -> bool:
        """Return whether pages and sockets can be reached through it."""
        with response_of(self.address, f"{self.path}/robots.txt") as page:
            is_page = page.status < 500
        with response_of(self.address, f"{self.path}/ws/") as probe:
            return is_page and probe.status == HTTPStatus.UPGRADE_REQUIRED


@contextmanager
def response_of(address: Address, path: str) -> Iterator[HTTPResponse]:
    """Send a GET request from this machine, and yield the response."""
    link = Link(address)
    try:
        link.request("GET", path, headers={"Host": "localhost"})
        yield link.getresponse()
    finally:
        link.close()


class Shop(Manager):
    """A manager of honcho that keeps a note of its processes, watches the servers, says
    when the shop is ready, and prints little else."""

    def __init__(
        self,
        note: Path,
        url: str,
        servers: dict[str, Address],
        lost: Callable[[], str],
        front: Front | None = None,
    ) -> None:
        """`servers` are the names of the server processes and their addresses. `front`
        is the proxy that visitors reach, if there is one."""
        super().__init__(Terminal(sys.stdout))
        self.note, self.url, self.lost = note, url, lost
        self.servers, self.front = servers, front
        self.is_noted = True
        self.over = threading.Event()
        self.watcher = threading.Thread(target=self._watch, daemon=True)

    def load(
        self,
        procfile: Path,
        env: dict[str, str],
        counts: dict[str, int] | None = None,
        server_env: dict[str, str] | None = None,
    ) -> None:
        """Add the processes of a Procfile.

        `counts` says how many of each kind there are; they are called "pages.1",
        "pages.2". `server_env` has more variables for the servers among them.
        """
        kinds = parse_procfile(procfile.read_text()).processes
        for each in expand_processes(kinds, counts):
            kind = each.name.partition(".")[0]
            name = each.name if kind in (counts or {}) else kind
            variables = env | each.env  # its name
            if name in self.servers:
                variables |= server_env or {}
            self.add_process(name, each.cmd, env=variables, cwd=os.getcwd())

    def loop(self) -> None:
        try:
            super().loop()
        except BaseException:
            self.kill()
            raise
        finally:
            self.over.set()
            self.watcher.join(5)

    def _start(self) -> None:
        super()._start()
        self.watcher.start()  # after the forks: no thread is forked

    def terminate(self) -> None:
        self.over.set()
        super().terminate()

    def _watch(self) -> None:
        """Wait until the shop is ready, then watch the servers."""
        while not self.over.is_set() and not self._is_ready():
            self.over.wait(0.25)
        if not self.over.is_set():
            say(welcome(self.url))
        while not self.over.wait(1):
            name = self.lost()
            if name and not self.over.is_set():
                say(f"{name} died: stopping everything.")
                self.returncode = 1
                self.terminate()

    def _is_ready(self) -> bool:
        """Return whether all our servers are ready, and visitors can reach them."""
        try:
            is_ready = all(map(self._is_up, self.servers))
            return is_ready and (self.front is None or self.front.answers())
        except (OSError, HTTPException, ValueError):
            return False

    def _is_up(self, name: str) -> bool:
        """Return whether our server is ready. Another program may answer on its
        port."""
        with response_of(self.servers[name], "/readyz") as answer:
            is_ready = answer.status == HTTPStatus.OK
            return is_ready and self._is_ours(name, json.loads(answer.read()))

    def _is_ours(self, name: str, said: object) -> bool:
        """Return whether the process that answered belongs to the server's group."""
        try:
            return os.getpgid(said["process"]) == self._processes[name]["pid"]
        except (KeyError, TypeError, OSError):
            return False

    def _system_print(self, data: str) -> None:
        """Print only two kinds of honcho's lines: an unexpected death, and the end."""
        self._write_note()
        if data.endswith("received\n"):
            say("\nStopping…")
        elif "stopped (rc=" in data and not self._terminating:
            name, code = data.split()[0], int(data.partition("rc=")[2].rstrip(")\n"))
            how = f"was killed (signal {-code})" if code < 0 else f"ended (exit {code})"
            say(f"{name} {how}: stopping everything.")
            self.returncode = self.returncode or 1

    def _write_note(self) -> None:
        """Write every process and its start time, for the next run if this one is
        killed."""
        pids = [p["pid"] for p in self._processes.values() if p.get("pid")]
        pids += [p["process"].pid for p in self._processes.values() if "process" in p]
        named = {n: p["pid"] for n, p in self._processes.items() if p.get("pid")}
        was_noted = self.is_noted
        sockets = [path for path in self.servers.values() if isinstance(path, Path)]
        self.is_noted = write_note(self.note, self.url, pids, named, sockets)
        if was_noted and not self.is_noted:
            say(f"Cannot write {self.note}: is the disk full? The shop keeps running.")


def together(servers: Servers, env: dict[str, str], note: Path, count: int) -> int:
    """Run the shop until Ctrl-C, or until a process dies. Return the exit code."""
    url, address = env["DOMAIN_NAME"], address_of(env)
    program = nginx.program() if count > 1 else None
    if nginx.is_on(env.get("DEBUG", "")):
        shop = Shop(note, url, {"web": address}, servers.lost)
        shop.load(HERE / "Procfile.debug", env)
        if env.get("WEB"):
            say(f"DEBUG=1 runs one server process, so WEB={env['WEB']} has no effect.")
    elif program is None:
        if count > 1:
            say(nginx.MISSING)
        shop = Shop(note, url, {"web": address}, servers.lost)
        shop.load(HERE / "Procfile", env)
    else:
        shop = behind_nginx(servers, env, note, program, count)
    return until_the_end(shop, note)


def behind_nginx(
    servers: Servers, env: dict[str, str], note: Path, program: str, count: int
) -> Shop:
    """Return a shop with several server processes behind an nginx."""
    servers.make_socket_folder()
    folder = servers.sockets / "web"
    counts = nginx.split(count)
    front = nginx.Nginx(folder, env, counts)
    front.write()
    sockets = {name: folder / name for names in front.names.values() for name in names}
    shop = Shop(
        note,
        env["DOMAIN_NAME"],
        sockets,
        servers.lost,
        Front(address_of(env), front.path),
    )
    env = env | {"NGINX_PROGRAM": program, "NGINX_FOLDER": str(folder)}
    shop.load(HERE / "Procfile.nginx", env, counts, front.of_servers())
    return shop


def until_the_end(shop: Shop, note: Path) -> int:
    """Run all processes until Ctrl-C, or until one dies. Return the exit code."""
    # A closed terminal ends the shop as Ctrl-C does.
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    try:
        shop.loop()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        note.unlink(missing_ok=True)
    # Ctrl-C is the normal way to end the shop, not a failure.
    return 0 if shop.returncode == 130 else shop.returncode or 0


def welcome(url: str) -> str:
    lines = ["", f"The shop is open: {url}/", ""]
    for name in ("shopper", "staff", "admin"):
        lines.append(f"  {name:10}{name}-demo-pass")
    return "\n".join([*lines, "", "Ctrl-C stops everything.", ""])
