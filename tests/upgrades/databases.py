"""Databases that are made, saved, restored and compared."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import unified_diff
from urllib.parse import urlsplit


@contextmanager
def new_database(server: str, name: str) -> Iterator[str]:
    """Create an empty database beside the one at `server`. Give its address."""
    drop = f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'
    psql(server, drop)
    psql(server, f'CREATE DATABASE "{name}"')
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        psql(server, drop)


def psql(url: str, script: str) -> str:
    """Run SQL; return what it prints. Raises `CalledProcessError` at an error."""
    words = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]
    command = ["psql", *words, "--set=ON_ERROR_STOP=1", url]
    done = subprocess.run(
        command, check=True, input=script, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.strip()


def pg_dump(url: str, *words: str) -> str:
    """Return a database as a script that anybody can restore."""
    command = ["pg_dump", "--no-owner", "--no-privileges", *words, url]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    # Newer programs set what older servers do not know, and add a random word.
    unknown = ("\\restrict ", "\\unrestrict ", "SET transaction_timeout ")
    lines = done.stdout.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(unknown))


def schema_of(url: str) -> list[str]:
    """Return the statements that make the tables, without comments."""
    script = pg_dump(url, "--schema-only")
    return [line for line in script.splitlines() if line and line[:2] != "--"]


def differences(one: str, other: str) -> list[str]:
    """Return how the tables of two databases differ."""
    return list(unified_diff(schema_of(one), schema_of(other), "one", "other", n=1))
