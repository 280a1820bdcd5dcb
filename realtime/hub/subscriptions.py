"""What each socket watches."""

import asyncio
import math
import time
from collections.abc import Mapping
from typing import NamedTuple

from django.conf import settings

from realtime import metrics
from realtime.hub.audiences import Audiences, audiences_of, slot_of
from realtime.hub.database import Unavailable
from realtime.hub.groups import Groups
from realtime.hub.health import Health
from realtime.hub.loading import Loader
from realtime.hub.slots import slot_for
from realtime.hub.sockets import Socket
from realtime.hub.topics import Topic, Topics
from realtime.registry import Registry, State

LOAD_TIMEOUT_S = 3  # a page waits four seconds for an answer
PACE_TICKS = 10  # a pace is a multiple of so many ticks

Versions = Mapping[str, int | None]  # by topic key: what a page shows, None if nothing


class Snapshot(NamedTuple):
    """The answer to a subscription."""

    items: list[str]  # as JSON
    unknown: list[str]  # keys of topics that do not exist
    timeline: str | None


class Subscriptions:
    """Subscribes sockets, and forgets topics that nobody watches any more."""

    def __init__(
        self,
        registry: Registry,
        topics: Topics,
        audiences: Audiences,
        groups: Groups,
        loader: Loader,
        health: Health,
    ) -> None:
        self._registry, self._topics, self._audiences = registry, topics, audiences
        self._groups, self._loader, self._health = groups, loader, health

    async def watch(
        self,
        socket: Socket,
        shown: Versions,
        language: str | None,
        timeline: str | None,
        pace: int,
    ) -> Snapshot:
        """See `Hub.watch`."""
        topics = [self._topics.hold(key) for key in shown]
        try:
            await self._make_ready(topics, shown)
            if timeline is not None and self._loader.timeline is None:
                await self._loader.learn_timeline()
        finally:
            for topic in topics:
                self._topics.let_go(topic)
        if socket.is_dismissed:  # meanwhile
            return Snapshot([], [], self._loader.timeline)
        unknown = [topic.key for topic in topics if topic.state is None]
        keys = [topic.key for topic in topics if topic.state is not None]
        grain = PACE_TICKS * settings.LIVE["TICK_MS"]
        slot = slot_for(pace, slot_of(socket), math.ceil(grain))
        is_personal = self._registry.is_personal_key
        self._audiences.move(socket, audiences_of(keys, language, slot, is_personal))
        if timeline not in (None, self._loader.timeline):
            shown = dict.fromkeys(shown)
        items = [
            topic.item(language)
            for topic in topics
            if topic.state is not None and _is_newer(topic.state, shown[topic.key])
        ]
        return Snapshot(items, unknown, self._loader.timeline)

    async def _make_ready(self, topics: list[Topic], shown: Versions) -> None:
        """Join first, then load, so that no change in between is missed. Raises
        `Unavailable`."""
        if (
            not self._health.is_degraded
        ):  # nobody waits for a Redis that does not answer
            if unjoined := [topic for topic in topics if not topic.joined]:
                await self._groups.join(unjoined)
        # A page that shows more than we know had it from the database: look again.
        behind = [
            topic
            for topic in topics
            if topic.state and topic.state.version < (shown[topic.key] or 0)
        ]
        missing = [topic for topic in topics if not topic.is_loaded()]
        metrics.HITS.inc(len(topics) - len(missing))
        metrics.MISSES.inc(len(missing))
        if not behind and not missing:
            return
        self._loader.reload(topic.key for topic in behind + missing)
        try:
            async with asyncio.timeout(LOAD_TIMEOUT_S):
                while missing := [t for t in missing if not t.is_loaded()]:
                    await missing[0].until_loaded()
        except TimeoutError:
            raise Unavailable from None

    async def forget_idle(self) -> None:
        """Leave the groups of topics that nobody has watched for a while."""
        while True:
            await asyncio.sleep(settings.LIVE["LINGER_S"] / 2)
            limit = time.monotonic() - settings.LIVE["LINGER_S"]
            idle = [
                topic
                for topic in self._topics.by_key.values()
                if not topic.watchers and topic.idle_since <= limit
            ]
            for topic in idle:
                # Taken for each topic: a socket that joins waits for one, not for all.
                async with self._groups.lock:
                    await self._forget(topic)

    async def _forget(self, topic: Topic) -> None:
        if topic.watchers:  # a socket came while other topics were left
            return
        del self._topics.by_key[topic.key]
        self._audiences.forget(topic.key)
        if not self._registry.is_ownerless(topic.key):
            await self._groups.leave(topic)


def _is_newer(state: State, shown: int | None) -> bool:
    return shown is None or state.version > shown
