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
    """Create a folder that only its owner may enter, whatever the umask. If the folder
    exists, restrict it. Raises Problem if it belongs to another account."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        folder.chmod(0o700)
    except PermissionError:
        raise Problem(f"{folder} belongs to another account; remove it.") from None


def key(local: Path) -> str:
    """Return a short name for an instance's folder that no other folder has."""
    return hashlib.sha256(os.fsencode(local.resolve())).hexdigest()[:12]


def socket_folder(local: Path, uid: int, runtime: str = "") -> Path:
    """Return the folder of an instance's sockets. Its path is short and needs no
    quoting.

    `uid` is the account that must reach it, `runtime` the user's runtime folder. It is
    usually .local/run. If that path is too long, or the account cannot enter it, the
    folder is elsewhere and named after the checkout's hash.
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
    """Return a folder outside the instance's own that no other instance uses. Its path
    needs no quoting."""
    if os.geteuid() == 0:
        return Path("/run" if os.path.isdir("/run") else "/tmp") / f"shop-{key(local)}"
    if runtime and os.access(runtime, os.W_OK) and len(runtime) < 60:
        return Path(runtime) / f"shop-{key(local)}"
    return Path("/tmp") / f"shop-{os.getuid()}-{key(local)}"


def programs_folder(local: Path) -> Path:
    """Return the folder for copies of PostgreSQL's programs. Its path needs no
    quoting."""
    if os.geteuid() == 0:
        return Path("/var/lib") / f"shop-{key(local)}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parent = cache if is_plain(cache) and cache.is_absolute() else Path("/tmp")
    return parent / f"shop-programs-{os.getuid()}-{key(local)}"
