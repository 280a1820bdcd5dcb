"""What a page that is answered early is kept by."""

import pytest
from django.test import override_settings

from products.pagecache import early

MANY = 300


def scope(path: str = "/products/", scheme: str = "http", **headers: str) -> dict:
    named = {"host": "localhost"} | headers
    return {
        "method": "GET",
        "scheme": scheme,
        "root_path": "",
        "path": path,
        "query_string": b"",
        "headers": [
            (name.replace("_", "-").encode(), value.encode("latin1"))
            for name, value in named.items()
        ],
    }


def keys(*scopes: dict) -> set[tuple]:
    return {asked.key for each in scopes if (asked := early.read(each))}


@pytest.mark.parametrize(
    "name, value",
    [
        ("x_forwarded_host", "{}.example"),
        ("x_forwarded_proto", "{}"),
        ("x_forwarded_port", "{}"),
        ("x_forwarded_for", "203.0.113.{}"),
        ("forwarded", "host={}.example"),
        ("host", "localhost:{}"),
        ("host", "LocalHost:{}"),
        ("accept_language", "xx-{}, de-{};q=0.5"),
        ("accept_encoding", "gzip, made-up-{}"),
        ("cookie", "made_up_{}=1"),
        ("user_agent", "{}"),
        ("if_none_match", '"{}"'),
        ("daphne_root_path", "/{}"),
    ],
)
@pytest.mark.parametrize("is_behind_proxy", [False, True])
def test_read_of_what_a_client_makes_up_is_one_page(name, value, is_behind_proxy):
    header = ("HTTP_X_FORWARDED_PROTO", "https") if is_behind_proxy else None
    asked = [scope(**{name: value.replace("{}", str(n))}) for n in range(1, MANY)]

    with override_settings(SECURE_PROXY_SSL_HEADER=header):
        found = keys(*asked)

    assert len(found) == 1


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "a b", "[::1"])
def test_read_of_a_host_that_is_not_ours_is_django_s(host):
    assert early.read(scope(host=host)) is None


def test_read_with_two_hosts_is_django_s():
    asked = scope()
    asked["headers"] *= 2

    assert early.read(asked) is None


def test_read_over_https_is_another_page():
    """Django sends another header with it."""
    assert len(keys(scope(), scope(scheme="https"))) == 2

    with override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https")):
        asked = [
            scope(x_forwarded_proto=said) for said in ("http", "https", "https, x")
        ]
        assert len(keys(*asked)) == 2
