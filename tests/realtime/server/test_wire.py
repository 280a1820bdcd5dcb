"""Writing frames, with a kernel that takes only so much."""

import contextlib
import socket
import time
from types import SimpleNamespace

import pytest
from daphne.ws_protocol import WebSocketFactory
from twisted.internet.error import ConnectionLost
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure

from realtime.server import websocket
from realtime.server.server import Server
from realtime.server.websocket import Socket

LARGE = 2**18  # more than the kernel takes of these sockets


class Reactor:
    """Knows which connections want to write; the test says when they may."""

    def __init__(self) -> None:
        self.writers: set = set()

    def addWriter(self, connection) -> None:
        self.writers.add(connection)

    def removeWriter(self, connection) -> None:
        self.writers.discard(connection)

    def addReader(self, connection) -> None:
        pass

    def removeReader(self, connection) -> None:
        pass

    def write(self) -> None:
        """Do what the real one does when the kernel takes bytes again."""
        for connection in list(self.writers):
            if (reason := connection.doWrite()) is not None:
                connection.connectionLost(Failure(reason))


class Link:
    """A socket of the server, with the test as its client."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.reactor, self.client = Reactor(), far
        near.setblocking(False)
        far.setblocking(False)
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.socket = make_socket()
        self.connection = Connection(near, self.socket, self.reactor)
        self.connection.connected = True
        self.socket.transport = self.socket._descriptor = self.connection
        self.socket.state, self.socket.send_queue = self.socket.STATE_OPEN, []

    def take(self) -> bytes:
        """Take what the kernel has for the client."""
        data = b""
        with contextlib.suppress(BlockingIOError):
            while more := self.client.recv(65536):
                data += more
        return data

    def take_all(self) -> bytes:
        """Take everything, while the reactor writes."""
        data = self.take()
        while self.reactor.writers:
            self.reactor.write()
            data += self.take()
        return data


def make_socket() -> Socket:
    """Make a socket as the server does, with its options."""
    shop = Server(application=None, endpoints=["tcp:0"])
    shop.ws_factory = WebSocketFactory(shop)
    shop._share_options()
    return shop.ws_factory.buildProtocol(None)


@pytest.fixture
def link():
    near, far = socket.socketpair()
    with near, far:
        yield Link(near, far)


def test_put_with_nothing_pending_writes_at_once(link):
    assert link.socket.put(b"frame") == 0

    assert link.take() == b"frame"
    assert link.reactor.writers == set()
    assert link.socket.pending() == 0


def test_put_more_than_the_kernel_takes_leaves_the_rest_pending(link):
    pending = link.socket.put(b"x" * LARGE)

    assert 0 < pending < LARGE
    assert link.socket.pending() == pending
    assert link.reactor.writers == {link.connection}
    assert len(link.take()) == LARGE - pending


def test_put_while_bytes_are_pending_comes_after_them(link):
    frames = [b"1" * LARGE, b"2" * 10, b"3" * LARGE]

    for frame in frames:
        link.socket.put(frame)
    assert link.socket.pending() > LARGE
    assert link.take_all() == b"".join(frames)

    assert link.socket.pending() == 0
    assert link.socket.put(b"4") == 0


def test_offer_while_bytes_are_pending_writes_nothing(link):
    assert link.socket.offer(b"1" * LARGE) == link.socket.pending() > 0

    assert link.socket.offer(b"2") is None

    assert link.take_all() == b"1" * LARGE
    assert link.socket.offer(b"3") == 0
    assert link.take() == b"3"


def test_nothing_follows_a_close_frame(link):
    link.socket.state = link.socket.STATE_CLOSING

    assert link.socket.offer(b"1") == link.socket.put(b"2") == 0

    assert link.take() == b""


def test_pending_is_what_the_client_has_not_taken(link):
    link.socket.put(b"x" * LARGE)
    link.socket.put(b"y" * LARGE)
    taken = len(link.take())

    for _ in range(3):
        link.reactor.write()
        taken += len(link.take())
        assert link.socket.pending() == 2 * LARGE - taken


class Ended:
    """A protocol that keeps why its connection ended."""

    def connectionLost(self, reason) -> None:
        self.reason = reason


def test_put_to_a_client_that_has_gone_raises_nothing(link):
    ended = link.connection.protocol = Ended()
    link.client.close()

    link.socket.put(b"frame")
    link.socket.put(b"another")
    assert link.connection.connected
    link.reactor.write()

    assert not link.connection.connected
    assert ended.reason.check(ConnectionLost)
    link.socket.put(b"one more")  # and nothing is raised
    assert link.reactor.writers == set()


def test_put_to_a_closing_connection_comes_after_pending_bytes(link):
    link.connection.protocol = Ended()
    link.socket.put(b"x" * LARGE)
    link.connection.loseConnection()

    link.socket.put(b"late")

    assert link.take_all() == b"x" * LARGE + b"late"
    assert not link.connection.connected


def test_pings_are_answered_until_too_many_pongs_are_unsent(link):
    link.socket.onPing(b"one")
    assert link.take() == b"\x8a\x03one"

    link.socket.put(b"x" * LARGE)
    before = link.socket.pending()
    link.socket.onPing(b"two")

    assert link.socket.pending() == before > websocket.MAX_UNSENT_PONGS


@pytest.mark.parametrize(
    "is_resting, idle_s, is_pinged",
    [(False, 20, False), (False, 30, True)]
    + [(True, 30, False), (True, websocket.RESTING_PING_S + 1, True)],
)
def test_hidden_tab_is_pinged_seldom(link, monkeypatch, is_resting, idle_s, is_pinged):
    pings = []
    monkeypatch.setattr(link.socket, "_sendAutoPing", lambda: pings.append(1))
    options = SimpleNamespace(websocket_timeout=-1, ping_interval=25)
    monkeypatch.setattr(link.socket, "server", options, raising=False)
    monkeypatch.setattr(link.socket, "socket_opened", time.time(), raising=False)
    monkeypatch.setattr(link.socket, "last_ping", time.time() - idle_s, raising=False)
    link.socket.is_resting = is_resting

    link.socket.check_timeouts()

    assert bool(pings) == is_pinged


def test_socket_shares_the_options_of_its_class(link):
    assert not set(Socket.CONFIG_ATTRS) & set(vars(link.socket))
    # One option is a function, which must not have become a method.
    assert link.socket.perMessageCompressionAccept([]) is None
