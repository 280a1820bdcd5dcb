"""Joins and leaves the topics' groups in the channel layer."""

import asyncio
from collections.abc import Iterable

from realtime.hub.health import Health
from realtime.hub.jobs import start
from realtime.hub.topics import Topic, Topics
from realtime.layer import Layer
from realtime.publish import group_of

LAYER_TIMEOUT_S = 2


class Groups:
    """The groups that the hub's channel is in."""

    def __init__(self, layer: Layer, topics: Topics, health: Health) -> None:
        self.channel: str | None = None  # None while the hub hears nothing
        self.lock = asyncio.Lock()  # held while groups are joined or left
        self._layer, self._topics, self._health = layer, topics, health
        self._unjoined: set[Topic] = set()
        self._next_join: asyncio.Task[None] | None = None  # not under way yet

    async def join_all(self) -> None:
        await self.join(self._topics.by_key.values())

    async def join(self, topics: Iterable[Topic]) -> None:
        """Join the topics' groups. While the layer is away they stay unjoined: the
        audit updates these topics, and the check of the layer joins them later."""
        self._unjoined.update(topic for topic in topics if not topic.joined)
        if not self._unjoined:
            return
        if self._next_join is None:
            self._next_join = start(self._join_next())
        # Shielded: a socket that closes must not cancel the join for the others. All
        # of them go on in one turn of the loop, so one query loads what they want next.
        await asyncio.shield(self._next_join)

    async def _join_next(self) -> None:
        """Wait for the join that is under way, then join all unjoined topics."""
        async with self.lock:
            await asyncio.sleep(0)  # sockets that come in this turn join with us
            self._next_join = None
            topics = [topic for topic in self._unjoined if not topic.joined]
            self._unjoined.clear()
            if self.channel is not None and topics:
                await self._join(topics, self.channel)

    async def _join(self, topics: list[Topic], channel: str) -> None:
        groups = [group_of(topic.key) for topic in topics]
        try:
            async with asyncio.timeout(LAYER_TIMEOUT_S):
                await self._layer.groups_add(groups, channel)
        except Exception as error:
            self._health.fail(error)
            return
        if self.channel == channel:  # else the listener joins everything again
            for topic in topics:
                topic.joined = True

    async def leave(self, topic: Topic) -> None:
        """Leave the topic's group. Called with the lock held."""
        if not topic.joined or self.channel is None:
            return
        try:
            async with asyncio.timeout(LAYER_TIMEOUT_S):
                await self._layer.group_discard(group_of(topic.key), self.channel)
        except Exception as error:
            self._health.fail(error)

    def lose_all(self) -> None:
        """The subscription is dead: no group is joined any more."""
        for topic in self._topics.loadable():
            topic.joined = False

    async def stop(self) -> None:
        if self._next_join is not None:
            self._next_join.cancel()
            await asyncio.wait([self._next_join])
