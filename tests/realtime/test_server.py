"""What `realtime/server.py` adds to Daphne, and what it looks into to do so."""

import contextlib
import gc
import json
import socket
import time
from importlib.metadata import version
from types import SimpleNamespace

import pytest
from daphne.ws_protocol import WebSocketFactory
from twisted.internet.error import ConnectionLost
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from realtime import server
from tests.support.echoes import Puppet, SecurePuppet
from tests.support.servers import wait_until

LARGE = 2**18  # more than the kernel takes of these sockets
KEPT = {"Socket", "Inbox", "Request", "HTTPChannel", "Server", "Deferred"}
SOON_S = 60  # a limit, on a busy machine
HANDSHAKE = (
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: shop.v1\r\n\r\n"
)


# --- Versions ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "library, known",
    [("autobahn", "26.10.2"), ("daphne", "4.2.3"), ("twisted", "26.10.0")],
)
def test_library_whose_internals_are_used_is_the_one_that_was_read(library, known):
    assert version(library) == known, (
        f"realtime/server.py uses internals of {library} {known}: read them in the new "
        "version, run this file and tests/system/test_conformance.py, and only then "
        "change this line"
    )


# --- The wire, with a kernel that takes only so much ------------------------------


class Reactor:
    """Notes who wants to write; the test says when."""

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
        """What the real one does when the kernel takes bytes again."""
        for connection in list(self.writers):
            if (reason := connection.doWrite()) is not None:
                connection.connectionLost(Failure(reason))


class Link:
    """A socket of the server, whose client is the test."""

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

    def taken(self) -> bytes:
        """What the kernel holds for the client."""
        data = b""
        with contextlib.suppress(BlockingIOError):
            while more := self.client.recv(65536):
                data += more
        return data

    def all_taken(self) -> bytes:
        """What comes while the client reads and the reactor writes."""
        data = self.taken()
        while self.reactor.writers:
            self.reactor.write()
            data += self.taken()
        return data


def make_socket() -> server.Socket:
    """As the server makes them, with its options."""
    shop = server.Server(application=None, endpoints=["tcp:0"])
    shop.ws_factory = WebSocketFactory(shop)
    shop._share_options()
    return shop.ws_factory.buildProtocol(None)


@pytest.fixture
def link():
    near, far = socket.socketpair()
    with near, far:
        yield Link(near, far)


def test_put_nothing_pending_is_written_at_once(link):
    assert link.socket.put(b"frame") == 0

    assert link.taken() == b"frame"
    assert link.reactor.writers == set()
    assert link.socket.pending() == 0


def test_put_more_than_the_kernel_takes_leaves_the_rest_pending(link):
    pending = link.socket.put(b"x" * LARGE)

    assert 0 < pending < LARGE
    assert link.socket.pending() == pending
    assert link.reactor.writers == {link.connection}
    assert len(link.taken()) == LARGE - pending


def test_put_while_bytes_are_pending_comes_after_them(link):
    frames = [b"1" * LARGE, b"2" * 10, b"3" * LARGE]

    for frame in frames:
        link.socket.put(frame)
    assert link.socket.pending() > LARGE
    assert link.all_taken() == b"".join(frames)

    assert link.socket.pending() == 0
    assert link.socket.put(b"4") == 0


def test_offer_while_bytes_are_pending_writes_nothing(link):
    assert link.socket.offer(b"1" * LARGE) == link.socket.pending() > 0

    assert link.socket.offer(b"2") is None

    assert link.all_taken() == b"1" * LARGE
    assert link.socket.offer(b"3") == 0
    assert link.taken() == b"3"


def test_nothing_follows_a_close_frame(link):
    link.socket.state = link.socket.STATE_CLOSING

    assert link.socket.offer(b"1") == link.socket.put(b"2") == 0

    assert link.taken() == b""


def test_pending_half_way_is_what_the_client_lacks(link):
    link.socket.put(b"x" * LARGE)
    link.socket.put(b"y" * LARGE)
    taken = len(link.taken())

    for _ in range(3):
        link.reactor.write()
        taken += len(link.taken())
        assert link.socket.pending() == 2 * LARGE - taken


class Ended:
    """Who is told that the connection has ended."""

    def connectionLost(self, reason) -> None:
        self.reason = reason


def test_put_client_has_gone_is_left_to_the_reactor(link):
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


def test_put_connection_is_being_closed_comes_after_what_waits(link):
    link.connection.protocol = Ended()
    link.socket.put(b"x" * LARGE)
    link.connection.loseConnection()

    link.socket.put(b"late")

    assert link.all_taken() == b"x" * LARGE + b"late"
    assert not link.connection.connected


def test_ping_is_answered_until_too_many_answers_wait(link):
    link.socket.onPing(b"one")
    assert link.taken() == b"\x8a\x03one"

    link.socket.put(b"x" * LARGE)
    before = link.socket.pending()
    link.socket.onPing(b"two")

    assert link.socket.pending() == before > server.MAX_UNSENT_PONGS


@pytest.mark.parametrize(
    "is_resting, idle_s, is_pinged",
    [(False, 20, False), (False, 30, True)]
    + [(True, 30, False), (True, server.RESTING_PING_S + 1, True)],
)
def test_tab_that_nobody_sees_is_pinged_seldom(
    link, monkeypatch, is_resting, idle_s, is_pinged
):
    pings = []
    monkeypatch.setattr(link.socket, "_sendAutoPing", lambda: pings.append(1))
    options = SimpleNamespace(websocket_timeout=-1, ping_interval=25)
    monkeypatch.setattr(link.socket, "server", options)
    monkeypatch.setattr(link.socket, "socket_opened", time.time(), raising=False)
    monkeypatch.setattr(link.socket, "last_ping", time.time() - idle_s, raising=False)
    link.socket.is_resting = is_resting

    link.socket.check_timeouts()

    assert bool(pings) == is_pinged


def test_socket_options_are_its_class_s_not_its_own(link):
    assert not set(server.Socket.CONFIG_ATTRS) & set(vars(link.socket))
    # A function among them, which must not have become a method.
    assert link.socket.perMessageCompressionAccept([]) is None


@pytest.mark.parametrize("key", ["log_failure", "failure"])
def test_error_that_twisted_has_caught_is_told(caplog, key):
    server._complain({"log_format": "all is well"})
    assert caplog.text == ""

    try:
        raise LookupError("in a callback of ours")
    except LookupError:
        server._complain({key: Failure()})

    assert "in a callback of ours" in caplog.text and "Traceback" in caplog.text


# --- Over the network -------------------------------------------------------------


@pytest.fixture(scope="module", params=[Puppet, SecurePuppet], ids=["ws", "wss"])
def puppet(request, tmp_path_factory):
    puppet = request.param(tmp_path_factory.mktemp("puppet"))
    puppet.start()
    yield puppet
    puppet.stop()
    assert "Traceback" not in puppet.said(), puppet.said()


def open_socket(puppet, path: str = "", **options):
    address = puppet.address_of_sockets + path
    known = {"max_size": None, "ssl": puppet.tls, "open_timeout": SOON_S}
    options = known | options
    return connect(address, **options)


def test_scope_says_how_the_client_came_and_what_the_server_has(puppet):
    believed_by_daphne = {"Daphne-Root-Path": "/evil"}
    with open_socket(puppet, "a/b", additional_headers=believed_by_daphne) as client:
        client.send("scope")
        facts = json.loads(client.recv(SOON_S))

    scheme = puppet.address_of_sockets.partition(":")[0]
    assert facts == {
        "scheme": scheme,
        "root_path": "",
        "path": "/a/b",
        "extensions": ["shop.wire", "websocket.http.response"],
    }


@pytest.mark.parametrize("size", [0, 1, 125, 126, 0xFFFF, 0x10000, 2**22])
def test_put_frame_of_any_size_arrives(puppet, size):
    with open_socket(puppet) as client:
        client.send(f"put {size} 1")

        assert client.recv(SOON_S) == "0" * size


def test_put_client_that_does_not_read_gets_all_in_order_when_it_does(puppet):
    """And the server knows how much waits, above and below TLS."""
    with open_socket(puppet, max_queue=1) as client:
        client.send("put 1000000 20")
        client.send("pending")
        first = client.recv(SOON_S)
        texts = [client.recv(SOON_S) for _ in range(19)]
        pending = int(client.recv(SOON_S))
        client.send("pending")
        afterwards = int(client.recv(SOON_S))

    assert [text[0] for text in (first, *texts)] == list("0123456789" * 2)
    assert all(len(text) == 1_000_000 for text in texts)
    assert pending > 1_000_000
    assert afterwards == 0


@pytest.mark.parametrize(
    "code", [1000, 1001, 1003, 1008, 1011, 1012, 1013, 3000, 4000, 4999]
)
def test_close_code_arrives_as_it_is(puppet, code):
    with open_socket(puppet) as client:
        client.send(f"close {code}")
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(SOON_S)

    assert closed.value.rcvd.code == code


@pytest.mark.parametrize("status", [403, 429, 503])
def test_refused_handshake_says_why_and_when_to_come_back(puppet, status):
    with pytest.raises(InvalidStatus) as refused:
        open_socket(puppet, f"refuse/{status}").__enter__()

    response = refused.value.response
    assert response.status_code == status
    assert response.headers["Retry-After"] == "7"
    assert response.headers["Content-Type"] == "text/plain"
    assert response.body == b"Later, please."


@pytest.mark.parametrize(
    "said, instead",
    [
        ("Protocol: shop.v1", "Protocol: sh\xf6p.v1"),
        ("Protocol: shop.v1", "Protocol: \xff"),
        ("Version: 13", "Version: x"),  # no application hears of these
        ("Host: localhost", "Host: localhost:x"),
    ],
)
def test_handshake_that_is_none_is_refused(puppet, said, instead):
    """And no word of it is in the log afterwards, see `puppet`."""
    handshake = HANDSHAKE.replace(said, instead)
    link = socket.create_connection(("127.0.0.1", puppet.port), SOON_S)
    if puppet.tls:
        link = puppet.tls.wrap_socket(link, server_hostname="localhost")
    with link:
        link.sendall(handshake.encode("latin1"))
        assert link.recv(100).startswith(b"HTTP/1.1 400 ")


def ask(client, question: str):
    client.send(question)
    return json.loads(client.recv(SOON_S))


@pytest.mark.parametrize("puppet", [Puppet], indirect=True, ids=["ws"])
def test_sockets_that_come_and_go_leave_no_garbage(puppet):
    """They are never searched for it: see `Server.has_opened`."""
    with open_socket(puppet) as witness:
        known = ask(witness, "connections")
        ask(witness, "garbage")
        for _ in range(3):
            with open_socket(puppet) as client:
                ask(client, "scope")
            with open_socket(puppet) as client, pytest.raises(ConnectionClosed):
                ask(client, "close 4001")
            with pytest.raises(InvalidStatus):
                open_socket(puppet, "refuse/429")
            open_socket(puppet).socket.shutdown(socket.SHUT_RDWR)  # without a word
        wait_until(
            lambda: ask(witness, "connections") <= known, "the farewells", SOON_S
        )
        found = ask(witness, "garbage")

    assert not found.keys() & KEPT, found


def is_kept_from_the_search(endpoint: str, *pages: str) -> bool:
    """Whether what there is when many sockets have opened is not searched again."""
    shop = server.Server(application=None, endpoints=[endpoint])
    shop.connections = {}
    for page in pages:
        shop.protocol_connected(page)
    gc.unfreeze()
    for _ in range(server.FREEZE_EVERY):
        shop.has_opened()
    try:
        return gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_sockets_are_searched_for_garbage_only_where_there_may_be_some():
    assert is_kept_from_the_search("tcp:0")
    assert not is_kept_from_the_search("tcp:0", "a page that is being made")
    assert not is_kept_from_the_search("ssl:0")


def test_client_that_offers_compression_is_answered_without(puppet):
    with open_socket(puppet, compression="deflate") as client:
        assert "Sec-WebSocket-Extensions" in client.request.headers
        assert "Sec-WebSocket-Extensions" not in client.response.headers


def test_access_log_holds_no_query():
    told = []
    log = {"endpoints": ["tcp:0"], "action_logger": lambda *entry: told.append(entry)}
    shop = server.Server(application=None, **log)

    shop.log_action("http", "complete", {"path": "/orders/7/?t=SECRET", "status": 200})

    assert told == [("http", "complete", {"path": "/orders/7/", "status": 200})]


def test_connection_that_ends_after_it_was_forgotten_is_no_error(monkeypatch):
    """A refused one, if the server tidies up before it is gone."""
    monkeypatch.setattr(server.reactor, "callLater", lambda *later: None)
    shop = server.Server(application=None, endpoints=["tcp:0"])
    shop.connections = {}
    shop.protocol_connected("refused")
    shop.protocol_disconnected("refused")
    shop.application_checker()
    assert shop.connections == {}

    shop.protocol_disconnected("refused")

    assert shop.connections == {}
