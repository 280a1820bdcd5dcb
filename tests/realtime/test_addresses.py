"""Whose address a socket counts for, and that nobody can choose it."""

import pytest

from realtime.addresses import client_of

PROXY = "10.0.0.9"


def scope(peer: str | None, *forwarded: str) -> dict:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    client = None if peer is None else [peer, 50000]
    return {"headers": [(b"host", b"shop.example"), *headers], "client": client}


def test_client_without_a_proxy_is_the_peer(settings):
    settings.TRUSTED_PROXY_COUNT = 0

    assert client_of(scope("203.0.113.7")) == "203.0.113.7"


def test_client_without_a_proxy_cannot_claim_an_address(settings):
    settings.TRUSTED_PROXY_COUNT = 0

    assert client_of(scope("203.0.113.7", "198.51.100.1")) == "203.0.113.7"


@pytest.mark.parametrize(
    "forwarded",
    [
        ["203.0.113.7"],
        ["198.51.100.1, 203.0.113.7"],
        ["198.51.100.1,198.51.100.2 ,203.0.113.7"],
        ["198.51.100.1", "203.0.113.7"],  # in a header of its own
        ["<script>, 203.0.113.7"],
    ],
)
def test_client_behind_a_proxy_is_the_address_the_proxy_saw(settings, forwarded):
    settings.TRUSTED_PROXY_COUNT = 1

    assert client_of(scope(PROXY, *forwarded)) == "203.0.113.7"


def test_client_behind_two_proxies_is_the_address_the_outer_one_saw(settings):
    settings.TRUSTED_PROXY_COUNT = 2
    forwarded = "198.51.100.1, 203.0.113.7, 10.0.0.8"

    assert client_of(scope(PROXY, forwarded)) == "203.0.113.7"


def test_client_that_bypasses_the_proxy_is_the_peer(settings):
    settings.TRUSTED_PROXY_COUNT = 1

    assert client_of(scope("203.0.113.7")) == "203.0.113.7"


@pytest.mark.parametrize(
    "address, home",
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::FFFF:cb00:7107", "203.0.113.7"),
        ("64:ff9b::203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_ipv6_client_counts_for_its_network(settings, address, home):
    settings.TRUSTED_PROXY_COUNT = 0

    assert client_of(scope(address)) == home


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_client_on_this_machine_is_not_counted(settings, address):
    settings.TRUSTED_PROXY_COUNT = 0

    assert client_of(scope(address)) is None


@pytest.mark.parametrize("said", ["unknown", "203.0.113.7:4711", "_hidden"])
def test_client_unknown_to_the_proxy_is_not_counted(settings, said):
    settings.TRUSTED_PROXY_COUNT = 1

    assert client_of(scope(PROXY, said)) is None


def test_client_over_a_unix_socket_is_not_counted(settings):
    settings.TRUSTED_PROXY_COUNT = 0

    assert client_of(scope(None)) is None


def test_ipv4_client_written_as_ipv6_counts_as_ipv4(settings):
    settings.TRUSTED_PROXY_COUNT = 1

    assert client_of(scope(PROXY, "::ffff:203.0.113.7")) == "203.0.113.7"
