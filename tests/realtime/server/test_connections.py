"""Connections that wait for their client."""

import socket
from types import SimpleNamespace

import pytest

from realtime.server import connections
from realtime.server.channel import Channel
from realtime.server.connections import Connections

LIMIT = 3


class Silent:
    """A connection."""

    has_sent = is_over = False

    def is_silent(self) -> bool:
        return not self.has_sent

    def end(self) -> None:
        self.is_over = True


@pytest.fixture
def factory(settings, monkeypatch) -> Connections:
    settings.HTTP = settings.HTTP | {"CONNECTIONS": LIMIT}
    monkeypatch.setattr(connections, "SILENT_S", -1)  # every client is silent
    monkeypatch.setattr(connections, "MAX_CLOSED", 1)
    return Connections(SimpleNamespace(root_path="", handshakes=None))


def waiting(factory: Connections, count: int) -> list[Silent]:
    channels = [Silent() for _ in range(count)]
    for channel in channels:
        factory.awaits_client(channel)
    return channels


def test_waiting_connections_take_places(factory):
    first, second = waiting(factory, 2)
    factory.awaits_client(first)
    assert factory.free_places() == LIMIT - 2

    factory.answers(first)  # its request is being answered

    assert factory.free_places() == LIMIT - 1


def test_connection_that_is_silent_longest_is_closed(factory):
    first, second, third = waiting(factory, 3)
    factory.awaits_client(first)

    factory.make_room()

    assert (first.is_over, second.is_over, third.is_over) == (False, True, False)
    assert factory.free_places() == 1


def test_connection_heard_of_recently_is_not_closed(factory, monkeypatch):
    monkeypatch.setattr(connections, "SILENT_S", 60)
    (connection,) = waiting(factory, 1)

    factory.make_room()

    assert not connection.is_over


def test_connection_with_an_unread_request_is_not_closed(factory):
    first, second = waiting(factory, 2)
    first.has_sent = True

    factory.make_room()
    assert not first.is_over

    factory.make_room()
    assert (first.is_over, second.is_over) == (False, True)


def test_connection_that_has_ended_is_not_closed_again(factory):
    (gone,) = waiting(factory, 1)

    factory.answers(gone)
    factory.answers(gone)

    assert factory.free_places() == LIMIT
    factory.make_room()
    assert not gone.is_over


def test_client_is_silent_until_it_sends_something():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        connection = SimpleNamespace(transport=SimpleNamespace(socket=ours))
        assert Channel.is_silent(connection)

        theirs.send(b"GET")

        assert not Channel.is_silent(connection)
        assert ours.recv(10) == b"GET"  # it is still there to be read
