"""Finds a Chromium for the browser tests. For root, it installs Debian's."""

import os
import shutil
import subprocess

from machine import Problem, say

CHROMIUM, SHELL, FONT = "chromium", "chromium-headless-shell", "fonts-dejavu-core"
NAMES = (CHROMIUM, "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_S = 300  # for Debian's servers
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


def find() -> str | None:
    """Return the path of a Chromium, or None. The variable CHROMIUM comes first."""
    chosen = os.environ.get("CHROMIUM")
    if chosen:
        return shutil.which(chosen)
    paths = (shutil.which(name) for name in NAMES)
    return next(filter(None, paths), MAC if os.path.exists(MAC) else None)


def find_shell() -> str | None:
    """Return the path of the headless browser, which takes half the time, or else what
    `find` returns."""
    if os.environ.get("CHROMIUM"):
        return find()
    return shutil.which(SHELL) or find()


def ensure() -> None:
    """For root, install missing packages. Raises Problem with instructions if there is
    still no Chromium."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        if find() is None:
            _install(CHROMIUM, FONT)
        if find_shell() == find() and not os.environ.get("CHROMIUM"):
            _install(SHELL)
    if find() is None:
        raise Problem(
            "The browser tests need Chromium: apt-get install chromium (or set"
            " CHROMIUM to the path of one)."
        )
    if find_shell() == find():
        say(f"The browser tests take half as long again without {SHELL}.")


def _install(*packages: str) -> None:
    """Install packages. If that fails, update the package lists and try again."""
    say(f"Installing Debian's {' and '.join(packages)}; a minute or two.")
    install = ["install", "-y", "-q", "--no-install-recommends", *packages]
    if not _apt(*install):
        return
    _apt("update", "-q")
    if complaint := _apt(*install):
        say(f"  apt-get: {complaint}")


def _apt(*command: str) -> str:
    """Run apt-get. Return its last line if it fails, else ""."""
    try:
        done = subprocess.run(
            ["apt-get", *command],
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S,
        )
    except subprocess.TimeoutExpired:
        return f"no result within {PATIENCE_S} s"
    lines = done.stdout.strip().splitlines() or ["no message"]
    return lines[-1] if done.returncode else ""
