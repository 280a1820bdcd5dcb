#!/usr/bin/env python3
"""Runs the shop, or one of its commands, with its own PostgreSQL and Redis.

    up.py run                 everything in one terminal         (make run)
    up.py exec CMD …          one command with the servers       (make shell, make test)
    up.py restart SERVER      restarts postgres or redis under a running shop
    up.py status | stop       shows or stops what is running here
    up.py install | clean     only .venv; or removes .venv and .local

`--test` uses separate servers under .local/test, which are fast and not durable.
`--here` uses the Python that runs this file and installs nothing. Any Python 3 must be
able to read this file: it tells old versions that they are too old.
"""

import sys

OLDEST, NEWEST = (3, 11), (3, 14)


def other_python():
    """Return the path of a Python in the supported range, or None."""
    import shutil
    import subprocess

    for minor in (12, 13, 14, 11):
        path = shutil.which("python3.%d" % minor)
        # A version manager may put names on the PATH that run nothing.
        if path and subprocess.call([path, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            return path
    return None


def refuse():
    """Continue with a supported Python if there is one, else exit with a message."""
    import os

    mine = "%d.%d" % sys.version_info[:2]
    path = other_python()
    if path and not os.environ.get("SHOP_HANDED_OVER"):
        os.environ["SHOP_HANDED_OVER"] = "1"
        print("Python %s is not supported. Using %s." % (mine, path), flush=True)
        os.execv(path, [path] + sys.argv)
    sys.exit(
        "The shop needs Python 3.11 to 3.14; this one is %s. "
        "Choose another with: make run PYTHON=python3.12" % mine
    )


if __name__ == "__main__":
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        refuse()
    import commands

    sys.exit(commands.main())
