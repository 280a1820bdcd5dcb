"""What shoppers, machines and the log hear while the database is away or reads only."""

import re

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection

from tests.support.postgres import postgres_of_its_own
from tests.support.receivers import receiving
from tests.support.servers import wait_until
from tests.system.answers import database_of, get


def is_read_only(is_on: bool) -> None:
    """As a server becomes a standby: connections stay, and only read from now on."""
    word = "on" if is_on else "off"
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = off")
        cursor.execute(f"ALTER SYSTEM SET default_transaction_read_only = {word}")
        cursor.execute("SELECT pg_reload_conf()")


def shop_of(postgres, redis, serve, **environment: str):
    """Start a shop without a page cache, so each page needs the database."""
    variables = {"DATABASE_URL": postgres.url, "CATALOGUE_MAX_AGE_S": "0"} | environment
    return serve(redis, **variables)


def test_read_only_database_is_not_ready_and_is_used_again_when_it_takes_writes(
    transactional_db, redis, serve
):
    with postgres_of_its_own() as postgres:
        shop = shop_of(postgres, redis, serve)
        assert get(shop, "/users/login/")[0] == 200
        assert database_of(shop) == "ok"

        is_read_only(True)
        wait_until(lambda: database_of(shop) == "read-only", "read-only", 10)
        assert get(shop, "/readyz")[0] == 503
        is_read_only(False)

        wait_until(lambda: database_of(shop) == "ok", "writing", 10)
        assert get(shop, "/readyz")[0] == 200


def test_connection_that_only_reads_is_dropped_and_made_anew(transactional_db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        before = cursor.fetchone()
        cursor.execute("SET default_transaction_read_only = on")
    connection.health_check_done = False  # as when a request begins

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        after = cursor.fetchone()
        cursor.execute("SHOW transaction_read_only")

        assert cursor.fetchone() == ("off",)
    assert after != before


def test_database_away_is_a_page_of_the_shop_one_line_in_the_log_and_one_event(
    transactional_db, redis, serve
):
    with receiving() as sentry, postgres_of_its_own() as postgres:
        shop = shop_of(postgres, redis, serve, SENTRY_DSN=sentry.dsn)
        assert get(shop, "/products/")[0] == 200
        since = shop.mark()
        connection.close()
        postgres.stop()
        answers = [get(shop, "/products/") for _ in range(5)]
        postgres.start()
        wait_until(lambda: get(shop, "/products/")[0] == 200, "the shop", 20)
        wait_until(lambda: bool(sentry.events), "the event", 10)
        shop.stop()  # which sends what waits
        events = sentry.events

    assert [e["logger"] for e in events] == ["project.outages"], events
    for status, headers, page in answers:
        assert (status, headers["Retry-After"]) == (503, "10")
        assert f"<code>{headers['X-Request-Id']}</code>" in page
        assert "not available right now" in page
    said = shop.said(since)
    assert "Traceback" not in said
    assert len(re.findall("The database is away", said)) == 1, said
    assert "The database is back" in said


@pytest.fixture
def ascii_database(transactional_db):
    """A database that takes any bytes for text. Its name."""
    name = f"{connection.settings_dict['NAME']}_ascii"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE DATABASE {name} TEMPLATE template0"
            " ENCODING 'SQL_ASCII' LOCALE 'C' LOCALE_PROVIDER 'libc'"
        )
    yield name
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} (FORCE)")


def test_database_that_is_not_utf8_is_refused_by_migrate_and_not_ready(
    ascii_database, redis, serve
):
    before = connection.settings_dict
    connection.close()
    connection.settings_dict = before | {"NAME": ascii_database}
    try:
        with pytest.raises(SystemCheckError, match="SQL_ASCII.*UTF-8"):
            call_command("migrate", verbosity=0, skip_checks=False)
        shop = serve(redis)
    finally:
        connection.close()
        connection.settings_dict = before

    assert database_of(shop) == "not UTF-8"
