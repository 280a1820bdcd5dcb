"""Sends frames to one client, and keeps what it is owed while it is slow."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from django.conf import settings

from realtime import eager, protocol
from realtime.hub.hub import Hub
from realtime.hub.sockets import Audience
from realtime.protocol import Frame

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]

WIRE = "shop.wire"  # realtime/server.py offers it; other servers don't


class Gone(Exception):
    """The client left while it was being answered; servers say so in many ways."""


class Connection:
    """One open socket, as far as sending goes.

    If the server offers its wire, frames go there, and the wire knows how many bytes
    the client has not taken. Otherwise frames go by plain `send`, which waits for the
    client. Clients get the same frames either way.
    """

    __slots__ = (
        *("audiences", "is_dismissed"),
        *("_hub", "_server", "_wire", "_sending", "_owed", "_progress"),
        "__weakref__",
    )

    def __init__(self, scope: Scope, hub: Hub, send: Send) -> None:
        self.audiences: tuple[Audience, ...] = ()
        self.is_dismissed = False
        self._hub, self._server = hub, send
        self._wire = scope.get("extensions", {}).get(WIRE)
        self._sending: asyncio.Task[None] | None = None  # by plain `send`
        self._owed: set[str] | None = None  # keys of topics; None if it keeps up
        self._progress: tuple[int, float] | None = None  # bytes pending, since when

    async def accept(self, scope: Scope) -> None:
        chosen = protocol.SUBPROTOCOL if scope.get("subprotocols") else None
        await self._send({"type": "websocket.accept", "subprotocol": chosen})

    async def _send(self, message: dict[str, Any]) -> None:
        """Raises `Gone`."""
        try:
            await self._server(message)
        # The system's or uvicorn's; Autobahn's.
        except (OSError, RuntimeError) as error:
            raise Gone from error

    async def _say(self, text: str) -> None:
        """Send a frame, whatever the client has not taken. Raises `Gone`."""
        if self._wire is None:
            await self._send({"type": "websocket.send", "text": text})
        elif self._wire.put(Frame(text).wire):
            self._hub.lags(self)

    def push(self, frame: Frame, keys: Iterable[str]) -> bool:
        """See `Socket.push`."""
        if self._wire is None:
            return self._push_by_send(frame, keys)
        left = self._wire.offer(frame.wire)
        if left is None:
            self._owe(keys)
            return False
        if left:
            self._hub.lags(self)
        return True

    def _push_by_send(self, frame: Frame, keys: Iterable[str]) -> bool:
        if self._sending is not None:
            self._owe(keys)
            return False
        try:
            self._sending = eager.start(self._say(frame.text))
        except Gone as gone:  # one broken socket must not stop a broadcast
            logger.debug("A frame was not taken: %r", gone.__cause__)
        if self._sending is not None:
            self._sending.add_done_callback(self._sent)
        return True

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending = None
        if not task.cancelled() and task.exception() is None:
            self.catch_up()
        # Else the client is gone, and `serve` hears of it too.

    def _owe(self, keys: Iterable[str]) -> None:
        if self._owed is None:
            self._owed = set()
            self._hub.lags(self)
        self._owed.update(keys)

    def is_behind(self) -> bool:
        """See `Socket.is_behind`."""
        if self._wire is None:
            return self._sending is not None
        return bool(self._wire.pending() > 0)

    def catch_up(self) -> None:
        """See `Socket.catch_up`."""
        owed, self._owed, self._progress = self._owed, None, None
        if owed and not self.is_dismissed:
            self._hub.catch_up(self, owed)

    def has_stalled(self) -> bool:
        """See `Socket.has_stalled`. (A server without a wire does not say, and has
        limits of its own.)"""
        if self._wire is None:
            return False
        pending, now = self._wire.pending(), time.monotonic()
        if self._progress is None or pending < self._progress[0]:
            self._progress = pending, now
        return now - self._progress[1] > settings.LIVE["SLOW_S"]

    def cut(self) -> None:
        """See `Socket.cut`."""
        self._wire.cut()
