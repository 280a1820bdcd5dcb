"""Sessions and baskets of sockets that open at once are queried together."""

import asyncio
import time
from collections.abc import Callable, Iterable

import pytest

from products.live.registry import registry
from products.live.viewers import Owner
from realtime.hub import viewers
from realtime.hub.hub import Hub
from tests.support.factories import make_user
from tests.support.sockets import session_of

PAUSE_S = 3


class SilentSocket:
    """What the hub needs of a socket that it does not write to."""

    def __init__(self) -> None:
        self.audiences = ()
        self.is_dismissed = False

    def dismiss(self, reason) -> None:
        self.is_dismissed = True


@pytest.fixture
def queries(monkeypatch) -> dict[str, list[int]]:
    """How many keys each query was for, by the registry's method."""
    queries: dict[str, list[int]] = {"identify": [], "load": []}

    def note(name: str) -> Callable[[Iterable[str]], dict]:
        query = getattr(registry, name)

        def query_and_note(keys: Iterable[str]) -> dict:
            keys = list(keys)
            queries[name].append(len(keys))
            return query(keys)

        return query_and_note

    for name in queries:
        monkeypatch.setattr(registry, name, note(name))
    return queries


def session_keys(count: int) -> list[str]:
    return [session_of(make_user()).partition("=")[2] for _ in range(count)]


async def open_sockets(hub: Hub, keys: list[str]) -> None:
    """Open a socket for each session, all in one turn of the loop."""
    await asyncio.gather(*(hub.identify(SilentSocket(), key) for key in keys))


def test_baskets_of_sockets_that_subscribe_at_once_are_loaded_with_one_query(
    hub, loop, queries
):
    topics = [f"basket:{Owner(make_user().pk).key}" for _ in range(12)]

    async def watch() -> None:
        await asyncio.gather(
            *(hub.watch(SilentSocket(), {key: None}, None) for key in topics)
        )

    loop.run(watch())

    assert queries["load"] == [12]


def test_sessions_that_are_enough_are_looked_up_before_the_pause_ends(
    hub, loop, queries, monkeypatch
):
    monkeypatch.setattr(viewers, "GATHER_S", PAUSE_S)
    keys = session_keys(1 + viewers.ENOUGH)
    loop.run(open_sockets(hub, keys[:1]))
    begun = time.monotonic()

    loop.run(open_sockets(hub, keys[1:]))

    assert time.monotonic() - begun < PAUSE_S / 2
    assert queries["identify"] == [1, viewers.ENOUGH]


def test_sessions_that_are_few_are_looked_up_when_the_pause_ends(
    hub, loop, queries, monkeypatch
):
    monkeypatch.setattr(viewers, "GATHER_S", 0.3)
    first, second, third = session_keys(3)
    loop.run(open_sockets(hub, [first]))
    begun = time.monotonic()

    loop.run(open_sockets(hub, [second, third]))

    assert 0.1 < time.monotonic() - begun < PAUSE_S
    assert queries["identify"] == [1, 2]
