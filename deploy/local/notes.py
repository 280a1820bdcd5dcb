"""The note that a running shop keeps of its processes, should it be killed."""

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
    """Write the note. `named` are those of the processes that a person knows by name,
    `sockets` the Unix sockets where servers behind a proxy can be asked for their
    numbers. Returns whether it could: a full disk must stop nobody."""
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
    """Out: what the last run said, or nothing at all when it ended well."""
    try:
        return json.loads(note.read_text())
    except (OSError, ValueError):
        return {}


def end_left_overs(note: Path) -> int:
    """Ends what a killed run left behind. In: its note. Out: how many processes.

    Each must have started when the note says, or its number is somebody else's now.
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
    """To the whole group where the process leads one, as honcho's children do."""
    try:
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        elif number == signal.SIGKILL:  # honcho's own go when their child has gone
            os.kill(pid, number)
    except ProcessLookupError:
        pass
