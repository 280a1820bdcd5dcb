"""Deadlines of connections."""

import asyncio
from types import SimpleNamespace

import pytest
from twisted.internet.testing import StringTransport

from realtime.server.connections import Connections
from realtime.server.deadlines import Deadline
from realtime.server.reactor import reactor


async def test_deadline_can_be_moved_and_cancelled():
    calls: list[str] = []
    soon, late, never = (
        Deadline(seconds, calls.append, name)
        for seconds, name in [(0.01, "soon"), (60, "late"), (0.01, "never")]
    )

    never.cancel()
    late.reset(0)
    soon.reset(0.02)
    await asyncio.sleep(0.1)

    assert calls == ["late", "soon"]


async def test_connection_changes_its_deadline_without_a_search(monkeypatch):
    """Twisted searches all pending calls to move one forward."""
    monkeypatch.setattr(reactor, "_moveCallLaterSooner", pytest.fail)
    pending = len(reactor.getDelayedCalls())
    factory = Connections(SimpleNamespace(root_path="", handshakes=None))
    connection = factory.buildProtocol(None)

    connection.makeConnection(StringTransport())
    connection.setTimeout(60)
    connection.setTimeout(1)

    assert len(reactor.getDelayedCalls()) == pending
    connection.setTimeout(None)
