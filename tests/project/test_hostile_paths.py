"""Addresses that nobody of ours made: each is answered, and none with a 500."""

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.support.factories import make_user

NAMED = re.compile(r"\(\?P<(\w+)>")
HOSTILE = [
    "x" * 6000,
    "9" * 6000,
    "a%00b",
    "%ed%b0%80",  # half of a pair
    "9223372036854775808",
    "-" * 6000,
    "%00",
    "%ff%fe",
    "..",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "%252e",
    "9" * 19,
    "-1",
    "%F0%9F%98%80",
    "%D9%A3",  # a digit, of another script
    "a%0d%0ab",
    "%3Cscript%3E",
]


def templates(patterns: list, before: str = "") -> Iterator[str]:
    """The addresses of the shop that take something, with `{}` in its place."""
    for pattern in patterns:
        text = before + shape(pattern)
        if isinstance(pattern, URLResolver):
            yield from templates(pattern.url_patterns, text)
        elif isinstance(pattern, URLPattern) and "{}" in text:
            yield text


def shape(pattern: URLPattern | URLResolver) -> str:
    text = str(pattern.pattern)
    if text.startswith("^"):  # a regular expression
        text = re.sub(r"\(\?P<\w+>[^)]*\)", "{}", text).strip("^$")
        return text.replace("\\Z", "").replace("\\", "")
    return re.sub(r"<[^>]+>", "{}", text)


ADDRESSES = sorted(set(templates(get_resolver().url_patterns)))


def client_of(who: str) -> Client:
    client = Client(raise_request_exception=False)
    if who == "staff":
        client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


def test_addresses_that_take_something_are_found():
    """The control: the test below has something to try."""
    addresses = "\n".join(ADDRESSES)

    for known in ("products/{}/", "orders/{}/", "admin/products/product/{}/change/"):
        assert known in addresses
    assert len(ADDRESSES) > 30


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["nobody", "staff"])
def test_address_with_anything_in_it_is_answered(who):
    client, broken = client_of(who), []
    for address in ADDRESSES:
        for word in HOSTILE if who == "nobody" else HOSTILE[:5]:
            path = "/" + address.replace("{}", word)
            status = client.get(path).status_code
            if status >= 500:
                broken.append((address, word[:20], status))

    assert broken == []


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/static/", "/media/", "/nowhere/", "/"])
def test_path_below_a_folder_with_anything_in_it_is_answered(settings, path):
    client = client_of("nobody")

    for word in HOSTILE:
        assert client.get(path + word).status_code in (301, 302, 400, 404), quote(word)
