"""Copies of the rules by which baskets are priced, in the memory of each process.

A copy is valid for one version of the rules. The database gives them a new version with
each change (`RulesVersion`), and every request reads it, so a change holds at once in
all processes. Read the version before the rules: a copy may then be newer than its
version, and is only read once more. It is never older.
"""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from django.db import connection

T = TypeVar("T")

VERSION = "SELECT version::text FROM products_rulesversion"
MOST = 1000  # copies: of rates there is one for each country, day and language


def current_version() -> str | None:
    """Return the version of the rules, or None if there were never any. One query."""
    with connection.cursor() as cursor:
        cursor.execute(VERSION)
        row = cursor.fetchone()
    return row[0] if row else None


class Copies(Generic[T]):
    """What was read of the rules, by any key."""

    def __init__(self) -> None:
        self._kept: tuple[str | None, dict[Hashable, T]] = (None, {})

    def get(self, version: str | None, key: Hashable, read: Callable[[], T]) -> T:
        """Return the copy for a version of the rules, or what `read()` returns now."""
        if version is None:
            return read()
        kept_version, copies = self._kept
        if kept_version != version or len(copies) >= MOST:
            copies = {}
            self._kept = (version, copies)
        if key not in copies:
            copies[key] = read()
        return copies[key]
