"""The Procfile's processes in one terminal, with honcho."""

import os
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
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

    def __init__(self, note: Path, url: str, lost: Callable[[], str]) -> None:
        super().__init__(Terminal(sys.stdout))
        self.note, self.url, self.lost = note, url, lost
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
        """Waits for the first page, then looks after the servers."""
        while not self.over.is_set() and not self._answers():
            self.over.wait(0.25)
        while not self.over.wait(1):
            name = self.lost()
            if name and not self.over.is_set():
                say(f"{name} died: stopping everything.")
                self.returncode = 1
                self.terminate()

    def _answers(self) -> bool:
        """Asks for the front page; once it comes, says where the shop is."""
        try:
            with urllib.request.urlopen(self.url, timeout=60):
                pass
        except urllib.error.HTTPError as error:
            say(f"The front page answers {error.code}; the lines above tell more.")
        except OSError:
            return False
        if not self.over.is_set():
            say(welcome(self.url))
        return True

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
        write_note(self.note, self.url, pids)


def welcome(url: str) -> str:
    lines = ["", f"The shop is open: {url}/", ""]
    for name in ("shopper", "staff", "admin"):
        lines.append(f"  {name:10}{name}-demo-pass")
    return "\n".join([*lines, "", "Ctrl-C stops everything.", ""])
