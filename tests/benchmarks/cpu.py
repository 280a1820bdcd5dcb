"""What processes have used of the processors, by the operating system's accounting."""

import contextlib
import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid: int | str) -> list[str]:
    """Fields of /proc/<pid>/stat from the third on, which is the state."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def parent_of(pid: int) -> int:
    return int(_stat(pid)[1])


def cpu_of(pid: int) -> float:
    """Seconds that a process has used so far, threads included."""
    return sum(map(int, _stat(pid)[11:13])) / TICKS


def cpu_of_family(pid: int) -> float:
    """The same with its children, those that have ended included."""
    while True:
        own = _stat(pid)[11:15]
        ticks = sum(map(int, own)) + _ticks_of_children(pid)
        if _stat(pid)[13:15] == own[2:]:  # or one ended, and was counted never or twice
            return ticks / TICKS


def _ticks_of_children(pid: int) -> int:
    ticks = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            fields = _stat(folder.name)
            if int(fields[1]) == pid:
                ticks += sum(map(int, fields[11:15]))
    return ticks
