"""The server processes of a shop, and the addresses of their `/metrics`.

A proxy refuses `/metrics`, so the processes behind it are asked directly: those that
`--metrics` names, or those of a `make run` on this machine, which writes down their
Unix sockets.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from realtime.loadtest.visit import UNIX, target

ROOT = Path(__file__).resolve().parent.parent.parent
SCHEMES = ("http", "https")


def address(text: str) -> str:
    """Return a process's address without a path. Raises `ValueError` if `text` is not
    an address."""
    if text.startswith(UNIX):
        if not text.removeprefix(UNIX).startswith("/"):
            raise ValueError(f"{text!r}: write the whole path of the Unix socket")
        return text
    parts = urlsplit(text)
    has_path = parts.path not in ("", "/", "/metrics") or parts.query or parts.fragment
    if parts.scheme not in SCHEMES or not parts.hostname or has_path:
        raise ValueError(
            f"{text!r} is not of the form http://HOST:PORT/metrics or unix:/PATH"
        )
    return f"{parts.scheme}://{parts.netloc}"


def named(addresses: Iterable[str]) -> dict[str, str]:
    """Return the addresses by their short names: the file of a Unix socket, or host and
    port. Raises `ValueError` if two have the same name."""
    by_name: dict[str, str] = {}
    for each in addresses:
        name = Path(each).name if each.startswith(UNIX) else urlsplit(each).netloc
        if name in by_name:
            raise ValueError(f"--metrics names {name} twice")
        by_name[name] = each
    return by_name


def of_make_run(url: str) -> list[str]:
    """Return the addresses of the shop's processes, if `make run` in this folder
    started them behind nginx."""
    local = Path(os.environ.get("SHOP_LOCAL_DIR") or ROOT / ".local")
    try:
        note = json.loads((local / "run.json").read_text())
    except (OSError, ValueError):
        return []  # there is none, or we may not read it
    if target(note["url"])[1] != target(url)[1]:
        return []
    return [f"{UNIX}{path}" for path in note.get("sockets", ()) if Path(path).exists()]
