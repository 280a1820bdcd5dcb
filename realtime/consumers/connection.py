"""Sends frames to one client, keeps what it is owed while it is slow, and closes."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from django.conf import settings

from realtime import eager, metrics, protocol
from realtime.asgi import Scope, Send
from realtime.hub.hub import Hub
from realtime.hub.sockets import Audience
from realtime.protocol import Close, Frame

if TYPE_CHECKING:
    from realtime.server.wire import Wire

logger = logging.getLogger(__name__)

WIRE = "shop.wire"  # `realtime.server` offers it; other servers do not
INTERNAL_ERROR = 1011  # RFC 6455


class Gone(Exception):
    """The client left before it took what was sent."""


class Connection:
    """One open socket, as far as sending and closing go: the hub's `Socket`.

    If the server offers its wire, frames go there, and the wire knows how many bytes
    the client has not taken. Otherwise frames go by plain `send`, which waits for the
    client. Clients get the same frames either way.
    """

    __slots__ = (
        *("audiences", "is_dismissed"),
        *("_hub", "_server", "_wire", "_sending", "_owed", "_progress", "_code"),
        "__weakref__",
    )

    def __init__(self, scope: Scope, hub: Hub, send: Send) -> None:
        self.audiences: tuple[Audience, ...] = ()
        self.is_dismissed = False
        self._hub, self._server = hub, send
        self._wire: Wire | None = scope.get("extensions", {}).get(WIRE)
        self._sending: asyncio.Task[None] | None = None  # by plain `send`
        self._owed: set[str] | None = None  # keys of topics; None if it keeps up
        self._progress: tuple[int, float] | None = None  # bytes pending, since when
        self._code: int | None = None  # that we close with

    async def accept(self, scope: Scope) -> None:
        chosen = protocol.SUBPROTOCOL if scope.get("subprotocols") else None
        await self._send({"type": "websocket.accept", "subprotocol": chosen})

    async def _send(self, message: dict[str, Any]) -> None:
        """Raises `Gone`."""
        try:
            await self._server(message)
        except (OSError, RuntimeError) as error:  # uvicorn's and Autobahn's
            raise Gone from error

    async def _say(self, text: str) -> None:
        """Send a frame, whatever the client has not taken. Raises `Gone`."""
        if self._wire is None:
            await self._send({"type": "websocket.send", "text": text})
        elif self._wire.put(Frame(text).wire):
            self._hub.note_slow(self)

    def push(self, frame: Frame, keys: Iterable[str]) -> bool:
        """See `Socket.push`."""
        if self._wire is None:
            return self._push_by_send(frame, keys)
        left = self._wire.offer(frame.wire)
        if left is None:
            self._owe(keys)
            return False
        if left:
            self._hub.note_slow(self)
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
            self._hub.note_slow(self)
        self._owed.update(keys)

    def is_behind(self) -> bool:
        """See `Socket.is_behind`."""
        if self._wire is None:
            return self._sending is not None
        return self._wire.pending() > 0

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
        patience_s: float = settings.LIVE["SLOW_S"]
        return now - self._progress[1] > patience_s

    def cut(self) -> None:
        """See `Socket.cut`."""
        if self._wire is not None:
            self._wire.cut()

    # --- The end --------------------------------------------------------------

    def dismiss(self, reason: Close) -> None:
        """See `Socket.dismiss`."""
        self._end(self._close(reason))

    def end_silence(self) -> None:
        """See `Socket.end_silence`."""
        metrics.REFUSALS.labels("silent").inc()
        self._end(self._close(Close.SILENT))

    def farewell(self, retry_ms: int) -> None:
        """See `Socket.farewell`."""
        self._end(self._close(Close.RESTART, retry_ms))

    def _end(self, goodbye: Coroutine[Any, Any, None]) -> None:
        self.is_dismissed = True
        self._owed = None
        self._leave()
        try:
            eager.start(goodbye)
        except Gone as gone:  # which is what was wanted
            logger.debug("A goodbye was not taken: %r", gone.__cause__)

    def _leave(self) -> None:
        """The socket watches nothing any more."""
        self._hub.leave(self)

    async def _close(self, reason: Close, retry_ms: int | None = None) -> None:
        """Say why, and close. Raises `Gone`."""
        self._code = int(reason)
        await self._say(protocol.bye(reason, retry_ms))
        await self._send({"type": "websocket.close", "code": int(reason)})

    async def break_off(self) -> None:
        """Close because we have failed."""
        self._code = INTERNAL_ERROR
        with contextlib.suppress(Gone):
            await self._send({"type": "websocket.close", "code": INTERNAL_ERROR})
