"""A Chromium for the browser tests: found, or Debian's installed when root asks."""

import os
import shutil
import subprocess

from machine import Problem, say

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ["chromium", "fonts-dejavu-core"]
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


def find() -> str | None:
    """Out: the path of a Chromium; CHROMIUM names one that lies elsewhere."""
    asked = os.environ.get("CHROMIUM")
    if asked:
        return shutil.which(asked)
    paths = (shutil.which(name) for name in NAMES)
    return next(filter(None, paths), MAC if os.path.exists(MAC) else None)


def ensure() -> str:
    """Out: the path of a Chromium. Raises Problem with what to install."""
    path = find()
    if path is None and os.geteuid() == 0 and shutil.which("apt-get"):
        say("Chromium: installing Debian's package; a minute or two.")
        if not _install():
            subprocess.run(["apt-get", "update", "-q"], capture_output=True)
            _install()
        path = find()
    if path is None:
        raise Problem(
            "The browser tests need Chromium: apt-get install chromium (or set"
            " CHROMIUM to the path of one)."
        )
    return path


def _install() -> bool:
    """Out: whether apt-get was content."""
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES]
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        say(f"  apt-get: {done.stdout.strip().splitlines()[-1]}")
    return done.returncode == 0
