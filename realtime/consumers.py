"""The socket at `/ws/`. It listens: whatever changes the shop travels by POST.

A plain ASGI callable rather than a Channels consumer class: that one keeps a task and
a subscription for every socket and hops through a shared thread for every message.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from django.conf import settings
from django.http.cookie import parse_cookie

from products import live
from products.live import Viewer
from realtime import eager, protocol
from realtime.hub import Audience, Hub, Unavailable, get_hub
from realtime.origins import is_allowed
from realtime.protocol import BadFrame, Close, Subscribe

logger = logging.getLogger(__name__)

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Gone(Exception):
    """The client left while it was being answered; servers say so in many ways."""


async def refuse(scope: dict, receive: Receive, send: Send) -> None:
    """Answer a handshake with 403."""
    await receive()
    await send({"type": "websocket.close"})


class ShopConsumer:
    """One socket: what it watches, and what it is owed while it is slow."""

    __slots__ = (
        "audiences",
        "is_dismissed",
        "_hub",
        "_owed",
        "_scope",
        "_sending",
        "_server",
        "_session",
        "_times",
        "_viewer",
        "__weakref__",
    )

    @classmethod
    def as_asgi(cls) -> Callable[[dict, Receive, Send], Awaitable[None]]:
        async def application(scope: dict, receive: Receive, send: Send) -> None:
            if is_allowed(scope):
                await cls(scope, send).serve(receive)
            else:
                await refuse(scope, receive, send)

        return application

    def __init__(self, scope: dict, send: Send) -> None:
        self.audiences: tuple[Audience, ...] = ()
        self.is_dismissed = False
        self._hub: Hub = get_hub()
        self._scope, self._server = scope, send
        self._viewer: Viewer | None = None  # asked for with the first topic of theirs
        self._session: str | None = None  # its key, once asked for
        self._sending: asyncio.Task | None = None
        self._owed: set[str] = set()
        self._times: list[float] = []  # of the last frames received

    async def serve(self, receive: Receive) -> None:
        """Answer the client's frames until one side closes."""
        try:
            while True:
                message = await receive()
                if message["type"] == "websocket.connect":
                    await self._accept()
                elif message["type"] == "websocket.disconnect":
                    return
                elif not await self._hear(message):
                    return
        except Gone as gone:
            logger.debug("An answer was not taken: %r", gone.__cause__)
        finally:
            self._hub.leave(self, self._session)

    async def _accept(self) -> None:
        offered = self._scope.get("subprotocols") or []
        if offered and protocol.SUBPROTOCOL not in offered:
            await self._send({"type": "websocket.close"})
            return
        chosen = protocol.SUBPROTOCOL if offered else None
        await self._send({"type": "websocket.accept", "subprotocol": chosen})

    # --- In -------------------------------------------------------------------

    async def _hear(self, message: dict) -> bool:
        """Answer one frame; False if the conversation has ended."""
        if self.is_dismissed:
            return False
        text = message.get("text")
        if (reason := self._offence(text)) is not None:
            await self._close(reason)
            return False
        try:
            await self._subscribe(protocol.parse(text))
        except BadFrame as bad:
            await self._say(protocol.err(bad.code, str(bad), bad.request_id))
        return True

    def _offence(self, text: str | None) -> Close | None:
        if text is None:
            return Close.BINARY_FRAME
        if len(text.encode()) > settings.LIVE["MAX_FRAME_BYTES"]:
            return Close.FRAME_TOO_LARGE
        now = time.monotonic()
        horizon = now - settings.LIVE["FRAMES_WINDOW_S"]
        self._times = [moment for moment in self._times if moment > horizon] + [now]
        if len(self._times) > settings.LIVE["MAX_FRAMES"]:
            return Close.TOO_MANY_FRAMES
        return None

    async def _subscribe(self, asked: Subscribe) -> None:
        try:
            shown, unknown = await self._keys(asked)
            items, missing = await self._hub.watch(self, shown, asked.language)
        except Unavailable:
            text = "The shop's database does not answer. Please ask again."
            await self._say(protocol.err("unavailable", text, asked.request_id))
            return
        if self.is_dismissed:
            return  # while we looked: the goodbye was the last word
        unknown += map(live.name_of, missing)
        if unknown:
            text = "There are no such topics."
            frame = protocol.err(
                "unknown_topic", text, asked.request_id, topics=sorted(unknown)
            )
            await self._say(frame)
        await self._say(protocol.snap(asked.request_id, items))

    async def _keys(self, asked: Subscribe) -> tuple[dict[str, int | None], list[str]]:
        """The keys of the topics asked for, and the names that mean nothing."""
        if self._viewer is None and not all(map(live.is_public, asked.topics)):
            self._session = self._session_key()
            self._viewer = await self._hub.welcome(self, self._session)
        viewer = self._viewer or live.STRANGER
        keys = {name: live.key_of(name, viewer) for name in asked.topics}
        shown = {key: asked.topics[name] for name, key in keys.items() if key}
        return shown, [name for name, key in keys.items() if key is None]

    def _session_key(self) -> str | None:
        for name, value in self._scope["headers"]:
            if name == b"cookie":
                return session_key_from(value.decode("latin1"))
        return None

    # --- Out ------------------------------------------------------------------

    async def _send(self, message: dict[str, Any]) -> None:
        """Raises `Gone`."""
        try:
            await self._server(message)
        except Exception as error:  # Autobahn's, uvicorn's, the system's
            raise Gone from error

    async def _say(self, frame: str) -> None:
        await self._send({"type": "websocket.send", "text": frame})

    def push(self, frame: str, keys: Iterable[str]) -> None:
        """Send a frame; if the last one is still under way, note what is owed."""
        if self._sending is not None:
            self._owed.update(keys)
            return
        try:
            self._sending = eager.start(self._say(frame))
        except Gone as gone:  # one broken socket must not stop a broadcast
            logger.debug("A frame was not taken: %r", gone.__cause__)
        if self._sending is not None:
            self._sending.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task) -> None:
        self._sending = None
        if task.cancelled() or task.exception() is not None:
            return  # the client is gone; `serve` hears of it too
        owed, self._owed = self._owed, set()
        if owed:
            self._hub.catch_up(self, owed)

    def dismiss(self, reason: Close) -> None:
        """Say goodbye because the identity has ended; nothing is heard after it."""
        self.is_dismissed = True
        self._owed.clear()
        self._hub.leave(self, self._session)
        try:
            eager.start(self._close(reason))
        except Gone as gone:  # which is what was wanted
            logger.debug("A goodbye was not taken: %r", gone.__cause__)

    async def _close(self, reason: Close) -> None:
        await self._say(protocol.bye(reason))
        await self._send({"type": "websocket.close", "code": int(reason)})


def session_key_from(header: str) -> str | None:
    """The session's key in a Cookie header; None if it has none that can be one.

    Read as the pages read it: a strange cookie beside it hides nothing.
    """
    key = parse_cookie(header).get(settings.SESSION_COOKIE_NAME)
    # A quoted cookie can say any character, and PostgreSQL takes no NUL.
    return key if key and key.isprintable() else None
