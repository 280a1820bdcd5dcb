"""Clients that send too much, or too slowly."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.echoes import SecurePuppet
from tests.support.servers import Daphne, Shop, Uvicorn

KB, MB = 2**10, 2**20
SOON_S = 60  # a limit, on a busy machine
HERE = "X-Forwarded-For: 203.0.113.7"


class Link:
    """A client that sends anything."""

    def __init__(self, shop: Shop) -> None:
        self.socket = socket.create_connection(("127.0.0.1", shop.port), SOON_S)

    def __enter__(self) -> "Link":
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    def head(self, line: str, *headers: str) -> "Link":
        """Send a request line and headers."""
        lines = [f"{line} HTTP/1.1", "Host: localhost", *headers, "", ""]
        self.socket.sendall("\r\n".join(lines).encode("latin1"))
        return self

    def send(self, data: bytes, times: int = 1) -> "Link":
        """Send it several times, or until the server stops reading."""
        with contextlib.suppress(OSError):
            for _ in range(times):
                self.socket.sendall(data)
        return self

    def answers(self) -> str:
        """Return everything until the server closes."""
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while more := self.socket.recv(65536):
                data += more
        return data.decode("latin1")

    def first(self) -> str:
        """Return the first line."""
        with self.socket.makefile("rb") as lines:
            return lines.readline().decode().strip()


def peak(shop: Shop) -> int:
    """Return the peak memory of the process, in bytes."""
    for line in Path(f"/proc/{shop.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * KB
    raise AssertionError("no VmHWM")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.fixture
def link(listening) -> Iterator[Link]:
    with Link(listening) as link:
        yield link


@pytest.fixture(scope="module")
def strict(django_db_setup, tmp_path_factory, shared_redis, static) -> Iterator[Shop]:
    """A server with short deadlines."""
    shop = Daphne(
        tmp_path_factory.mktemp("requests"),
        shared_redis.url,
        **static,
        BEHIND_PROXY="1",
        HTTP_HEADERS_S="1",
        HTTP_BODY_S="1",
        HTTP_KEEP_ALIVE_S="1",
        HTTP_BODIES_BYTES=str(MB),
    )
    shop.start()
    yield shop
    assert "Traceback" not in shop.said(), shop.said()
    shop.stop()


# --- Too much ---------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics", "/ws/", "/static/x"])
def test_body_with_too_large_a_length_is_refused_before_it_is_sent(link, path):
    link.head(f"GET {path}", f"Content-Length: {300 * MB}")

    answer = link.answers()

    assert answer.startswith("HTTP/1.1 413 ")
    assert "connection: close" in answer.lower()


def test_handshake_with_a_large_body_is_refused(link):
    upgrade = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="

    link.head("GET /ws/", *upgrade, key, f"Content-Length: {300 * MB}")

    assert link.answers().startswith("HTTP/1.1 413 ")


def test_client_that_sends_a_whole_large_body_gets_the_answer(link):
    link.head("POST /users/login/", f"Content-Length: {8 * MB}")
    link.send(b"x" * MB, times=8)

    assert link.answers().startswith("HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "size, answer", [(KB, "HTTP/1.1 100 Continue"), (2 * MB, "HTTP/1.1 413 ")]
)
def test_client_that_expects_100_continue_is_answered_at_once(link, size, answer):
    link.head("POST /users/login/", f"Content-Length: {size}", "Expect: 100-continue")

    assert link.first().startswith(answer)


def test_chunked_body_is_refused_once_it_is_too_large(listening):
    before = peak(listening)
    with Link(listening) as link:
        link.head("GET /", "Transfer-Encoding: chunked")
        link.send(chunk(b"x" * MB), times=100)

        assert link.answers().startswith("HTTP/1.1 413 ")
    assert peak(listening) - before < 20 * MB


def test_body_in_tiny_chunks_is_refused(link):
    link.head("POST /users/login/", "Transfer-Encoding: chunked")
    link.send(chunk(b"x") * 10_000)

    assert link.answers().startswith("HTTP/1.1 400 ")


def test_chunked_body_within_the_limit_arrives(link):
    link.head("POST /healthz", "Transfer-Encoding: chunked", "Connection: close")
    link.send(chunk(b"x" * 1000) * 60 + b"0\r\n\r\n")

    assert link.answers().startswith("HTTP/1.1 404 ")


@pytest.mark.parametrize(
    "path, megabytes, status",
    [
        ("/users/profile/", 5, 403),  # no token
        ("/users/profile/", 7, 413),
        ("/admin/products/product/add/", 8, 403),
        ("/admin/products/product/import/", 20, 403),
        ("/basket/", 2, 413),
    ],
)
def test_upload_limit_depends_on_the_page(listening, path, megabytes, status):
    with Link(listening) as link:
        size = megabytes * MB
        link.head(f"POST {path}", f"Content-Length: {size}", "Connection: close")
        link.send(b"x" * MB, times=megabytes)

        assert f"HTTP/1.1 {status} " in link.answers()


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: 4", "Content-Length: 4"],
        ["Content-Length: 4", "Content-Length: 5"],
        ["Content-Length: 4", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 4"],
        ["Transfer-Encoding: gzip, chunked"],
        ["Content-Length: +4"],
        ["Content-Length: -4"],
        ["Content-Length: 4, 4"],
        ["Content-Length: " + "9" * 5000],
    ],
    ids=lambda headers: headers[0][:30],
)
def test_ambiguous_headers_are_refused(link, headers):
    link.head("POST /users/login/", *headers)

    assert link.answers().startswith("HTTP/1.1 400 ")


@pytest.mark.parametrize("path", ["/", "/products/", "/healthz", "/static/x", "/ws/"])
@pytest.mark.parametrize(
    "headers",
    [
        [f"X-{number}: x" for number in range(200)],
        ["X: " + "x" * 15_000, "Y: " + "x" * 15_000, "Z: " + "x" * 15_000],
        ["X: " + "x" * 20_000],
        ["X: " + "x" * MB],
        ["Content-Length: 5", "X: " + "x" * 20_000],
        ["X: x", " " + "x" * 15_000, " " + "x" * 15_000, " " + "x" * 15_000],
    ],
    ids=["many", "together", "one", "a megabyte", "with a body", "folded"],
)
def test_too_many_or_too_large_headers_are_refused(link, path, headers):
    link.head(f"GET {path}", *headers)

    answer = link.answers()
    assert answer.startswith("HTTP/1.1 431 ")
    assert "Your browser sends too many cookies for this site" in answer
    assert answer.count("HTTP/1.1 ") == 1


def test_url_that_is_too_long_is_refused(link):
    link.head("GET /?q=" + "x" * 20_000)

    assert link.answers().startswith("HTTP/1.1 414 ")


HANDSHAKE = (
    *("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
    *("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",),
)


def cookies(size: int) -> str:
    """A header of so many bytes, its end included."""
    return "Cookie: a=" + "x" * (size - len("Cookie: a=") - 2)


@pytest.mark.parametrize(
    "size, page, socket",
    [(9 * KB, 200, 101), (16 * KB, 200, 101), (16 * KB + 1, 431, 431)],
)
def test_cookies_have_the_same_limit_for_pages_and_sockets(
    listening, size, page, socket
):
    with Link(listening) as pages, Link(listening) as sockets:
        pages.head("GET /products/", cookies(size))
        sockets.head("GET /ws/", *HANDSHAKE, cookies(size))

        assert pages.first().startswith(f"HTTP/1.1 {page} ")
        assert sockets.first().startswith(f"HTTP/1.1 {socket} ")


def test_browser_with_too_many_cookies_gets_a_page(link):
    link.head("GET /products/", "Accept: text/html,*/*", cookies(20 * KB))

    answer = link.answers()
    assert "content-type: text/html; charset=utf-8" in answer.lower()
    assert "<h1>Your browser sends too many cookies for this site</h1>" in answer
    # What it asked for would be refused too.
    assert "<link" not in answer and "<img" not in answer


# --- Whether a socket would be let in ---------------------------------------------


def test_plain_request_at_the_sockets_address_says_that_a_handshake_would_succeed(link):
    link.head("GET /ws/", "Connection: close")

    answer = link.answers()
    assert answer.startswith("HTTP/1.1 426 ")
    assert '"reason": "upgrade"' in answer


def test_pipelined_requests_get_their_own_bodies(link):
    for _ in range(2):
        link.head("POST /healthz", "Content-Length: 5").send(b"hello")
    link.head("GET /healthz", "Connection: close")

    answers = link.answers()

    assert answers.count("HTTP/1.1 404 ") == 2
    assert answers.count("HTTP/1.1 200 ") == 1


def test_request_after_a_refused_one_is_not_answered(link):
    link.head("POST /", f"Content-Length: {300 * MB}").head("GET /healthz")

    assert link.answers().count("HTTP/1.1 ") == 1


def test_bodies_of_one_address_share_a_limit(strict):
    with Link(strict) as link:
        link.head("POST /users/login/", HERE, f"Content-Length: {MB - KB}")
        answer = link.send(b"x" * KB, times=600).answers()

    assert answer.startswith("HTTP/1.1 503 ")
    assert "retry-after:" in answer.lower()


# --- Too slowly -------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: local"])
def test_missing_headers_end_the_connection(strict, data):
    with Link(strict) as link:
        answer = link.send(data).answers()

    assert answer == "" or answer.startswith("HTTP/1.1 408 ")


def test_slow_headers_have_a_deadline(strict):
    """Each byte says that the client lives, and none that it gets on."""
    with Link(strict) as link:
        link.send(b"GET / HTTP/1.1\r\n")
        link.socket.settimeout(0.05)
        answer, tries = b"", 0
        while not answer and tries < 20 * SOON_S:
            tries += 1
            link.send(b"X: x\r\n")
            with contextlib.suppress(TimeoutError):
                answer = link.socket.recv(100)

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_slow_body_has_a_deadline(strict):
    with Link(strict) as link:
        link.head("POST /users/login/", "Content-Length: 100000")
        link.socket.settimeout(0.05)
        answer, tries = b"", 0
        while not answer and tries < 20 * SOON_S:
            tries += 1
            link.send(b"x")
            with contextlib.suppress(TimeoutError):
                answer = link.socket.recv(100)

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_unused_connection_is_closed(strict):
    with Link(strict) as link:
        answer = link.head("GET /healthz").answers()

    assert answer.count("HTTP/1.1 ") == 1


def test_missing_tls_handshake_ends_the_connection(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTP_HEADERS_S", "1")
    puppet = SecurePuppet(tmp_path)
    puppet.start()
    try:
        with Link(puppet) as link:
            assert link.answers() == ""
    finally:
        puppet.stop()


# --- Another server ---------------------------------------------------------------


@pytest.fixture
def uvicorn(django_db_setup, tmp_path, shared_redis, static) -> Iterator[Shop]:
    shop = Uvicorn(tmp_path, shared_redis.url, **static)
    shop.start()
    yield shop
    shop.stop()


def test_bodies_are_limited_on_any_server(uvicorn):
    with Link(uvicorn) as declared, Link(uvicorn) as chunked:
        declared.head("GET /", f"Content-Length: {300 * MB}")
        chunked.head("POST /users/login/", "Transfer-Encoding: chunked")
        chunked.send(chunk(b"x" * MB), times=3)

        assert declared.first().startswith("HTTP/1.1 413 ")
        assert chunked.first().startswith("HTTP/1.1 413 ")
