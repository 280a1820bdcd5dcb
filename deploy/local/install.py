"""Creates .venv and keeps it up to date, with the standard library only.

An unfinished install is never used: .venv has a marker file while packages are being
installed, and a stamp with the hash of the requirement files is written last.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from machine import Lock, Problem, say

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UNFINISHED = VENV / "unfinished"
CONSTRAINTS = ROOT / "deploy" / "constraints.txt"
RUN = [ROOT / "requirements.txt", ROOT / "deploy" / "local" / "requirements.txt"]
TESTS = [
    *RUN,
    ROOT / "tests" / "requirements.txt",
    ROOT / "deploy" / "requirements-monitoring.txt",  # which the tests' file includes
    ROOT / "deploy" / "requirements-bucket.txt",
]


def ensure(*, tests: bool = False) -> None:
    """Create or complete .venv. Raises Problem if that fails.

    If .venv is up to date, this takes a millisecond. Two installs take turns.
    """
    if _is_done(tests):
        return
    lock = Lock(ROOT / ".local" / "install.lock")
    if not lock.take():
        say("Another make is installing packages here. Waiting for it.")
        lock.take(wait=True)
    try:
        if not _is_done(tests):
            _make_venv()
            _install(tests)
    finally:
        lock.give()


def _is_done(tests: bool) -> bool:
    return _is_whole() and _read(_stamp(tests)) == _hash(tests)


def _is_whole() -> bool:
    """Return whether .venv is complete, was created here and for this Python."""
    config = _read(VENV / "pyvenv.cfg")
    made_for = re.search(r"^version\s*=\s*(\d+)\.(\d+)", config, re.M)
    right = made_for and tuple(map(int, made_for.groups())) == sys.version_info[:2]
    return (
        bool(right) and PYTHON.exists() and not UNFINISHED.exists() and _moved() == ""
    )


def _moved() -> str:
    """Return where .venv was created if it has been moved since, else ""."""
    place = _read(VENV / "made-at")
    return "" if place == str(VENV) else place or "nowhere"


def _stamp(tests: bool) -> Path:
    return VENV / ("stamp-tests" if tests else "stamp-run")


def _hash(tests: bool) -> str:
    files = [*(TESTS if tests else RUN), CONSTRAINTS]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _make_venv() -> None:
    """Create .venv unless there is a usable one."""
    if VENV.exists():
        if _is_whole():
            return
        why = (
            "unfinished"
            if UNFINISHED.exists()
            else "broken, moved or for another Python"
        )
        say(f"The last install is {why}. Creating .venv again.")
        shutil.rmtree(VENV)
    command = [sys.executable, "-m", "venv", str(VENV)]
    if not importlib.util.find_spec("ensurepip"):  # bare Debian
        if not importlib.util.find_spec("pip"):
            raise Problem(
                "This Python has neither pip nor venv. Debian: apt-get install"
                " python3-venv"
            )
        command.insert(3, "--without-pip")
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        raise Problem(
            f".venv could not be created: {done.stderr or done.stdout}".strip()
        )
    UNFINISHED.touch()
    (VENV / "made-at").write_text(str(VENV))


def pip() -> list[str]:
    """Return the command of a pip that installs into .venv, which may have no pip."""
    if (VENV / "lib").exists() and list(VENV.glob("lib/python*/site-packages/pip")):
        return [str(PYTHON), "-m", "pip"]
    return [sys.executable, "-m", "pip", "--python", str(PYTHON)]


def _install(tests: bool) -> None:
    count = len(re.findall(r"^[a-z]", CONSTRAINTS.read_text(), re.I | re.M))
    what = "shop and its tests" if tests else "shop"
    say(f"Python packages of the {what}: up to {count}, into .venv; a minute or two.")
    UNFINISHED.touch()
    begun = time.monotonic()
    words = ["--only-binary", ":all:", "-c", str(CONSTRAINTS)]
    for path in TESTS if tests else RUN:
        words += ["-r", str(path)]
    if not _install_with_uv(words):
        say("uv could not install the packages. Trying pip.")
        _run_pip([*_pip_install(), "--progress-bar", "off", *words])
    for done in {False, tests}:
        _stamp(done).write_text(_hash(done))
    UNFINISHED.unlink()
    say(f"  installed in {time.monotonic() - begun:.0f} s.")


def _pip_install() -> list[str]:
    return [*pip(), "install", "--no-input", "--disable-pip-version-check"]


def _install_with_uv(words: list[str]) -> bool:
    """Install with uv, which takes a fraction of pip's time. Returns whether it did.

    Modules are compiled here: a warning at a module's first import would fail a test.
    """
    get_uv = [*_pip_install(), "--quiet", "--only-binary", ":all:"]
    if _is_quietly_done([*get_uv, "-c", str(CONSTRAINTS), "uv"], {}):
        command = [str(VENV / "bin" / "uv"), "pip", "install", "--compile-bytecode"]
        return _is_quietly_done([*command, "--python", str(PYTHON), *words], _index())
    return False


def _index() -> dict[str, str]:
    """uv does not read pip's settings, so a package index set there is passed on."""
    command = [*pip(), "config", "get", "global.index-url"]
    done = subprocess.run(command, capture_output=True, text=True)
    url = os.environ.get("PIP_INDEX_URL") or done.stdout.strip()
    return {"UV_DEFAULT_INDEX": url} if url else {}


def _is_quietly_done(command: list[str], settings: dict[str, str]) -> bool:
    env = settings | os.environ | {"PIP_ROOT_USER_ACTION": "ignore"}
    try:
        done = subprocess.run(
            command, env=env, stdin=subprocess.DEVNULL, capture_output=True
        )
    except OSError:
        return False
    return done.returncode == 0


def _run_pip(command: list[str]) -> None:
    """Run pip and show its progress. Raises Problem with its last lines if it fails."""
    env = os.environ | {"PYTHONUNBUFFERED": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    log: list[str] = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=env,
    ) as pip:
        try:
            assert pip.stdout
            _show(log_lines(pip.stdout, log))
        except BaseException:
            pip.terminate()
            raise
    if pip.returncode:
        raise Problem(
            "\n".join(["pip failed:", *log[-12:], "Fix this, then start again."])
        )


def log_lines(lines: Iterator[str], log: list[str]) -> Iterator[str]:
    """Yield each line, and add it to the log."""
    for line in lines:
        log.append(line.rstrip())
        yield line


def _show(lines: Iterator[str]) -> None:
    """Show progress: one line that changes on a terminal, elsewhere a line for every
    ten packages."""
    live, count = sys.stdout.isatty(), 0
    for line in lines:
        match = re.match(
            r"(?:Collecting|Processing) (?:\S*/)?([\w.\[\]]+(?:-[a-z]\w*)*)", line
        )
        if match:
            count += 1
            if live:
                print(f"\r\033[K  {count:3} {match[1]}", end="", flush=True)
            elif count % 10 == 0:
                say(f"  {count} packages found")
        elif line.startswith("Installing collected packages"):
            end = "\r\033[K" if live else ""
            say(f"{end}  {count} packages found; unpacking them")
