"""Where an instance's sockets and programs lie, outside its own folder if need be."""

import hashlib
import os
import re
from pathlib import Path

from accounts import may_enter
from machine import Problem

# A socket's path has 107 bytes on Linux and 103 on macOS; the longest name put
# there is ".s.PGSQL.5432.lock".
LONGEST_FOLDER = 103 - len("/.s.PGSQL.5432")


def make_private(folder: Path) -> None:
    """Make a folder that its owner alone may enter, or an old one so, whatever the
    umask. Raises Problem if it is somebody else's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        folder.chmod(0o700)
    except PermissionError:
        raise Problem(f"{folder} belongs to somebody else; remove it.") from None


def key(local: Path) -> str:
    """In: an instance's folder. Out: a short name that no other folder has."""
    return hashlib.sha256(os.fsencode(local.resolve())).hexdigest()[:12]


def socket_folder(local: Path, uid: int, runtime: str = "") -> Path:
    """Where the sockets go. In: the instance's folder, who must reach it, and the
    user's runtime folder. Out: a path that is short and needs no quoting anywhere.

    Usually .local/run; for a deep checkout, or one that PostgreSQL's account cannot
    enter, a folder named after the checkout's hash.
    """
    near = local.resolve() / "run"
    fits = is_plain(near) and len(str(near)) <= LONGEST_FOLDER
    if fits and may_enter(local, uid):
        return near
    return outside(local, runtime)


def is_plain(path: Path) -> bool:
    """Return whether the path needs no quoting anywhere."""
    return bool(re.fullmatch(r"[A-Za-z0-9._/-]+", str(path)))


def outside(local: Path, runtime: str = "") -> Path:
    """Return a plain folder, outside the instance's, that no other instance has."""
    if os.geteuid() == 0:
        return Path("/run" if os.path.isdir("/run") else "/tmp") / f"shop-{key(local)}"
    if runtime and os.access(runtime, os.W_OK) and len(runtime) < 60:
        return Path(runtime) / f"shop-{key(local)}"
    return Path("/tmp") / f"shop-{os.getuid()}-{key(local)}"


def programs_folder(local: Path) -> Path:
    """Return where copies of PostgreSQL's programs go, a path without odd names."""
    if os.geteuid() == 0:
        return Path("/var/lib") / f"shop-{key(local)}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parent = cache if is_plain(cache) and cache.is_absolute() else Path("/tmp")
    return parent / f"shop-programs-{os.getuid()}-{key(local)}"
