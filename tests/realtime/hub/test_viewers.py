"""Sessions of sockets that open at once are looked up together."""

import asyncio
import time
from collections.abc import Iterable

import pytest

from products.live.registry import registry
from realtime.hub import viewers
from realtime.hub.hub import Hub
from realtime.registry import Viewer
from tests.support.factories import make_user
from tests.support.sockets import SilentSocket, session_of

PAUSE_S = 60  # longer than a busy machine needs


@pytest.fixture
def lookups(monkeypatch) -> list[int]:
    """How many sessions each query was for."""
    lookups = []
    identify = registry.identify

    def counting_identify(keys: Iterable[str]) -> dict[str, Viewer]:
        keys = list(keys)
        lookups.append(len(keys))
        return identify(keys)

    monkeypatch.setattr(registry, "identify", counting_identify)
    return lookups


def session_keys(count: int) -> list[str]:
    return [session_of(make_user()).partition("=")[2] for _ in range(count)]


async def open_sockets(hub: Hub, keys: list[str]) -> None:
    """Open a socket for each session, all in one turn of the loop."""
    await asyncio.gather(*(hub.identify(SilentSocket(), key) for key in keys))


def test_sessions_that_are_enough_are_looked_up_before_the_pause_ends(
    hub, loop, lookups, monkeypatch
):
    monkeypatch.setattr(viewers, "GATHER_S", PAUSE_S)
    keys = session_keys(1 + viewers.ENOUGH)
    loop.run(open_sockets(hub, keys[:1]))
    begun = time.monotonic()

    loop.run(open_sockets(hub, keys[1:]))

    assert time.monotonic() - begun < PAUSE_S / 2
    assert lookups == [1, viewers.ENOUGH]


def test_sessions_that_are_few_are_looked_up_when_the_pause_ends(
    hub, loop, lookups, monkeypatch
):
    monkeypatch.setattr(viewers, "GATHER_S", 0.3)
    first, second, third = session_keys(3)
    loop.run(open_sockets(hub, [first]))
    begun = time.monotonic()

    loop.run(open_sockets(hub, [second, third]))

    assert 0.1 < time.monotonic() - begun < PAUSE_S
    assert lookups == [1, 2]
