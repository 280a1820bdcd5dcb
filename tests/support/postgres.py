"""A PostgreSQL of a test's own, and the shop's tables in it."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from accounts import account
from django.db import connection
from postgres import Postgres

from tests.support.servers import database_url


def copy_tables(url: str) -> None:
    """Fill an empty database with what the test's has, which takes a tenth of the time
    of migrations. Call it while the test's is the one that this process uses."""
    dump = ["pg_dump", "--no-owner", database_url()]
    restore = ["psql", "--quiet", "--output=/dev/null", "--set=ON_ERROR_STOP=1", url]
    script = subprocess.run(dump, check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(restore, check=True, input=script)


@contextmanager
def postgres_of_its_own() -> Iterator[Postgres]:
    """A PostgreSQL to break, with the shop's tables, which this process writes to."""
    # Not in pytest's folder, which is closed to the account that runs it.
    folder = Path(tempfile.mkdtemp(prefix="shop-"))
    folder.chmod(0o755)
    (folder / "run").mkdir(mode=0o777)
    uid = account()
    shutil.chown(folder / "run", uid)
    postgres = Postgres(folder, folder / "run", uid, durable=False)
    connection.close()
    before = connection.settings_dict
    there = {"HOST": str(postgres.sockets), "PORT": "", "NAME": "shop"}
    who = {"USER": "postgres", "PASSWORD": ""}
    try:
        postgres.start()
        copy_tables(postgres.url)
        connection.settings_dict = before | there | who
        yield postgres
    finally:
        connection.close()
        connection.settings_dict = before
        postgres.stop()
        shutil.rmtree(folder)
