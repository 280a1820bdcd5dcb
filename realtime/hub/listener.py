"""Hears the channel layer."""

import asyncio
from collections.abc import Callable
from typing import Any

from realtime import metrics
from realtime.hub.groups import LAYER_TIMEOUT_S, Groups
from realtime.hub.health import Health
from realtime.hub.jobs import keep_running, start
from realtime.hub.loading import Loader
from realtime.hub.probe import Probe
from realtime.hub.topics import Topics
from realtime.layer import Layer
from realtime.publish import PEOPLE, group_of
from realtime.registry import State


class Listener:
    """Receives messages and hands each to whom it concerns.

    `hear_of` takes the name of a session or a person that has changed, as
    `publish.announce` says it.
    """

    def __init__(
        self,
        layer: Layer,
        groups: Groups,
        probe: Probe,
        health: Health,
        topics: Topics,
        loader: Loader,
        hear_of: Callable[[str], None],
    ) -> None:
        self._layer, self._groups, self._probe = layer, groups, probe
        self._health, self._topics, self._loader = health, topics, loader
        self._hear_of = hear_of
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = start(keep_running(self._receive))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def restart(self) -> None:
        """The layer answers, but the subscription is dead and does not know it."""
        await self.stop()
        try:
            async with asyncio.timeout(LAYER_TIMEOUT_S):
                await self._layer.flush()
        except Exception as error:
            self._health.fail(error)
        self._groups.lose_all()
        self.start()

    async def _receive(self) -> None:
        try:
            async with asyncio.timeout(LAYER_TIMEOUT_S):
                await self._probe.send()  # an unused channel would stay forever
                channel = await self._layer.new_channel()
                groups = [*self._probe.groups(), group_of(PEOPLE)]
                await self._layer.groups_add(groups, channel)
        except Exception as error:
            self._health.fail(error)
            return  # and again in a second
        self._groups.channel = channel
        try:
            await self._groups.join_all()
            self._loader.reload(self._topics.by_key)
            while True:
                self._dispatch(await self._layer.receive(channel))
        finally:
            self._groups.channel = None

    def _dispatch(self, event: dict[str, Any]) -> None:
        if event["topic"] == self._probe.topic:
            self._probe.hear(event)
        elif event["topic"] == PEOPLE:
            self._hear_of(event["of"])
        else:
            self.hear(event)

    def hear(self, event: dict[str, Any]) -> None:
        """A topic has changed. Without facts, the message is a hint to load it."""
        metrics.MESSAGES.inc()
        topic = self._topics.by_key.get(event["topic"])
        if topic is None:
            return  # nobody watches it any more
        topic.announced = max(topic.announced, event["version"])
        if topic.state is not None and event["version"] <= topic.state.version:
            return
        if topic.waiting_since is None:
            topic.waiting_since = event.get("at")
        topic.request_id = event.get("request_id")
        if event["facts"] is None:
            self._loader.reload([topic.key])
        else:
            self._topics.accept(topic, State(event["version"], event["facts"]))
