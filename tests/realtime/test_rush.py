"""Signed-in people who come at once are looked up, joined and loaded together."""

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
    """A socket, as far as the hub looks at one that only listens."""

    def __init__(self) -> None:
        self.audiences = ()
        self.is_dismissed = False

    def dismiss(self, reason) -> None:
        self.is_dismissed = True


@pytest.fixture
def asked(monkeypatch) -> dict[str, list[int]]:
    """For how many the database was asked, each time, by what it was asked for."""
    asked: dict[str, list[int]] = {"identify": [], "load": []}

    def note(name: str) -> Callable[[Iterable[str]], dict]:
        ask = getattr(registry, name)

        def ask_and_note(keys: Iterable[str]) -> dict:
            keys = list(keys)
            asked[name].append(len(keys))
            return ask(keys)

        return ask_and_note

    for name in asked:
        monkeypatch.setattr(registry, name, note(name))
    return asked


def session_keys(count: int) -> list[str]:
    return [session_of(make_user()).partition("=")[2] for _ in range(count)]


async def come(hub: Hub, keys: list[str]) -> None:
    """Each in a socket of their own, all in one turn of the loop."""
    await asyncio.gather(*(hub.identify(SilentSocket(), key) for key in keys))


def test_baskets_of_all_who_come_at_once_are_loaded_with_one_query(hub, loop, asked):
    topics = [f"basket:{Owner(make_user().pk).key}" for _ in range(12)]

    async def watch() -> None:
        await asyncio.gather(
            *(hub.watch(SilentSocket(), {key: None}, None) for key in topics)
        )

    loop.run(watch())

    assert asked["load"] == [12]


def test_who_comes_in_a_rush_does_not_wait_for_the_pause(hub, loop, asked, monkeypatch):
    monkeypatch.setattr(viewers, "GATHER_S", PAUSE_S)
    keys = session_keys(1 + viewers.ENOUGH)
    loop.run(come(hub, keys[:1]))
    begun = time.monotonic()

    loop.run(come(hub, keys[1:]))

    assert time.monotonic() - begun < PAUSE_S / 2
    assert asked["identify"] == [1, viewers.ENOUGH]


def test_who_comes_alone_after_another_waits_no_longer_than_the_pause(
    hub, loop, asked, monkeypatch
):
    monkeypatch.setattr(viewers, "GATHER_S", 0.3)
    first, second, third = session_keys(3)
    loop.run(come(hub, [first]))
    begun = time.monotonic()

    loop.run(come(hub, [second, third]))

    assert 0.1 < time.monotonic() - begun < PAUSE_S
    assert asked["identify"] == [1, 2]
