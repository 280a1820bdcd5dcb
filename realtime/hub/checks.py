"""Finds what no message has announced, and whether messages get through."""

import asyncio
import contextlib

from django.conf import settings

from realtime import metrics
from realtime.hub.database import Database
from realtime.hub.groups import Groups
from realtime.hub.health import Health
from realtime.hub.listener import Listener
from realtime.hub.loading import Loader
from realtime.hub.probe import Probe
from realtime.hub.topics import Topics
from realtime.hub.viewers import Viewers
from realtime.registry import Registry

DEAF_PROBES = 2  # sent and not heard in a row: the subscription is dead


class Audit:
    """Compares the hub's states with the database."""

    def __init__(
        self,
        registry: Registry,
        database: Database,
        topics: Topics,
        loader: Loader,
        viewers: Viewers,
        health: Health,
    ) -> None:
        self._registry, self._database = registry, database
        self._topics, self._loader = topics, loader
        self._viewers, self._health = viewers, health
        self._newer: dict[str, int] = {}  # versions that the last audit found

    async def run(self) -> None:
        while True:
            await self._pause()
            await self.compare()

    async def _pause(self) -> None:
        """Wait for a short time while the layer is away. Otherwise wait for a long
        time, or until it fails."""
        if self._health.is_degraded:
            await asyncio.sleep(settings.LIVE["PROBE_S"])
            return
        self._health.alarm.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(settings.LIVE["AUDIT_S"]):
                await self._health.alarm.wait()

    async def compare(self) -> None:
        """Reload every topic of which the database has a newer version, and look again
        at every viewer whose account or session has changed."""
        self._loader.follow(await self._database.ask(self._registry.timeline))
        await self._viewers.audit()
        self._count_gaps()
        held = {
            topic.key: topic.state.version
            for topic in self._topics.loadable()
            if topic.state is not None
        }
        if held:
            versions = await self._database.ask(self._registry.versions, list(held))
            newer = {key: new for key, new in versions.items() if new > held[key]}
            self._loader.reload(newer)
            if not self._health.is_degraded:  # else messages are known to be lost
                self._newer = newer

    def _count_gaps(self) -> None:
        """Count the versions that the last audit found and no message has announced
        since. (An audit may see a commit before its message comes.)"""
        newer, topics = self._newer, self._topics.by_key
        self._newer = {}
        lost = [k for k, v in newer.items() if k in topics and topics[k].announced < v]
        metrics.GAPS.inc(len(lost))

    def forget(self) -> None:
        """The versions that the last audit found are of another timeline."""
        self._newer = {}


class LayerCheck:
    """Probes the layer, and repairs what its loss has left."""

    def __init__(
        self,
        probe: Probe,
        listener: Listener,
        groups: Groups,
        audit: Audit,
        health: Health,
    ) -> None:
        self._probe, self._listener, self._groups = probe, listener, groups
        self._audit, self._health = audit, health

    async def run(self) -> None:
        deaf = 0
        while True:
            await asyncio.sleep(settings.LIVE["PROBE_S"])
            try:
                deaf = 0 if await self._probe.comes_back() else deaf + 1
            except Exception as error:
                self._health.fail(error)
                continue
            if not deaf:
                await self.recover()
            elif deaf % DEAF_PROBES == 0:
                await self._listener.restart()

    async def recover(self) -> None:
        """Messages get through. If they did not before, compare everything."""
        await self._groups.join_all()
        if self._health.is_degraded:
            self._health.recover()
            metrics.RESYNCS.inc()
            await self._audit.compare()
