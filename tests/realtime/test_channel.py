"""Connections that wait for their client."""

import asyncio
import socket
from types import SimpleNamespace

import pytest
from twisted.internet import reactor
from twisted.internet.testing import StringTransport

from realtime import channel
from realtime.channel import Channel, Factory
from realtime.deadlines import Deadline

MOST = 3


class Silent:
    """A connection."""

    has_sent = is_over = False

    def is_silent(self) -> bool:
        return not self.has_sent

    def end(self) -> None:
        self.is_over = True


@pytest.fixture
def factory(settings, monkeypatch) -> Factory:
    settings.HTTP = settings.HTTP | {"CONNECTIONS": MOST}
    monkeypatch.setattr(channel, "SILENT_S", -1)  # however short it is
    monkeypatch.setattr(channel, "AT_ONCE", 1)
    return Factory(SimpleNamespace(root_path="", line=None))


def waiting(factory: Factory, count: int) -> list[Silent]:
    connections = [Silent() for _ in range(count)]
    for connection in connections:
        factory.waits(connection)
    return connections


def test_places_are_what_waiting_connections_leave_free(factory):
    first, second = waiting(factory, 2)
    factory.waits(first)
    assert factory.places() == MOST - 2

    factory.waits_no_more(first)  # its request is being answered

    assert factory.places() == MOST - 1


def test_connection_that_has_been_silent_longest_makes_room(factory):
    first, second, third = waiting(factory, 3)
    factory.waits(first)

    factory.make_room()

    assert (first.is_over, second.is_over, third.is_over) == (False, True, False)
    assert factory.places() == 1


def test_connection_that_has_just_been_heard_of_makes_no_room(factory, monkeypatch):
    monkeypatch.setattr(channel, "SILENT_S", 60)
    (connection,) = waiting(factory, 1)

    factory.make_room()

    assert not connection.is_over


def test_connection_whose_request_is_not_read_yet_makes_no_room(factory):
    first, second = waiting(factory, 2)
    first.has_sent = True

    factory.make_room()
    assert not first.is_over

    factory.make_room()
    assert (first.is_over, second.is_over) == (False, True)


def test_connection_that_has_ended_makes_no_room_twice(factory):
    (gone,) = waiting(factory, 1)

    factory.waits_no_more(gone)
    factory.waits_no_more(gone)

    assert factory.places() == MOST
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


# --- Deadlines --------------------------------------------------------------------


async def test_deadline_is_put_off_brought_forward_and_cancelled():
    met: list[str] = []
    soon, late, never = (
        Deadline(seconds, met.append, name)
        for seconds, name in [(0.01, "soon"), (60, "late"), (0.01, "never")]
    )

    never.cancel()
    late.reset(0)
    soon.reset(0.02)
    await asyncio.sleep(0.1)

    assert met == ["late", "soon"]


async def test_deadlines_of_connections_are_not_searched_for(factory, monkeypatch):
    """Twisted searches all pending calls for one that is to be called sooner."""
    monkeypatch.setattr(reactor, "_moveCallLaterSooner", pytest.fail)
    pending = len(reactor.getDelayedCalls())
    connection = factory.buildProtocol(None)

    connection.makeConnection(StringTransport())
    connection.setTimeout(60)
    connection.setTimeout(1)

    assert len(reactor.getDelayedCalls()) == pending
    connection.setTimeout(None)
