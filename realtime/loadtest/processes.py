"""Which processes of a shop tell how they do, and at which addresses.

A proxy lets nobody in to `/metrics`, so the processes behind it are asked themselves:
those that `--metrics` names, or those of the `make run` on this machine, which notes
the Unix sockets of its own.
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
    """A process's address without a path, from what a person says. Raises `ValueError`
    for what is none."""
    if text.startswith(UNIX):
        if not text.removeprefix(UNIX).startswith("/"):
            raise ValueError(f"{text!r}: say where the Unix socket is from the root")
        return text
    said = urlsplit(text)
    has_path = said.path not in ("", "/", "/metrics") or said.query or said.fragment
    if said.scheme not in SCHEMES or not said.hostname or has_path:
        raise ValueError(
            f"{text!r} is not of the form http://HOST:PORT/metrics or unix:/PATH"
        )
    return f"{said.scheme}://{said.netloc}"


def named(addresses: Iterable[str]) -> dict[str, str]:
    """Addresses by short names: that of the Unix socket's file, or host and port.
    Raises `ValueError` if two have the same."""
    found: dict[str, str] = {}
    for each in addresses:
        name = Path(each).name if each.startswith(UNIX) else urlsplit(each).netloc
        if name in found:
            raise ValueError(f"--metrics names {name} twice")
        found[name] = each
    return found


def of_make_run(url: str) -> list[str]:
    """The addresses of the processes of the shop at `url`, an address of this machine,
    if `make run` started them behind nginx in this folder."""
    local = Path(os.environ.get("SHOP_LOCAL_DIR") or ROOT / ".local")
    try:
        note = json.loads((local / "run.json").read_text())
    except (OSError, ValueError):
        return []  # none runs, or none that we may look at
    if target(note["url"])[1] != target(url)[1]:
        return []
    return [f"{UNIX}{path}" for path in note.get("sockets", ()) if Path(path).exists()]
