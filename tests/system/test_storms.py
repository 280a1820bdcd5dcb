"""More sockets arrive than a process can open at once."""

import contextlib
import json
import re
import socket
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support.client import Client
from tests.support.servers import Daphne, Shop, wait_until

LIMIT_S = 30
MANY = 600  # fewer than a process lets wait
GONE = 300
FEW = 100
HERE, THERE = "203.0.113.7", "198.51.100.1"
CROWD = 400  # more than may be new of one address


def handshake(shop: Shop, *headers: str) -> bytes:
    lines = [
        "GET /ws/ HTTP/1.1",
        f"Host: localhost:{shop.port}",
        f"Origin: {shop.url}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version: 13",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def knock(shop: Shop, *headers: str) -> socket.socket:
    """Send a handshake, without waiting for the response."""
    connection = socket.create_connection(("127.0.0.1", shop.port), LIMIT_S)
    connection.sendall(handshake(shop, *headers))
    return connection


def answer(
    connection: socket.socket, has_more: bool = True
) -> tuple[str, str, dict | None]:
    """Return the first line, the headers, and the body up to the end."""
    data = b""
    while b"\r\n\r\n" not in data and (piece := connection.recv(65536)):
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, _, headers = head.decode().partition("\r\n")
    if "101" not in first and has_more:
        while piece := connection.recv(65536):
            body += piece
    return first, headers, json.loads(body) if body and has_more else None


def metric(shop: Shop, name: str) -> float:
    with urllib.request.urlopen(f"{shop.url}/metrics") as response:
        text = response.read().decode()
    return float(re.search(rf"^{re.escape(name)} (\S+)", text, re.M)[1])


@pytest.fixture
def limits() -> dict[str, str]:
    """Return the shop's metrics."""
    return {}


@pytest.fixture
def shop(transactional_db, redis, tmp_path, static, limits) -> Iterator[Daphne]:
    shop = Daphne(tmp_path, redis.url, **static, **limits, BEHIND_PROXY="1")
    shop.start()
    with Client(shop):  # so that all is loaded
        pass
    yield shop
    shop.stop()
    assert "Traceback" not in shop.said(), shop.said()


def test_sockets_that_arrive_together_are_all_served(shop):
    with contextlib.ExitStack() as stack:
        with shop.frozen():
            crowd = [stack.enter_context(knock(shop)) for _ in range(MANY)]

        firsts = [answer(connection)[0] for connection in crowd]

    assert set(firsts) == {"HTTP/1.1 101 Switching Protocols"}


def test_handshake_of_a_client_that_has_left_is_not_served(shop):
    before = metric(shop, "shop_handshake_seconds_count")
    with contextlib.ExitStack() as stack:
        with shop.frozen():
            stayed = [stack.enter_context(knock(shop)) for _ in range(MANY)]
            for _ in range(GONE):
                knock(shop).close()

        assert all("101" in answer(connection)[0] for connection in stayed)
        wait_until(lambda: metric(shop, "shop_handshakes_waiting") == 0, "it", LIMIT_S)

    served = metric(shop, "shop_handshake_seconds_count") - before
    assert MANY <= served < MANY + GONE / 2


@pytest.mark.parametrize("limits", [{"LIVE_SOCKETS": str(FEW)}], ids=["few"])
def test_full_process_refuses_others_with_a_time_to_retry(shop):
    with contextlib.ExitStack() as stack:
        with shop.frozen():
            crowd = [stack.enter_context(knock(shop)) for _ in range(MANY)]

        refused = [
            (first, headers, body)
            for first, headers, body in map(answer, crowd)
            if "101" not in first
        ]

    assert len(refused) == MANY - FEW
    assert {first for first, *_ in refused} == {"HTTP/1.1 503 Service Unavailable"}
    assert {body["reason"] for *_, body in refused} == {"process"}
    assert all("retry-after: " in headers.lower() for _, headers, _ in refused)


def test_page_that_asks_why_learns_that_handshakes_wait(shop):
    question = f"GET /ws/ HTTP/1.1\r\nHost: localhost:{shop.port}\r\n\r\n"
    with contextlib.ExitStack() as stack:
        with shop.frozen():
            for _ in range(MANY):
                stack.enter_context(knock(shop))
            asking = socket.create_connection(("127.0.0.1", shop.port), LIMIT_S)
            stack.enter_context(asking).sendall(question.encode())

        first, headers, _ = answer(asking, has_more=False)

    assert first == "HTTP/1.1 503 Service Unavailable"
    assert "retry-after: " in headers.lower()


def test_address_that_fills_the_queue_is_refused_and_others_are_served(shop, settings):
    with contextlib.ExitStack() as stack:
        with shop.frozen():
            crowd = [
                stack.enter_context(knock(shop, f"X-Forwarded-For: {HERE}"))
                for _ in range(CROWD)
            ]
            other = stack.enter_context(knock(shop, f"X-Forwarded-For: {THERE}"))

        answers = [answer(connection) for connection in crowd]
        assert "101" in answer(other)[0]

    refused = [each for each in answers if "101" not in each[0]]
    assert len(refused) >= CROWD - settings.LIVE["NEW_PER_ADDRESS"]
    for first, headers, body in refused:
        assert first.startswith("HTTP/1.1 429 ")
        assert body["reason"] == "silent"
        assert f"retry-after: {body['retry_ms'] // 1000}" in headers.lower()
