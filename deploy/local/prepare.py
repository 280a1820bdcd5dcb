"""Prepares the shop: migrates, collects static files, loads the demo catalogue.

All of it runs in one Django process, because starting one takes a second.
"""

import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, os.getcwd())
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")


def migrate() -> None:
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    steps = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if steps:
        print(f"Database: {steps} migrations to apply", flush=True)
        call_command("migrate", interactive=False, verbosity=0, skip_checks=False)


def check_columns() -> None:
    """Raise `CommandError` if the database lacks a column: it is older than the first
    release. Until then, the initial migrations were edited, and Django does not run a
    migration twice."""
    from django.apps import apps
    from django.core.management import CommandError
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = ANY(current_schemas(false))"
        )
        there = set(cursor.fetchall())
    needed = {
        (model._meta.db_table, field.column)
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.local_concrete_fields
    }
    if missing := sorted(needed - there):
        table, column = missing[0]
        raise CommandError(
            f"The database cannot be upgraded: it has no {table}.{column}. It was made"
            " before version 0.1.0, and no migrations lead from there. So start again."
            " `make clean` removes the data. In your own database, drop the tables."
        )


def collect_static() -> None:
    """Collect static files if one has changed, been added or been removed.

    With DEBUG this does nothing, because files are served from their sources.
    """
    from django.conf import settings
    from django.contrib.staticfiles.finders import get_finders
    from django.core.management import call_command

    if settings.DEBUG:
        return
    files = [
        (path, os.stat(storage.path(path)).st_mtime_ns)
        for finder in get_finders()
        for path, storage in finder.list([])
    ]
    now = repr(sorted(files))
    note = Path(settings.STATIC_ROOT) / ".collected"
    if not note.exists() or note.read_text() != now:
        call_command("collectstatic", interactive=False, verbosity=0)
        note.write_text(now)


def main() -> None:
    import django
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import CommandError, call_command
    from django.db import DatabaseError

    begun = time.monotonic()
    try:
        django.setup()
        migrate()
        check_columns()
        collect_static()
        call_command("load_tax_rates")  # a new version of their package
        call_command("demo")
    except DatabaseError as error:
        sys.exit(
            f"The database refused: {str(error).splitlines()[0]}. The role in"
            " DATABASE_URL must own its database; deploy/README.md says how to make"
            " both."
        )
    except (CommandError, ImproperlyConfigured) as error:
        sys.exit(f"{error}")
    print(f"Prepared in {time.monotonic() - begun:.1f} s. Starting.", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C: no traceback from here
    main()
