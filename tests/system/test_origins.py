"""Whose pages may open a socket. A browser would send the cookies along."""

import pytest
from websockets.exceptions import InvalidStatus

from tests.support.client import Client
from tests.support.factories import make_variant
from tests.support.shopper import Shopper


def status(shop, **options) -> int:
    """Return the status of the handshake."""
    try:
        with Client(shop, **options) as client:
            client.watch("basket")
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:{port}",
        "HTTP://LOCALHOST:{port}",  # scheme and host mean the same in capitals
        "http://127.0.0.1:{port}",
    ],
)
def test_origin_of_the_shop_is_let_in(listening, origin):
    origin = origin.format(port=listening.port)
    host = origin.lower().removeprefix("http://").partition(":")[0]

    assert status(listening, origin=origin, host=host) == 101


def test_program_without_an_origin_is_let_in(listening):
    assert status(listening, origin=None) == 101


@pytest.mark.parametrize(
    "origin",
    [
        "https://localhost:{port}",
        "ws://localhost:{port}",
        "http://localhost",
        "http://localhost:1",
        "http://localhost:8000",
        "http://127.0.0.2:{port}",
        "http://evil.localhost:{port}",
        "http://localhost.evil.com:{port}",
        "http://localhost:{port}@evil.com",
        "http://evil.com/http://localhost:{port}",
        "http://evil.com#http://localhost:{port}",
        "http://localhost:{port}/",
        "//localhost:{port}",
        "file://",
        "null",
        "http://[::1]:{port}",
        "http://loc\xe4lhost:{port}",
    ],
)
def test_other_origin_is_refused(listening, origin):
    assert status(listening, origin=origin.format(port=listening.port)) == 403


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:{port}0",
        "http://localhost:{port}.evil.com",
        "http://localhost:{port} http://evil.com",
        "http://localhost:{port}, http://evil.com",
        "localhost:{port}",
        "*",
        "",
    ],
)
def test_what_is_no_origin_is_refused(listening, origin):
    """By the server's own parser already; `tests/realtime` asks ours the same."""
    header = {"Origin": origin.format(port=listening.port)}

    assert status(listening, origin=None, headers=header) in (400, 403)


def test_host_that_is_not_the_shops_makes_no_origin_of_its_own(listening):
    """Else a name of the attacker's that leads here would pass (DNS rebinding)."""
    origin = f"http://evil.com:{listening.port}"

    assert status(listening, origin=origin, host="evil.com") == 403


def test_forwarded_scheme_of_a_stranger_counts_for_nothing(listening):
    origin = f"https://localhost:{listening.port}"

    assert (
        status(listening, origin=origin, headers={"X-Forwarded-Proto": "https"}) == 403
    )


def test_forwarded_scheme_counts_behind_a_proxy(redis, serve):
    shop = serve(redis, BEHIND_PROXY="1", DOMAIN_NAME="https://shop.example")
    secure, plain = f"https://localhost:{shop.port}", f"http://localhost:{shop.port}"
    headers = {"X-Forwarded-Proto": "https"}

    assert status(shop, origin=secure, headers=headers) == 101
    assert status(shop, origin="https://shop.example") == 101
    assert status(shop, origin=plain, headers=headers) == 403
    assert status(shop, origin=secure) == 403


@pytest.mark.parametrize("path", ["/", "/ws", "/ws/x/", "/ws//", "/WS/", "/x/ws/"])
def test_other_address_is_refused(listening, path):
    assert status(listening, path=path) == 403


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(None, None), (["shop.v1"], "shop.v1"), (["chat", "shop.v1"], "shop.v1")],
)
def test_subprotocol_is_chosen_where_it_is_offered(listening, offered, chosen):
    with Client(listening, subprotocols=offered) as client:
        assert client.socket.subprotocol == chosen


@pytest.mark.parametrize("offered", [["shop.v2"], ["SHOP.V1"], ["chat", "soap"]])
def test_unknown_subprotocols_are_refused(listening, offered):
    assert status(listening, subprotocols=offered) == 403


def test_refused_origin_is_refused_whoever_it_is(daphne):
    shopper = Shopper(daphne)
    shopper.add(make_variant())

    assert status(daphne, cookie=shopper.cookie) == 101  # the premise
    assert status(daphne, cookie=shopper.cookie, origin="http://evil.com") == 403
