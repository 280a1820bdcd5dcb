"""A file that lists the processes of a running shop, in case it is killed."""

import json
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from machine import alive, started, wait_until


def write_note(
    note: Path,
    url: str,
    pids: list[int],
    named: dict[str, int] | None = None,
    sockets: Iterable[Path] = (),
) -> bool:
    """Write the file. Return whether that worked: the shop also runs on a full disk.

    `named` are the processes that `make status` lists. `sockets` are the Unix sockets
    of servers behind a proxy, which give their metrics there.
    """
    processes = [[pid, started(pid)] for pid in pids]
    said = {"pid": os.getpid(), "url": url, "processes": processes}
    said["named"] = named or {}
    said["sockets"] = [str(path) for path in sockets]
    half = note.with_suffix(".half")
    try:
        half.write_text(json.dumps(said | {"python": sys.executable}))
        half.replace(note)
    except OSError:
        return False
    return True


def read_note(note: Path) -> dict:
    """Return the note of the running shop, or of one that was killed; else {}."""
    try:
        return json.loads(note.read_text())
    except (OSError, ValueError):
        return {}


def end_left_overs(note: Path) -> int:
    """End the processes that a killed run has left behind. Return how many there were.

    A process with another start time than the note's is not ours: ids are used again.
    """
    said = read_note(note)
    if not said:
        return 0
    ours = [pid for pid, start in said["processes"] if start and started(pid) == start]
    ours = [pid for pid in ours if _is_ours(pid, said["python"])]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in ours:
            _signal(pid, number)
        if wait_until(lambda: not any(map(alive, ours)), 5):
            break
    note.unlink(missing_ok=True)
    return len(ours)


def _is_ours(pid: int, python: str) -> bool:
    words = (python, "project.asgi", "-A project", "manage.py", "up.py")
    return any(alive(pid, word) for word in words)


def _signal(pid: int, number: int) -> None:
    """Signal the process, and its group if it leads one, as honcho's children do."""
    try:
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        elif number == signal.SIGKILL:  # honcho's own processes end with their child
            os.kill(pid, number)
    except ProcessLookupError:
        pass
