"""A Chromium for the browser tests: found, or Debian's installed when root asks."""

import os
import shutil
import subprocess

from machine import Problem, say

CHROMIUM, SHELL, FONT = "chromium", "chromium-headless-shell", "fonts-dejavu-core"
NAMES = (CHROMIUM, "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_S = 300  # for Debian's servers
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


def find() -> str | None:
    """Out: the path of a Chromium; CHROMIUM names one that lies elsewhere."""
    asked = os.environ.get("CHROMIUM")
    if asked:
        return shutil.which(asked)
    paths = (shutil.which(name) for name in NAMES)
    return next(filter(None, paths), MAC if os.path.exists(MAC) else None)


def find_shell() -> str | None:
    """Out: the path of the same browser without its windows and services, which takes
    half the time, or else what `find` gives."""
    if os.environ.get("CHROMIUM"):
        return find()
    return shutil.which(SHELL) or find()


def ensure() -> None:
    """Install what is missing, if root asks. Raises Problem with what to install, if
    there is no Chromium then."""
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
    """From the lists of packages that there are, or else from new ones."""
    say(f"Installing Debian's {' and '.join(packages)}; a minute or two.")
    install = ["install", "-y", "-q", "--no-install-recommends", *packages]
    if not _apt(*install):
        return
    _apt("update", "-q")
    if complaint := _apt(*install):
        say(f"  apt-get: {complaint}")


def _apt(*command: str) -> str:
    """Out: its last line if it fails, else nothing."""
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
        return f"nothing in {PATIENCE_S} s"
    lines = done.stdout.strip().splitlines() or ["no word"]
    return lines[-1] if done.returncode else ""
