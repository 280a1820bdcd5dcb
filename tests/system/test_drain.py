"""SIGTERM drains: sockets reconnect elsewhere, pages are finished, nothing is lost."""

import contextlib
import json
import signal
import socket
import threading
import time
import urllib.error
import urllib.request

import pytest
from django.db import connection, transaction
from websockets.exceptions import InvalidStatus

from products.stock import services as stock
from realtime.draining import MIN_SPREAD_MS
from tests.support.client import Client
from tests.support.factories import make_variant
from tests.support.servers import Daphne, PlainDaphne, Shop, wait_until

RESTART = 1012  # RFC 6455's registry: "Service Restart"
LIMIT_S = 20  # for a process that has nothing to wait for, on a busy machine


@pytest.fixture
def variant(transactional_db):
    return make_variant(on_hand=5)


def ask(shop: Shop, path: str) -> tuple[int, str]:
    """Return the status and body of a page."""
    try:
        with urllib.request.urlopen(f"{shop.url}{path}", timeout=LIMIT_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def over(shop: Shop, seconds: float = LIMIT_S) -> float:
    """Wait until a process has ended as it should. Returns the seconds."""
    start = time.monotonic()
    assert shop.ended(seconds) == 0, shop.said()[-2000:]
    assert "Traceback" not in shop.said(), shop.said()[-4000:]
    assert "never retrieved" not in shop.said(), shop.said()[-4000:]
    return time.monotonic() - start


@contextlib.contextmanager
def mute(shop: Shop):
    """A client that has a socket and neither reads nor answers."""
    with socket.create_connection(("127.0.0.1", shop.port)) as link:
        link.sendall(
            b"GET /ws/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert link.recv(4096).startswith(b"HTTP/1.1 101")
        yield


def goodbye(client: Client) -> dict:
    return client.until(lambda frame: frame["t"] == "bye", LIMIT_S)


# --- Sockets ----------------------------------------------------------------------


def test_drain_spreads_the_return_of_sockets(redis, serve, variant):
    shop = serve(redis)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(shop)) for _ in range(40)]
        for client in clients:
            client.watch(f"stock:{variant.pk}")

        shop.tell(signal.SIGTERM)

        byes = [goodbye(client) for client in clients]
        assert {bye["code"] for bye in byes} == {RESTART}
        waits = [bye["retry_ms"] for bye in byes]
        assert 0 < min(waits) and max(waits) <= MIN_SPREAD_MS
        assert len(set(waits)) > 20, "not all at once"
        assert {client.closed() for client in clients} == {RESTART}
    over(shop)


def test_drain_of_plain_daphne_says_nothing(redis, serve, variant):
    """The control: plain Daphne."""
    shop = serve(redis, PlainDaphne)
    with Client(shop) as client:
        client.watch(f"stock:{variant.pk}")

        shop.tell(signal.SIGTERM)

        assert client.closed(LIMIT_S) == 1006
        assert not any(frame["t"] == "bye" for frame in client.frames)


def test_drain_loses_no_change_that_is_committed_during_it(
    redis, serve, variant, daphne
):
    first, second = serve(redis, LIVE_NOTICE_S="1"), daphne
    with Client(first) as client:
        client.watch(f"stock:{variant.pk}")
        first.tell(signal.SIGTERM)
        stock.receive(variant.pk, 2)  # while it takes notice
        goodbye(client)
        level = stock.receive(variant.pk, 3)  # while nobody listens
        page = client.page

    with Client(second, page) as client:
        client.watch()
        assert client.page.shown[f"stock:{variant.pk}"] == level.version
        assert client.page.facts[f"stock:{variant.pk}"]["available"] == 10
    over(first)


def test_drain_does_not_wait_for_clients_that_do_not_answer(redis, serve, variant):
    shop = serve(redis, LIVE_DRAIN_S="0.5")
    with mute(shop):
        shop.tell(signal.SIGTERM)

        over(shop)


def test_drain_fails_readyz_first_and_still_serves_pages(redis, serve, variant):
    shop = serve(redis, LIVE_NOTICE_S="3")
    assert (ask(shop, "/readyz")[0], ask(shop, "/products/")[0]) == (200, 200)
    with Client(shop) as client:
        client.watch(f"stock:{variant.pk}")
        shop.tell(signal.SIGTERM)
        wait_until(lambda: ask(shop, "/readyz")[0] == 503, "the notice", LIMIT_S)

        with pytest.raises(InvalidStatus) as refused:
            Client(shop).__enter__()

        answer = refused.value.response
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert json.loads(answer.body)["reason"] == "draining"
        # Who is in is served as before.
        level = stock.receive(variant.pk, 1)
        client.shows(f"stock:{variant.pk}", level.version)
        assert (ask(shop, "/products/")[0], ask(shop, "/healthz")[0]) == (200, 200)
        goodbye(client)
    over(shop)


# --- Pages ------------------------------------------------------------------------


def test_drain_answers_pages_that_are_being_made(redis, serve, variant):
    shop = serve(redis, LIVE_DRAIN_S="15")
    assert ask(shop, "/products/")[0] == 200
    answers = []
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE products_product IN ACCESS EXCLUSIVE MODE")
        page = threading.Thread(
            target=lambda: answers.append(ask(shop, "/products/?page=1&q=x"))
        )
        page.start()
        wait_until(lambda: is_waiting("products_product"), "the page", LIMIT_S)
        shop.tell(signal.SIGTERM)
        wait_until(lambda: is_closed(shop), "the door", LIMIT_S)
        assert answers == []

    page.join()
    assert [status for status, _ in answers] == [200]
    over(shop)


def is_waiting(table: str) -> bool:
    """Whether a query waits for the lock on a table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks"
            " WHERE NOT granted AND relation = %s::regclass",
            [table],
        )
        return cursor.fetchone()[0] > 0


def is_closed(shop: Shop) -> bool:
    """Whether nobody can connect."""
    try:
        socket.create_connection(("127.0.0.1", shop.port), 1).close()
    except OSError:
        return True
    return False


def test_drain_gives_up_a_page_that_never_ends(redis, serve, variant):
    shop = serve(redis, LIVE_DRAIN_S="0.3")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE products_product IN ACCESS EXCLUSIVE MODE")
        page = threading.Thread(target=lambda: swallow(ask, shop, "/products/?q=x"))
        page.start()
        wait_until(lambda: is_waiting("products_product"), "the page", LIMIT_S)
        shop.tell(signal.SIGTERM)

        over(shop)
    page.join()


def swallow(call, *arguments) -> None:
    """The page's connection may end in any way."""
    with contextlib.suppress(OSError, ValueError):
        call(*arguments)


# --- The process ------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_of_an_idle_process_takes_no_time(redis, serve, number):
    shop = serve(redis)  # it listens, and has answered nothing yet

    shop.tell(number)

    assert over(shop) < LIMIT_S


def test_start_on_a_port_in_use_fails_with_a_message(redis, serve):
    other = serve(redis)
    shop = Daphne(other.log.parent, redis.url)
    shop.port = other.port

    shop.launch()

    assert shop.ended(LIMIT_S) == 1
    assert "Listen failure" in shop.said()
    assert ask(other, "/healthz")[0] == 200


def test_second_signal_while_draining_changes_nothing(redis, serve, variant):
    shop = serve(redis, LIVE_NOTICE_S="1")
    with Client(shop) as client:
        client.watch(f"stock:{variant.pk}")
        shop.tell(signal.SIGTERM)
        wait_until(lambda: ask(shop, "/readyz")[0] == 503, "the notice", LIMIT_S)

        shop.tell(signal.SIGTERM)
        shop.tell(signal.SIGINT)

        assert goodbye(client)["code"] == RESTART
        assert client.closed() == RESTART
    over(shop)


def test_server_starts_again_on_the_same_port_at_once(redis, serve, variant):
    shop = serve(redis)
    with Client(shop) as client:
        client.watch(f"stock:{variant.pk}")
        shop.tell(signal.SIGTERM)
        goodbye(client)
    over(shop)

    again = Daphne(shop.log.parent, redis.url)
    again.port = shop.port
    again.start()
    try:
        with Client(again) as client:
            client.watch(f"stock:{variant.pk}")
    finally:
        again.stop()
