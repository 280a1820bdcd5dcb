"""The addresses of servers, as the environment gives them."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from project import server_urls


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgres://u:p%23%2F%3F%40w@h:5433/d",
            {"USER": "u", "PASSWORD": "p#/?@w", "HOST": "h", "PORT": 5433, "NAME": "d"},
        ),
        ("postgresql://u:p$w@h/d", {"PASSWORD": "p$w", "HOST": "h"}),
        ("postgres://u:a@b@h/d", {"PASSWORD": "a@b", "HOST": "h"}),
        ("postgres://u@/shop?host=%2Frun%2Fpg", {"HOST": "/run/pg", "NAME": "shop"}),
        ("postgres://h/d?CONN_MAX_AGE=0", {"CONN_MAX_AGE": 0}),
        ("postgres://h/d?ATOMIC_REQUESTS=false", {"ATOMIC_REQUESTS": False}),
        ("postgres://h/d?AUTOCOMMIT=1", {"AUTOCOMMIT": True}),
        ("postgres://h/d", {"ENGINE": "project.postgresql"}),
        ("postgres:///d", {"HOST": "", "PORT": ""}),
        ("postgres://u@[::1]:5433/d", {"HOST": "::1", "PORT": 5433}),
        ("postgres://%2FRun%2Fpg/d", {"HOST": "/Run/pg", "NAME": "d"}),
        ("postgres://h/d?port=5433", {"HOST": "h", "PORT": 5433}),
        ("postgres://u:p@a,b/d", {"HOST": "a,b", "PORT": "", "PASSWORD": "p"}),
        ("postgres://a:5433,b:5434/d", {"HOST": "a,b", "PORT": "5433,5434"}),
        ("postgres://a:5433,b/d", {"HOST": "a,b", "PORT": "5433,5432"}),
        ("postgres://a,b:5434/d", {"HOST": "a,b", "PORT": "5432,5434"}),
        ("postgres://[::1]:1,[fe80::2]/d", {"HOST": "::1,fe80::2", "PORT": "1,5432"}),
        ("postgres://u:p%2Cw@a,b/d", {"PASSWORD": "p,w", "HOST": "a,b"}),
        ("postgres:///d?host=/a,/b&port=1,2", {"HOST": "/a,/b", "PORT": "1,2"}),
        ("postgres:///d?host=/a,/b&port=5433", {"HOST": "/a,/b", "PORT": 5433}),
    ],
)
def test_database_url_that_is_whole_becomes_settings(url, expected):
    database = server_urls.database(url)

    assert {name: database[name] for name in expected} == expected


def test_database_url_passes_options_of_libpq_on():
    url = "postgres://a,b/d?target_session_attrs=read-write&connect_timeout=2"

    options = server_urls.database(url)["OPTIONS"]

    assert options["target_session_attrs"] == "read-write"
    assert options["connect_timeout"] == 2
    assert options["keepalives_idle"] == 10


@pytest.mark.parametrize("url", ["postgres://a,b/d", "postgres:///d?host=/a,/b"])
def test_database_url_of_several_servers_asks_for_the_one_that_takes_writes(url):
    assert server_urls.database(url)["OPTIONS"]["target_session_attrs"] == "read-write"

    query = f"{url}{'&' if '?' in url else '?'}target_session_attrs=primary"
    options = server_urls.database(query)["OPTIONS"]
    assert options["target_session_attrs"] == "primary", "what is said counts"


def test_database_url_of_one_server_asks_for_none_in_particular():
    options = server_urls.database("postgres://a/d")["OPTIONS"]

    assert "target_session_attrs" not in options


def test_database_url_of_a_pooler_says_how_that_works():
    database = server_urls.database("postgres://a/d?pool_mode=transaction")
    assert database["POOL_MODE"] == "transaction"
    assert database["DISABLE_SERVER_SIDE_CURSORS"] is True
    assert "pool_mode" not in database["OPTIONS"], "libpq does not know it"

    for url in ("postgres://a/d", "postgres://a/d?pool_mode=session"):
        database = server_urls.database(url)
        assert "POOL_MODE" not in database
        assert "DISABLE_SERVER_SIDE_CURSORS" not in database
        assert "pool_mode" not in database["OPTIONS"]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgres://a,/d", "comma without a server"),
        ("postgres://,b/d", "comma without a server"),
        ("postgres:///d?host=/a,,/b", "comma without a server"),
        ("postgres://a,b:x/d", "'x' is no port"),
        ("postgres://a:99999,b/d", "'99999' is no port"),
        ("postgres://a,b:0/d", "'0' is no port"),
        ("postgres://a,b,c/d?port=1,2", "3 servers and 2 ports"),
        ("postgres://a/d?sslmode=yes", "sslmode is one of disable"),
        ("postgres://a/d?ssl_mode=require", "parameter 'ssl_mode', which libpq"),
        ("postgres://a/d?conn_max_age=long", "CONN_MAX_AGE is not a number"),
        ("postgres://a/d?AUTOCOMMIT=maybe", "AUTOCOMMIT may be 1 or 0"),
        ("postgres://a/d?port=1,2", "1 servers and 2 ports"),
        ("postgres://a,b/d?target_session_attrs=primry", "is one of any, read-write"),
        ("postgres://a/d?pool_mode=statement", "is one of session, transaction"),
        (
            "postgres://a/d?pool_mode=transaction&options=-c%20work_mem%3D64MB",
            "settings of a session",
        ),
    ],
)
def test_database_url_of_servers_that_cannot_be_is_refused_in_one_line(url, problem):
    with pytest.raises(ImproperlyConfigured, match=rf"\ADATABASE_URL.*{problem}.*\Z"):
        server_urls.database(url)


@pytest.mark.parametrize("character", "#/?[")
def test_database_url_cut_short_by_its_password_says_how_to_write_it(character):
    url = f"postgres://u:sec{character}ret@h/d"

    with pytest.raises(ImproperlyConfigured, match="%23") as refused:
        server_urls.database(url)

    assert "sec" not in str(refused.value), "a password is no matter for a log"


@pytest.mark.parametrize(
    "url", ["", "shop", "u@h/d", "mysql://h/d", "postgres://h", "postgres://h:x/d"]
)
def test_database_url_of_another_kind_is_refused_in_one_line(url):
    with pytest.raises(ImproperlyConfigured, match=r"\ADATABASE_URL .+\Z"):
        server_urls.database(url)
