"""WebSocket connections to a running server, with and without TLS."""

import json
import socket

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.support.echoes import Puppet, SecurePuppet
from tests.support.servers import wait_until

OURS = {"Socket", "Inbox", "Request", "HTTPChannel", "Server", "Deferred"}
TIMEOUT_S = 60  # on a busy machine
HANDSHAKE = (
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: shop.v1\r\n\r\n"
)


@pytest.fixture(scope="module", params=[Puppet, SecurePuppet], ids=["ws", "wss"])
def puppet(request, tmp_path_factory):
    puppet = request.param(tmp_path_factory.mktemp("puppet"))
    puppet.start()
    yield puppet
    puppet.stop()
    assert "Traceback" not in puppet.said(), puppet.said()


def open_socket(puppet, path: str = "", **options):
    address = puppet.address_of_sockets + path
    known = {"max_size": None, "ssl": puppet.tls, "open_timeout": TIMEOUT_S}
    options = known | options
    return connect(address, **options)


def test_scope_has_the_scheme_and_the_extensions(puppet):
    trusted_by_daphne = {"Daphne-Root-Path": "/evil"}
    with open_socket(puppet, "a/b", additional_headers=trusted_by_daphne) as client:
        client.send("scope")
        facts = json.loads(client.recv(TIMEOUT_S))

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

        assert client.recv(TIMEOUT_S) == "0" * size


def test_client_that_reads_late_gets_everything_in_order(puppet):
    """The server knows how many bytes are pending, above and below TLS."""
    with open_socket(puppet, max_queue=1) as client:
        client.send("put 1000000 20")
        client.send("pending")
        first = client.recv(TIMEOUT_S)
        texts = [client.recv(TIMEOUT_S) for _ in range(19)]
        pending = int(client.recv(TIMEOUT_S))
        client.send("pending")
        afterwards = int(client.recv(TIMEOUT_S))

    assert [text[0] for text in (first, *texts)] == list("0123456789" * 2)
    assert all(len(text) == 1_000_000 for text in texts)
    assert pending > 1_000_000
    assert afterwards == 0


@pytest.mark.parametrize(
    "code", [1000, 1001, 1003, 1008, 1011, 1012, 1013, 3000, 4000, 4999]
)
def test_close_code_arrives_unchanged(puppet, code):
    with open_socket(puppet) as client:
        client.send(f"close {code}")
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(TIMEOUT_S)

    assert closed.value.rcvd.code == code


@pytest.mark.parametrize("status", [403, 429, 503])
def test_refused_handshake_has_the_application_s_response(puppet, status):
    with pytest.raises(InvalidStatus) as refused:
        open_socket(puppet, f"refuse/{status}").__enter__()

    response = refused.value.response
    assert response.status_code == status
    assert response.headers["Retry-After"] == "7"
    assert response.headers["Content-Type"] == "text/plain"
    assert response.body == b"Later, please."


@pytest.mark.parametrize(
    "original, replacement",
    [
        ("Protocol: shop.v1", "Protocol: sh\xf6p.v1"),
        ("Protocol: shop.v1", "Protocol: \xff"),
        ("Version: 13", "Version: x"),  # no application sees these
        ("Host: localhost", "Host: localhost:x"),
    ],
)
def test_invalid_handshake_is_refused(puppet, original, replacement):
    """The log has nothing of it afterwards, see `puppet`."""
    handshake = HANDSHAKE.replace(original, replacement)
    link = socket.create_connection(("127.0.0.1", puppet.port), TIMEOUT_S)
    if puppet.tls:
        link = puppet.tls.wrap_socket(link, server_hostname="localhost")
    with link:
        link.sendall(handshake.encode("latin1"))
        assert link.recv(100).startswith(b"HTTP/1.1 400 ")


def ask(client, question: str):
    client.send(question)
    return json.loads(client.recv(TIMEOUT_S))


@pytest.mark.parametrize("puppet", [Puppet], indirect=True, ids=["ws"])
def test_closed_sockets_leave_no_garbage(puppet):
    """They are exempt from garbage collection: see `Server.socket_opened`."""
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
            open_socket(puppet).socket.shutdown(
                socket.SHUT_RDWR
            )  # without a close frame
        wait_until(
            lambda: ask(witness, "connections") <= known, "the disconnects", TIMEOUT_S
        )
        garbage = ask(witness, "garbage")

    assert not garbage.keys() & OURS, garbage


def test_offered_compression_is_declined(puppet):
    with open_socket(puppet, compression="deflate") as client:
        assert "Sec-WebSocket-Extensions" in client.request.headers
        assert "Sec-WebSocket-Extensions" not in client.response.headers
