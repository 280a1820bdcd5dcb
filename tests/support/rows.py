"""The database after a test whose rows others saw: servers, workers, threads."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import OperationalError, connection, transaction
from django.db.backends.base.creation import TEST_DATABASE_PREFIX

from products.models import RulesVersion, TaxClass, TaxRate

ATTEMPTS = 5

# What is made with the tables. Servers that go on running remember its numbers.
KEPT = {
    "django_migrations",
    ContentType._meta.db_table,
    Permission._meta.db_table,
    TaxClass._meta.db_table,
    TaxRate._meta.db_table,
    RulesVersion._meta.db_table,
}


def delete_all() -> None:
    """Leave no row but of what is made with the tables.

    In place of Django's flush: that truncates all tables, which costs 0.1 s, blocks
    whoever reads, and makes content types and permissions anew with other numbers.
    """
    assert connection.settings_dict["NAME"].startswith(TEST_DATABASE_PREFIX)
    for attempt in range(ATTEMPTS):
        try:
            return _delete_all()
        except OperationalError as error:
            # A server may be writing to some tables in another order than this.
            if attempt == ATTEMPTS - 1 or "deadlock" not in str(error):
                raise


def _delete_all() -> None:
    names = connection.introspection.table_names()
    tables = [connection.ops.quote_name(name) for name in names if name not in KEPT]
    with transaction.atomic(), connection.cursor() as cursor:
        # Until those who write have done so: their rows go too.
        cursor.execute(f"LOCK TABLE {', '.join(tables)} IN EXCLUSIVE MODE")
        filled = ", ".join(f"EXISTS (SELECT FROM {table})" for table in tables)
        cursor.execute(f"SELECT {filled}")
        for table, is_filled in zip(tables, cursor.fetchone(), strict=True):
            if is_filled:
                cursor.execute(f"DELETE FROM {table}")  # references are checked last


@contextmanager
def restored() -> Iterator[None]:
    """Meanwhile the database looks as if a backup had been restored over it.

    `pg_restore --clean` creates each table again. Here one is, by which the timeline of
    the database is known.
    """
    _make_anew()
    try:
        yield
    finally:
        _make_anew()


def _make_anew() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE copied (LIKE django_migrations INCLUDING ALL)")
        cursor.execute("INSERT INTO copied TABLE django_migrations")
        cursor.execute("DROP TABLE django_migrations")
        cursor.execute("ALTER TABLE copied RENAME TO django_migrations")
