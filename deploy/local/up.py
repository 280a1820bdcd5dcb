#!/usr/bin/env python3
"""Starts the shop, or any command of it, with a PostgreSQL and a Redis of its own.

    up.py run                 everything, in one terminal        (make run)
    up.py exec CMD …          one command with the servers up    (make shell, make test)
    up.py restart SERVER      stops and starts postgres or redis under a running shop
    up.py status | stop       what is running here; stops it
    up.py install | clean     only .venv; or removes .venv and .local

`--test` takes servers of their own under .local/test, fast and not durable.
`--here` uses the Python that runs this file and installs nothing.
This file must stay readable for any Python 3: it tells old ones that they are too old.
"""

import sys

OLDEST, NEWEST = (3, 11), (3, 14)


def other_python():
    """In: nothing. Out: the path of a Python that will do, or None."""
    import shutil
    import subprocess

    for minor in (12, 13, 14, 11):
        path = shutil.which("python3.%d" % minor)
        # A name on the PATH may be a version manager's, with nothing behind it.
        if path and subprocess.call([path, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            return path
    return None


def refuse():
    """Hands over to a Python that will do, else ends with one line."""
    import os

    mine = "%d.%d" % sys.version_info[:2]
    path = other_python()
    if path and not os.environ.get("SHOP_HANDED_OVER"):
        os.environ["SHOP_HANDED_OVER"] = "1"
        print("Python %s does not fit; taking %s." % (mine, path), flush=True)
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
