"""Which sockets a shop refuses, and how."""

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from websockets.exceptions import InvalidStatus

from products.stock import services as stock
from realtime.protocol import Close
from tests.support.client import Client
from tests.support.factories import make_user, make_variant
from tests.support.servers import Daphne, PlainDaphne, Shop, Uvicorn, wait_until
from tests.support.shopper import Shopper

HERE, THERE = "203.0.113.7", "198.51.100.1"
LIMIT_S = 20


def seen_from(address: str) -> dict[str, str]:
    """Return the header that the proxy sends for a client."""
    return {"X-Forwarded-For": address}


def refused(shop: Shop, **options) -> tuple[int, dict, dict]:
    """Return status, headers and body of a refused handshake."""
    with pytest.raises(InvalidStatus) as answer:
        Client(shop, **options).__enter__()
    response = answer.value.response
    return response.status_code, response.headers, json.loads(response.body)


def probed(shop: Shop, address: str) -> tuple[int, dict]:
    """Ask as a page does whether a handshake would succeed."""
    url = f"{shop.url}/ws/"
    request = urllib.request.Request(url, headers=seen_from(address))
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request)
    error.value.close()
    return error.value.code, error.value.headers


def refusals(shop: Shop, reason: str) -> float:
    """The metric."""
    with urllib.request.urlopen(f"{shop.url}/metrics") as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(f'shop_refusals_total{{reason="{reason}"}}'):
                return float(line.split()[-1])
    return 0


@pytest.fixture
def variant(transactional_db):
    return make_variant()


@pytest.fixture(scope="module")
def started(django_db_setup, tmp_path_factory, shared_redis, static) -> Iterator[Shop]:
    shop = Daphne(
        tmp_path_factory.mktemp("admission"),
        shared_redis.url,
        **static,
        BEHIND_PROXY="1",
        LIVE_SOCKETS_PER_ADDRESS="2",
        LIVE_SOCKETS_PER_PERSON="2",
    )
    shop.start()
    yield shop
    shop.stop()


@pytest.fixture
def strict(transactional_db, redis, started) -> Shop:
    """A shop that takes two sockets of an address or a person. Tests leave it running,
    so each uses its own addresses."""
    return started


def test_address_with_too_many_sockets_gets_a_time_to_retry(strict, variant):
    before = refusals(strict, "address")
    with contextlib.ExitStack() as stack:
        assert probed(strict, HERE)[0] == HTTPStatus.UPGRADE_REQUIRED
        inside = [
            stack.enter_context(Client(strict, headers=seen_from(HERE)))
            for _ in range(2)
        ]
        status, headers = probed(strict, HERE)
        assert status == HTTPStatus.TOO_MANY_REQUESTS
        assert 60 <= int(headers["Retry-After"]) <= 120

        status, headers, body = refused(strict, headers=seen_from(HERE))

        assert status == HTTPStatus.TOO_MANY_REQUESTS
        assert body["reason"] == "address" and "address" in body["msg"]
        assert body["retry_ms"] == int(headers["Retry-After"]) * 1000 > 0
        # Others come in, and those who are in are served.
        stack.enter_context(Client(strict, headers=seen_from(THERE)))
        assert inside[0].watch(f"stock:{variant.pk}")["items"]
        assert refusals(strict, "address") - before == 1


def test_address_cannot_be_forged_from_behind_the_proxy(strict, variant):
    true = "203.0.113.8"
    with contextlib.ExitStack() as stack:
        for number in range(2):
            forged = seen_from(f"198.51.100.{number}, {true}")
            stack.enter_context(Client(strict, headers=forged))

        status, _, body = refused(strict, headers=seen_from(f"192.0.2.9, {true}"))

        assert (status, body["reason"]) == (429, "address")


def test_closed_socket_makes_room_for_another(strict, variant):
    mine = {"headers": seen_from("203.0.113.9")}

    def is_let_in() -> bool:
        with contextlib.suppress(InvalidStatus):
            with Client(strict, **mine):
                return True
        return False

    with Client(strict, **mine):
        with Client(strict, **mine):
            assert refused(strict, **mine)[0] == 429
        wait_until(is_let_in, "the room of one", LIMIT_S)


def test_full_process_refuses_sockets_with_a_reason(redis, serve, variant):
    shop = serve(redis, LIVE_SOCKETS="2")
    with Client(shop), Client(shop):
        status, headers, body = refused(shop)

        assert (status, body["reason"]) == (503, "process")
        assert int(headers["Retry-After"]) >= 30


def test_silent_sockets_keep_nobody_out_and_are_closed(redis, serve, variant):
    shop = serve(
        redis,
        LIVE_HANDSHAKES="2",
        LIVE_NEW_PER_ADDRESS="3",
        LIVE_SILENT_S="2",
        BEHIND_PROXY="1",
    )
    here, there = ({"headers": seen_from(address)} for address in (HERE, THERE))
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(Client(shop, **here)) for _ in range(3)]

        status, _, body = refused(shop, **here)
        assert (status, body["reason"]) == (429, "silent")
        # Others are let in and served.
        watching = stack.enter_context(Client(shop, **there))
        watching.watch(f"stock:{variant.pk}")

        silent[0].send_raw("nonsense")  # asks for nothing either
        for client in silent:
            assert client.closed(LIMIT_S) == Close.SILENT
        stack.enter_context(Client(shop, **here)).watch(f"stock:{variant.pk}")
        stock.claim({variant.pk: 1})
        watching.shows(f"stock:{variant.pk}", 2)


def test_person_with_too_many_sockets_gets_a_time_to_retry(strict):
    before = refusals(strict, "person")
    anna, ben = (Shopper(strict, make_user()) for _ in range(2))
    phone = Shopper(strict)
    phone.cookies = dict(anna.cookies)  # another session would count for her too
    with anna.socket() as first, phone.socket() as second:
        first.watch("basket")
        second.watch("basket")

        with anna.socket() as third:
            third.send({"t": "sub", "id": 1, "topics": {"basket": None}})
            bye = third.until(lambda frame: frame["t"] == "bye")
            assert bye["code"] == Close.TOO_MANY_SOCKETS
            assert bye["retry_ms"] >= 60_000
            assert third.closed() == Close.TOO_MANY_SOCKETS

        with ben.socket() as other:
            assert other.watch("basket")["t"] == "snap"
        assert refusals(strict, "person") - before == 1


def test_topics_of_a_subscription_are_limited(listening):
    names = {f"stock:{number}": None for number in range(1, 202)}
    with Client(listening) as client:
        client.send_raw(json.dumps({"t": "sub", "id": 1, "topics": names}))

        error = client.until(lambda frame: frame["t"] == "err")
        assert error["code"] == "too_many_topics"
        assert client.watch("stock:1")["t"] == "snap"  # the socket lives on


def test_too_many_messages_close_the_socket(strict, variant):
    before = refusals(strict, "too_many_frames")
    with Client(strict) as client:
        client.flood('{"t":"sub","id":1,"topics":{}}', times=40)

        bye = client.until(lambda frame: frame["t"] == "bye", LIMIT_S)
        assert bye["code"] == Close.TOO_MANY_FRAMES
        assert bye["retry_ms"] >= 10_000
        assert client.closed() == Close.TOO_MANY_FRAMES
    assert refusals(strict, "too_many_frames") - before == 1


def raw(first: int, payload: bytes = b"") -> bytes:
    """Return a client's frame. Its first byte has the opcode."""
    return bytes([first, 0x80 | len(payload)]) + bytes(4) + payload


@pytest.mark.parametrize(
    "begin, frame",
    [
        (b"", raw(0x89)),  # empty pings, and full ones
        (b"", raw(0x89, b"x" * 125)),
        (b"", raw(0x8A)),  # pongs that nobody asked for
        (raw(0x01), raw(0x00)),  # a message of empty parts
        (raw(0x01, b"{"), raw(0x00, b"x")),
    ],
    ids=["pings", "full pings", "pongs", "empty parts", "tiny parts"],
)
def test_pings_and_fragments_count_as_frames(strict, begin, frame):
    before = refusals(strict, "frames")
    with Client(strict) as client:
        with contextlib.suppress(OSError):
            client.socket.socket.sendall(begin + frame * 10_000)

        assert client.closed(LIMIT_S) == 1008
    assert refusals(strict, "frames") - before == 1


def test_pings_at_a_normal_rate_are_answered(strict, variant):
    with Client(strict) as client:
        for _ in range(20):
            assert client.socket.ping().wait(LIMIT_S)

        assert client.watch(f"stock:{variant.pk}")["items"]


def test_too_many_bytes_close_the_socket(strict):
    """The bytes are in large frames that never end."""
    before = refusals(strict, "bytes")
    with Client(strict) as client:
        part = bytes([0x01, 0xFE, 0xFF, 0xFF]) + bytes(4) + b"x" * 0xFFFF
        with contextlib.suppress(OSError):
            client.socket.socket.sendall(part)
            client.socket.socket.sendall(b"x" * 2**21)

        assert client.closed(LIMIT_S) in (1008, 1002, 1009)
    assert refusals(strict, "bytes") - before <= 1


@pytest.mark.parametrize("kind", [PlainDaphne, Uvicorn])
def test_servers_without_our_extension_refuse_too(redis, serve, variant, kind):
    shop = serve(redis, kind, LIVE_SOCKETS="1")
    with Client(shop):
        with pytest.raises(InvalidStatus) as answer:
            Client(shop).__enter__()

    assert answer.value.response.status_code in (403, 503)
