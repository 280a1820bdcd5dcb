"""Which requests are answered before Django, and which pages they share."""

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
    return {request.key for each in scopes if (request := early.parse(each))}


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
def test_parse_with_values_that_clients_make_up_is_one_page(
    name, value, is_behind_proxy
):
    header = ("HTTP_X_FORWARDED_PROTO", "https") if is_behind_proxy else None
    scopes = [scope(**{name: value.replace("{}", str(n))}) for n in range(1, MANY)]

    with override_settings(SECURE_PROXY_SSL_HEADER=header):
        pages = keys(*scopes)

    assert len(pages) == 1


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "a b", "[::1"])
def test_parse_with_a_host_that_is_not_allowed_leaves_it_to_django(host):
    assert early.parse(scope(host=host)) is None


def test_parse_with_two_hosts_leaves_it_to_django():
    doubled = scope()
    doubled["headers"] *= 2

    assert early.parse(doubled) is None


def test_parse_over_https_is_another_page():
    """Django sends another header with it."""
    assert len(keys(scope(), scope(scheme="https"))) == 2

    with override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https")):
        protocols = ("http", "https", "https, x")
        scopes = [scope(x_forwarded_proto=protocol) for protocol in protocols]
        assert len(keys(*scopes)) == 2
