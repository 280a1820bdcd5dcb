"""The Procfile's processes in one terminal, with honcho."""

import json
import os
import sys
import threading
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from honcho.environ import parse_procfile
from honcho.manager import Manager
from honcho.printer import Message, Printer
from machine import say
from notes import write_note


class Terminal(Printer):
    """Honcho's printer, which outlives its terminal: a closed one ends the shop by a
    signal, and the processes must still be stopped after it."""

    def write(self, message: Message) -> None:
        try:
            super().write(message)
        except OSError:
            self.output = open(os.devnull, "w")  # for the rest


class Shop(Manager):
    """Honcho's manager, which also keeps a note of what it started, watches the
    servers, says when the shop answers, and is quiet about the rest."""

    def __init__(
        self,
        note: Path,
        url: str,
        address: tuple[str, int],
        lost: Callable[[], str],
    ) -> None:
        super().__init__(Terminal(sys.stdout))
        self.note, self.url, self.address, self.lost = note, url, address, lost
        self.is_noted = True
        self.over = threading.Event()
        self.watcher = threading.Thread(target=self._watch, daemon=True)

    def load(self, procfile: Path, env: dict[str, str]) -> None:
        for name, command in parse_procfile(procfile.read_text()).processes.items():
            self.add_process(name, command, env=env, cwd=os.getcwd())

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
        """Wait until the shop is ready, then look after the servers."""
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
        """Return whether our own server says that it can serve pages: another program
        on the port may answer anything."""
        host, port = self.address
        asked = HTTPConnection(host, port, timeout=10)
        try:
            asked.request("GET", "/readyz", headers={"Host": "localhost"})
            answer = asked.getresponse()
            return answer.status == 200 and self._is_web(json.loads(answer.read()))
        except (OSError, HTTPException, ValueError):
            return False
        finally:
            asked.close()

    def _is_web(self, said: object) -> bool:
        """Return whether the process that answered belongs to the server's group."""
        try:
            return os.getpgid(said["process"]) == self._processes["web"]["pid"]
        except (KeyError, TypeError, OSError):
            return False

    def _system_print(self, data: str) -> None:
        """Honcho's own lines: kept are a death that nobody asked for, and the end."""
        self._write_note()
        if data.endswith("received\n"):
            say("\nStopping…")
        elif "stopped (rc=" in data and not self._terminating:
            name, code = data.split()[0], int(data.partition("rc=")[2].rstrip(")\n"))
            how = f"was killed (signal {-code})" if code < 0 else f"ended (exit {code})"
            say(f"{name} {how}: stopping everything.")
            self.returncode = self.returncode or 1

    def _write_note(self) -> None:
        """For the next run, should this one be killed: every process and its start."""
        pids = [p["pid"] for p in self._processes.values() if p.get("pid")]
        pids += [p["process"].pid for p in self._processes.values() if "process" in p]
        was_noted = self.is_noted
        self.is_noted = write_note(self.note, self.url, pids)
        if was_noted and not self.is_noted:
            say(f"Cannot write {self.note}: is the disk full? The shop goes on.")


def welcome(url: str) -> str:
    lines = ["", f"The shop is open: {url}/", ""]
    for name in ("shopper", "staff", "admin"):
        lines.append(f"  {name:10}{name}-demo-pass")
    return "\n".join([*lines, "", "Ctrl-C stops everything.", ""])
