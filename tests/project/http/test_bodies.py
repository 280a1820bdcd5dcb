"""Bodies of requests on any ASGI server: here the test is one."""

import asyncio
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from django.test import override_settings
from django.urls import resolve, reverse

from project.asgi import application
from project.http.bodies import LimitedBodies

KB, MB = 2**10, 2**20
BROWSER = [(b"accept", b"text/html,*/*")]
CHUNKED = [(b"transfer-encoding", b"chunked")]


class Server:
    """Hands over pieces of a body, and remembers what is answered."""

    def __init__(self, *pieces: bytes, method: str = "POST", path: str = "/") -> None:
        self.scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
        }
        self.handed_over = 0
        self.sent: list[dict[str, Any]] = []
        self._pieces: Iterator[bytes] = iter([*pieces, b""])
        self._is_over = False

    async def receive(self) -> dict[str, Any]:
        if self._is_over:
            return {"type": "http.disconnect"}
        piece = next(self._pieces)
        self.handed_over += len(piece)
        self._is_over = not piece
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    async def ask(self, headers: list, pages=application) -> int:
        self.scope["headers"] += headers
        await pages(self.scope, self.receive, self.send)
        return self.sent[0]["status"]

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def text(self) -> str:
        return b"".join(each.get("body", b"") for each in self.sent[1:]).decode()


def declared(size: int) -> list:
    return [(b"content-length", str(size).encode())]


@pytest.mark.parametrize("path", ["/", "/users/login/", "/nowhere/", "/healthz"])
async def test_body_whose_length_says_it_is_too_large_is_not_read(path):
    server = Server(b"x" * MB, b"x" * MB, path=path)

    assert await server.ask(declared(300 * MB)) == 413

    assert server.handed_over == 0
    assert server.headers[b"connection"] == b"close"
    assert server.headers[b"content-type"].startswith(b"text/plain")
    assert "Too large: at most " in server.text


async def test_body_that_is_too_large_is_told_to_people_as_a_page():
    server = Server(path="/users/profile/")

    assert await server.ask(declared(7 * MB) + BROWSER) == 413

    assert server.headers[b"content-type"] == b"text/html; charset=utf-8"
    assert "You can send at most 6.0\xa0MB." in server.text
    assert len(server.text.encode()) == int(server.headers[b"content-length"])


async def test_body_in_chunks_is_read_until_it_is_too_large():
    server = Server(*[b"x" * 100 * KB] * 100, path="/users/login/")

    assert await server.ask(CHUNKED) == 413

    assert server.handed_over == 11 * 100 * KB


async def test_body_longer_than_declared_is_too_large_all_the_same():
    server = Server(*[b"x" * 100 * KB] * 100, path="/users/login/")

    assert await server.ask(declared(10)) == 413


async def test_body_of_http2_that_declares_nothing_is_counted():
    server = Server(*[b"x" * 100 * KB] * 100, path="/users/login/")
    server.scope["http_version"] = "2"

    assert await server.ask([]) == 413
    assert b"connection" not in server.headers


@pytest.mark.parametrize("size", [64 * KB, 64 * KB + 1])
async def test_get_may_have_a_small_body_and_no_larger_one(size):
    server = Server(b"x" * size, method="GET", path="/healthz")

    status = await server.ask(declared(size))

    assert (status == HTTPStatus.OK) is (size == 64 * KB)


async def test_head_that_is_refused_gets_no_body():
    server = Server(method="HEAD")

    assert await server.ask(declared(300 * MB)) == 413
    assert server.text == ""


@override_settings(HTTP={"BODY_S": 0.01, "BODY_RATE": 1, "BODY_BYTES": [("/", 10)]})
async def test_body_that_does_not_come_is_given_up():
    server = Server()

    async def nothing() -> dict[str, Any]:
        await asyncio.sleep(60)
        raise AssertionError("nobody waits so long")

    server.receive = nothing

    assert await server.ask(CHUNKED) == 408


async def test_what_the_server_refused_is_answered_with_its_status():
    server = Server(path="/users/login/")
    server.scope["extensions"] = {"shop.refused": 503}

    assert await server.ask([]) == 503
    assert int(server.headers[b"retry-after"]) > 0


async def test_page_that_answered_before_the_body_was_too_large_is_left_alone():
    async def pages(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"early"})
        while (await receive())["type"] != "http.disconnect":
            pass

    server = Server(*[b"x" * MB] * 3)

    assert await server.ask(CHUNKED, LimitedBodies(pages)) == 200
    assert [each["type"] for each in server.sent] == [
        "http.response.start",
        "http.response.body",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "admin:products_product_import",
        "admin:products_product_add",
        "users:profile",
        "products:stripe-webhook",
    ],
)
def test_limits_of_kinds_of_pages_name_pages_that_exist(settings, name):
    paths = [start for start, _size in settings.HTTP["BODY_BYTES"]]

    assert any(reverse(name).startswith(path) for path in paths if path != "/")
    assert resolve(reverse(name))
