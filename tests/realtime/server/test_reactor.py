"""How many events the server's loop handles per iteration."""

import asyncio
import selectors
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from realtime.server import reactor
from realtime.server.reactor import Selector

PAIRS = 5


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    pairs = [socket.socketpair() for _ in range(PAIRS)]
    yield pairs
    for ends in pairs:
        for end in ends:
            end.close()


@pytest.fixture
def selector(monkeypatch) -> Iterator[Selector]:
    monkeypatch.setattr(reactor, "MAX_EVENTS", 2)
    with Selector() as selector:
        yield selector


def test_iteration_handles_some_events_and_later_ones_the_rest(pairs, selector):
    for ours, theirs in pairs:
        selector.register(ours, selectors.EVENT_READ)
        theirs.send(b"x")

    iterations = [selector.select(0) for _ in range(3)]

    assert [len(events) for events in iterations] == [2, 2, 2]
    assert {key.fileobj for events in iterations for key, _ in events} == {
        ours for ours, _ in pairs
    }


def test_closed_connection_is_both_readable_and_writable(pairs, selector):
    (ours, theirs), *_ = pairs
    selector.register(ours, selectors.EVENT_READ | selectors.EVENT_WRITE)
    theirs.close()

    ((_, events),) = selector.select(0)

    assert events == selectors.EVENT_READ | selectors.EVENT_WRITE


def test_server_installs_this_selector():
    program = (
        "import realtime.server.server; from twisted.internet import reactor;"
        "print(type(reactor._asyncioEventloop._selector).__module__)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "realtime.server.reactor\n"


def test_selector_without_events_returns_after_its_timeout(selector):
    assert selector.select(0) == []
    assert selector.select(0.01) == []


def test_loop_handles_all_events_in_several_iterations(monkeypatch):
    monkeypatch.setattr(reactor, "MAX_EVENTS", 2)

    async def serve() -> list[bytes]:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            return await asyncio.gather(*(ask(port, n) for n in range(20)))

    async def echo(reader, writer) -> None:
        writer.write(await reader.readline())
        writer.close()
        await writer.wait_closed()

    async def ask(port: int, number: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"%d\n" % number)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    with asyncio.Runner(
        loop_factory=lambda: asyncio.SelectorEventLoop(Selector())
    ) as runner:
        assert runner.run(serve()) == [b"%d\n" % number for number in range(20)]
