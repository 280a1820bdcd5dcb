"""The file `env` of an instance: the settings of its shop. settings.py reads it too."""

import os
import re
from pathlib import Path

import install


def sources() -> list[Path]:
    """Return the files that hold the shop's settings."""
    packages = ("project", "products", "users", "realtime")
    files = ((install.ROOT / name).rglob("*settings.py") for name in packages)
    return sorted(path for paths in files for path in paths)


def settings_of(env: dict[str, str]) -> dict[str, str]:
    """Return the variables among `env` that the shop's settings read."""
    source = "\n".join(path.read_text() for path in sources())
    names = set(re.findall(r"\benv(?:\.\w+)?\(\s*\"([A-Z][A-Z0-9_]*)\"", source))
    return {name: env[name] for name in sorted(names & env.keys())}


def write(path: Path, values: dict[str, str]) -> None:
    """Write the file at once; only its owner can read it. Values with a line break are
    left out, because a line break ends a value."""
    lines = [
        f"{name}={_quoted(value)}\n"
        for name, value in values.items()
        if "\n" not in value and "\r" not in value
    ]
    half = path.with_name("env.half")
    half.touch(mode=0o600)
    half.chmod(0o600)
    half.write_text("".join(lines))
    os.replace(half, path)


def read(path: Path) -> dict[str, str]:
    """Return the values of the file, or none if there is no file."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.partition("=") for line in lines)
    return {name: _unquoted(value) for name, _, value in pairs}


def _quoted(value: str) -> str:
    """Quote a value that starts with a quote: django-environ removes the outer quotes
    and resolves escapes."""
    if value[:1] not in ("'", '"'):
        return value
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


def _unquoted(value: str) -> str:
    if value[:1] != '"':
        return value
    return re.sub(r"\\(.)", r"\1", value[1:-1])
