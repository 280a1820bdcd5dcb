"""The account that runs PostgreSQL, and commands that are run as an account."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from machine import Problem

ACCOUNT = "shop-postgres"


def account() -> int:
    """Return the user id that runs PostgreSQL, which refuses to run as root.

    For root this is an account that can do nothing else, or `nobody` where no account
    can be created. Any other user runs PostgreSQL under their own account.
    """
    if os.geteuid() != 0:
        return os.geteuid()
    for name in (ACCOUNT, "", ACCOUNT, "nobody"):
        with contextlib.suppress(KeyError):
            if name:
                return pwd.getpwnam(name).pw_uid
            _make_account()
    raise Problem(
        "PostgreSQL refuses to run as root, and there is no other account to take."
        " Run as an ordinary user, or set DATABASE_URL."
    )


def _make_account() -> None:
    if shutil.which("useradd"):
        command = ["useradd", "--system", "--user-group", "--no-create-home"]
        command += ["--home-dir", "/nonexistent", "--shell", "/bin/false", ACCOUNT]
        subprocess.run(command, capture_output=True)


def group(uid: int) -> int:
    """Return the group of an account."""
    return pwd.getpwuid(uid).pw_gid


def may_enter(folder: Path, uid: int) -> bool:
    """Return whether the account can enter an existing folder. This tries it."""
    return run_as(uid, ["sh", "-c", 'cd "$1"', "sh", str(folder)]).returncode == 0


def run_as(
    uid: int, command: list[str], *, start_new_session: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command as an account. `stdout` of the result has all that it printed.

    The output goes through a file: a server in the background would keep a pipe open.
    """
    who = {} if uid == os.geteuid() else {"user": uid, "group": group(uid)}
    who |= {"extra_groups": []} if who else {}
    # In English, and without the caller's PG… variables.
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    with tempfile.TemporaryFile("w+") as out:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=env,
            start_new_session=start_new_session,
            **who,  # type: ignore[call-overload]
        )
        out.seek(0)
        return subprocess.CompletedProcess(command, done.returncode, out.read())
