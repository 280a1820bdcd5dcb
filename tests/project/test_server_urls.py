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
        ("postgres://h/d", {"ENGINE": "project.postgresql"}),
    ],
)
def test_database_url_that_is_whole_becomes_settings(url, expected):
    found = server_urls.database(url)

    assert {name: found[name] for name in expected} == expected


def test_database_url_passes_options_of_libpq_on():
    url = "postgres://a,b/d?target_session_attrs=read-write&connect_timeout=2"

    options = server_urls.database(url)["OPTIONS"]

    assert options["target_session_attrs"] == "read-write"
    assert options["connect_timeout"] == 2
    assert options["keepalives_idle"] == 10


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
