"""The database that takes writes, with what our backend adds to Django's."""

from django.db import DEFAULT_DB_ALIAS, connections

from project.postgresql.base import DatabaseWrapper


def primary() -> DatabaseWrapper:
    """Return this thread's connection."""
    connection = connections[DEFAULT_DB_ALIAS]
    assert isinstance(connection, DatabaseWrapper)
    return connection
