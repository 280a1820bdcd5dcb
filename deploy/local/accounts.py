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
    """Who runs PostgreSQL, which refuses root. Out: a user id.

    Anyone else runs it as himself. Root gets an account that can do nothing else,
    or nobody's where no account can be made.
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
    """In: an account. Out: its group."""
    return pwd.getpwuid(uid).pw_gid


def may_enter(folder: Path, uid: int) -> bool:
    """Whether that account can walk down to an existing folder: asked, not guessed."""
    return run_as(uid, ["sh", "-c", 'cd "$1"', "sh", str(folder)]).returncode == 0


def run_as(
    uid: int, command: list[str], *, start_new_session: bool = False
) -> subprocess.CompletedProcess[str]:
    """Runs a command as an account. Out: its end; stdout holds all that it printed.

    The output goes through a file: a server that is left behind would keep a pipe open.
    """
    who = {} if uid == os.geteuid() else {"user": uid, "group": group(uid)}
    who |= {"extra_groups": []} if who else {}
    # In English, and without the PG… variables of whoever calls.
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
