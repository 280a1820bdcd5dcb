"""A database of each release becomes one of today, and its books still agree."""

import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.support.servers import database_url
from tests.upgrades.databases import differences, new_database, pg_dump, psql

RELEASES = sorted(Path(__file__).parent.glob("*.sql.gz"))
# What `make run` does with a database, without the pictures of the demo.
UPGRADE = """
import sys
sys.path.insert(0, "deploy/local")
import django, prepare
django.setup()
prepare.migrate()
prepare.check_columns()
"""
PREPARE = "deploy/local/prepare.py"

# What nobody may lose: what was ordered, paid and moved, and who is in the queue.
KEPT = """
SELECT count(*), sum(total), sum(tax), sum(shipping) FROM products_order;
SELECT status, count(*) FROM products_order GROUP BY status ORDER BY status;
SELECT count(*), sum(quantity), sum(amount), sum(tax) FROM products_orderline;
SELECT status, count(*), sum(amount) FROM products_payment GROUP BY status ORDER BY 1;
SELECT count(*), sum(amount) FROM products_refund;
SELECT count(*), sum(on_hand), sum(reserved), sum(version) FROM products_stock;
SELECT count(*) FROM products_stockmovement;
SELECT count(*), sum(quantity), sum(held) FROM products_basketline;
SELECT number, place FROM products_ticket ORDER BY number;
SELECT username, password FROM users_user ORDER BY username;
"""


def name_of(path: Path) -> str:
    return path.name.removesuffix(".sql.gz")


@pytest.fixture(params=RELEASES, ids=name_of)
def old(request, db) -> Iterator[str]:
    """A database as a release left it."""
    script = gzip.decompress(request.param.read_bytes()).decode()
    name = f"upgrade_{os.getpid()}"
    with new_database(database_url(), name) as url:
        psql(url, script)
        yield url


@pytest.fixture
def new(db) -> Iterator[str]:
    """The tables of today, restored once, as PostgreSQL rewrites some conditions."""
    with new_database(database_url(), f"today_{os.getpid()}") as url:
        psql(url, pg_dump(database_url(), "--schema-only"))
        yield url


def run(url: str, media: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the shop on a database."""
    # With DEBUG, no static files are collected.
    there = {"DATABASE_URL": url, "MEDIA_ROOT": str(media), "DEBUG": "1"}
    return subprocess.run(
        [sys.executable, *words],
        env=os.environ | there,
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
    )


def test_there_is_a_database_of_a_release():
    assert RELEASES


def test_database_of_a_release_is_upgraded_by_make_run_and_loses_nothing(
    old, new, tmp_path
):
    before = psql(old, KEPT)

    done = run(old, tmp_path, "-c", UPGRADE)

    assert done.returncode == 0, done.stderr
    assert psql(old, KEPT) == before
    assert differences(old, new) == []
    books = run(old, tmp_path, "manage.py", "reconcile")
    assert books.returncode == 0, books.stderr
    assert "The books agree" in books.stdout


def test_another_schema_is_found(new):
    """The positive control."""
    psql(new, "ALTER TABLE products_order ALTER COLUMN email TYPE varchar(999)")

    assert any("varying(999)" in line for line in differences(new, database_url()))


def test_edited_migration_of_a_release_is_refused_and_says_which_column(old, tmp_path):
    """Stands for a release whose migration did not make the column."""
    psql(old, "ALTER TABLE users_session DROP COLUMN user_id CASCADE")

    done = run(old, tmp_path, PREPARE)

    assert done.returncode == 1
    assert "no users_session.user_id" in done.stderr
