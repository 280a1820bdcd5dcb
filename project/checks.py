"""System checks of servers and versions. An error stops `migrate` and `make run`."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections


@register(Tags.database)
def check_encoding(
    databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """A database that is not UTF-8 takes every table, and fails with the first name
    that has an accent."""
    errors: list[CheckMessage] = []
    for alias in databases or []:
        with connections[alias].cursor() as cursor:
            cursor.execute("SHOW server_encoding")
            (encoding,) = cursor.fetchone()
        if encoding != "UTF8":
            text = f"The database is in {encoding}, and the shop needs UTF-8."
            hint = (
                "Make another: CREATE DATABASE shop ENCODING 'UTF8' TEMPLATE template0."
            )
            errors.append(Error(text, hint=hint, id="project.E001"))
    return errors
