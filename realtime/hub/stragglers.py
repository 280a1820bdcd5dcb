"""Sockets that do not keep up, or that ask for nothing."""

import asyncio

from django.conf import settings

from realtime import metrics
from realtime.admission import Admission
from realtime.hub.sockets import Socket

SILENCE_CHECK_S = 0.1


class SlowSockets:
    """Sockets whose clients have not taken all that was sent. Each gets the newest
    states once it has caught up, and is cut if it takes nothing for too long."""

    def __init__(self) -> None:
        self._sockets: set[Socket] = set()
        self._some = asyncio.Event()  # set while there are some

    def __len__(self) -> int:
        return len(self._sockets)

    def add(self, socket: Socket) -> None:
        self._sockets.add(socket)
        self._some.set()

    def discard(self, socket: Socket) -> None:
        self._sockets.discard(socket)

    async def run(self) -> None:
        """Look after slow sockets at each tick."""
        tick = settings.LIVE["TICK_MS"] / 1000
        while True:
            await self._some.wait()
            await asyncio.sleep(tick)
            for socket in tuple(self._sockets):
                self._look_after(socket)
            if not self._sockets:
                self._some.clear()

    def _look_after(self, socket: Socket) -> None:
        if not socket.is_behind():
            self._sockets.discard(socket)
            socket.catch_up()
        elif socket.has_stalled():
            self._sockets.discard(socket)
            metrics.SLOW_CUTS.inc()
            socket.cut()


class SilentSockets:
    """Sockets whose clients have not subscribed to anything."""

    def __init__(self, admission: Admission[Socket]) -> None:
        self._admission = admission

    async def run(self) -> None:
        """Close those that have been silent for too long."""
        while True:
            await asyncio.sleep(SILENCE_CHECK_S)
            for socket in self._admission.silent():
                socket.end_silence()
