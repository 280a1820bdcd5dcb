"""Puts the hub's parts together, and is what consumers and the server call."""

import asyncio
import logging
from collections.abc import Iterable
from typing import cast

from channels.layers import get_channel_layer

from realtime import draining, metrics, protocol
from realtime.admission import Admission
from realtime.hub.audiences import Audiences
from realtime.hub.checks import Audit, LayerCheck
from realtime.hub.database import Database
from realtime.hub.groups import Groups
from realtime.hub.health import Health
from realtime.hub.heartbeats import Heartbeats
from realtime.hub.jobs import Job, keep_running, start
from realtime.hub.listener import Listener
from realtime.hub.loading import Loader
from realtime.hub.monitor import Monitor
from realtime.hub.pacing import PacedWriter
from realtime.hub.probe import Probe
from realtime.hub.slots import Turns
from realtime.hub.sockets import Socket
from realtime.hub.stragglers import SilentSockets, SlowSockets
from realtime.hub.subscriptions import Snapshot, Subscriptions, Versions
from realtime.hub.topics import Topics
from realtime.hub.viewers import Viewers
from realtime.hub.writing import YIELD_EVERY, Writer
from realtime.layer import Layer
from realtime.protocol import Frame
from realtime.registry import Registry, Viewer

logger = logging.getLogger(__name__)


class Hub:
    """See the package. All methods run on the event loop's thread."""

    def __init__(self, registry: Registry) -> None:
        layer = cast(Layer, get_channel_layer())
        self.registry = registry
        self.admission: Admission[Socket] = Admission()
        self.database = Database()
        self.health = Health()

        # What is watched.
        turns = Turns()
        self.topics = Topics(registry)
        self.audiences = Audiences(self.topics, turns)

        # Out to sockets.
        self.writer = Writer(self.topics, self.audiences)
        self.paced = PacedWriter(self.topics, self.audiences, turns, self.admission)
        self.heartbeats = Heartbeats(
            self.topics, self.audiences, self.admission, self.writer.lock
        )
        self.slow = SlowSockets()
        self.silent = SilentSockets(self.admission)

        # In from the database and the channel layer.
        self.viewers = Viewers(registry, self.database)
        self.loader = Loader(
            registry, self.database, self.topics, self.writer, self._on_restore
        )
        self.groups = Groups(layer, self.topics, self.health)
        self.probe = Probe(layer, self.health)
        self.listener = Listener(
            layer,
            self.groups,
            self.probe,
            self.health,
            self.topics,
            self.loader,
            self.viewers.hear,
        )
        self.subscriptions = Subscriptions(
            registry,
            self.topics,
            self.audiences,
            self.groups,
            self.loader,
            self.health,
        )

        # Checks.
        self.audit = Audit(
            registry,
            self.database,
            self.topics,
            self.loader,
            self.viewers,
            self.health,
        )
        self.layer_check = LayerCheck(
            self.probe, self.listener, self.groups, self.audit, self.health
        )
        self.monitor = Monitor(self.topics, self.loader, registry.pulse_key)

        self._tasks: list[asyncio.Task[None]] = []
        self._farewell: asyncio.Task[None] | None = None

    # --- Life -----------------------------------------------------------------

    def start(self) -> None:
        """Begin to listen; done once, when the first socket opens."""
        jobs: list[Job] = [
            self.writer.run,
            self.paced.run,
            self.heartbeats.run,
            self.loader.run,
            self.audit.run,
            self.layer_check.run,
            self.subscriptions.forget_idle,
            self.slow.run,
            self.silent.run,
            self.viewers.run,
            self.monitor.watch_loop,
            self.monitor.note_pulse,
            self.monitor.exchange_pulses,
        ]
        metrics.DIRTY.set_function(lambda: len(self.topics.dirty))
        metrics.SLOW.set_function(lambda: len(self.slow))
        metrics.DEGRADED.set_function(lambda: self.health.is_degraded)
        self._tasks = [start(keep_running(job)) for job in jobs]
        self.listener.start()

    async def stop(self) -> None:
        """End every job and close the connections."""
        tasks = [*self._tasks, *filter(None, [self._farewell])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.listener.stop()
        await self.groups.stop()
        await self.viewers.stop()
        await self.database.close()

    async def farewell(self) -> None:
        """Ask every socket to come back later, to another process or to this one."""
        sockets = tuple(self.admission.sockets)
        for number, socket in enumerate(sockets, start=1):
            socket.farewell(draining.retry_ms(len(sockets)))
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)

    def _on_restore(self) -> None:
        logger.warning(
            "The database was restored, or a standby took over: %d sockets come back.",
            len(self.admission.sockets),
        )
        self.audit.forget()
        self._farewell = asyncio.ensure_future(self.farewell())

    # --- What consumers call --------------------------------------------------

    async def identify(self, socket: Socket, session_key: str | None) -> Viewer:
        """The viewer of a socket. The socket is dismissed when its session no longer
        stands for that viewer. Raises `Unavailable`."""
        return await self.viewers.identify(socket, session_key)

    def count_sockets(self, session_key: str | None) -> int:
        """How many sockets the viewer with that session has open in this process."""
        return self.viewers.count_sockets(session_key)

    async def watch(
        self,
        socket: Socket,
        shown: Versions,
        language: str | None,
        timeline: str | None = None,
        pace: int = 0,
    ) -> Snapshot:
        """Make the topics `shown` all that `socket` watches, with at least `pace`
        milliseconds between two frames.

        Returns the items that are newer than the versions shown, or all items if these
        versions count on another timeline. Raises `Unavailable`: the socket then
        watches what it did before.
        """
        return await self.subscriptions.watch(socket, shown, language, timeline, pace)

    def leave(self, socket: Socket, session_key: str | None = None) -> None:
        """The socket is gone. `session_key` is the one that was identified with it."""
        self.audiences.move(socket, ())
        self.slow.discard(socket)
        self.viewers.leave(socket, session_key)

    def note_slow(self, socket: Socket) -> None:
        """Note that the socket's client has not taken all that was sent to it."""
        self.slow.add(socket)

    def catch_up(self, socket: Socket, keys: Iterable[str]) -> None:
        """Send `socket` the newest states of the topics that it missed."""
        for audience in socket.audiences:
            owed = sorted(audience.keys.intersection(keys))
            items = [self.topics.by_key[key].item(audience.language) for key in owed]
            if items:
                socket.push(Frame(protocol.upd(items)), owed)
