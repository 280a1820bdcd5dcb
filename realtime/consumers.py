"""The socket at `/ws/`. It listens: whatever changes the shop travels by POST.

A plain ASGI callable rather than a Channels consumer class: that one keeps a task and
a subscription for every socket and hops through a shared thread for every message.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from django.conf import settings
from django.http.cookie import parse_cookie

from products.live import kinds, viewers
from products.live.viewers import Viewer
from realtime import admission, eager, metrics, protocol, request_ids
from realtime.addresses import client_of
from realtime.admission import Refusal
from realtime.hub import Audience, Hub, Unavailable, get_hub
from realtime.origins import is_allowed
from realtime.protocol import BadFrame, Close, Frame, Subscribe

logger = logging.getLogger(__name__)

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]

INTERNAL_ERROR = 1011  # RFC 6455
WIRE = "shop.wire"  # realtime/server.py offers it; other servers don't


class Gone(Exception):
    """The client left while it was being answered; servers say so in many ways."""


def refusing(
    refusal: admission.Refusal,
) -> Callable[[dict, Receive, Send], Awaitable[None]]:
    """Return an ASGI application that refuses each handshake so."""

    async def refuse(scope: dict, receive: Receive, send: Send) -> None:
        await receive()
        await admission.refuse(scope, send, refusal)

    return refuse


class ShopConsumer:
    """One socket: what it watches, and what it is owed while it is slow.

    Where the server offers its wire, frames go there; where not, by plain `send`. What
    a client gets is the same.
    """

    __slots__ = (
        *("audiences", "is_dismissed"),
        *("_hub", "_server", "_wire", "_sending"),
        *("_key", "_session", "_viewer"),
        *("_owed", "_asked", "_answering", "_progress"),
        *("_times", "_code", "_request_id"),
        "__weakref__",
    )

    @classmethod
    def as_asgi(cls) -> Callable[[dict, Receive, Send], Awaitable[None]]:
        async def application(scope: dict, receive: Receive, send: Send) -> None:
            begun = time.monotonic()
            request_ids.begin(scope)
            await receive()  # "websocket.connect"
            hub, address = get_hub(), client_of(scope)
            socket = cls(scope, hub, send)
            refusal = _objection(scope) or hub.admission.enter(socket, address)
            if refusal is not None:
                await admission.refuse(scope, send, refusal)
                return
            try:
                await socket.accept(scope)
                hub.admission.opened(socket)
                metrics.HANDSHAKE.observe(time.monotonic() - begun)
                logger.debug("A socket is open")
                del scope  # most of it is of no use any more
                await socket.serve(receive)
            except Gone as gone:
                logger.debug("An answer was not taken: %r", gone.__cause__)
            except Exception:  # the server would not know whose line it is
                logger.exception("A socket failed")
                await socket.break_off()
            finally:
                hub.admission.leave(socket, address)

        return application

    def __init__(self, scope: dict, hub: Hub, send: Send) -> None:
        self.audiences: tuple[Audience, ...] = ()
        self.is_dismissed = False
        self._hub, self._server = hub, send
        self._wire = scope.get("extensions", {}).get(WIRE)
        self._sending: asyncio.Task | None = None  # by plain `send`
        self._key = session_key_from(_cookie_of(scope))
        self._viewer: Viewer | None = None  # asked for with the first topic of theirs
        self._session: str | None = None  # the key, once asked for
        self._owed: set[str] | None = None
        self._asked: str | None = None  # and not answered while the client is slow
        self._answering: asyncio.Task | None = None
        self._progress: tuple[int, float] | None = None  # bytes pending, since when
        self._times: list[float] = []  # of the last frames received
        self._code: int | None = None  # that we close with
        self._request_id = request_ids.current()

    async def accept(self, scope: dict) -> None:
        chosen = protocol.SUBPROTOCOL if scope.get("subprotocols") else None
        await self._send({"type": "websocket.accept", "subprotocol": chosen})

    async def serve(self, receive: Receive) -> None:
        """Answer the client's frames until one side closes."""
        metrics.SOCKETS.labels("public").inc()
        code = None
        try:
            while True:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    code = message.get("code")
                    return
                if not await self._hear(message):
                    return
        finally:
            if self._answering is not None:
                self._answering.cancel()
            self._hub.leave(self, self._session)
            metrics.SOCKETS.labels(self._kind).dec()
            metrics.CLOSES.labels(_label(self._code or code)).inc()
            logger.debug("A socket is closed: %s", self._code or code)

    @property
    def _kind(self) -> str:
        return "public" if self._viewer is None else "personal"

    # --- In -------------------------------------------------------------------

    async def _hear(self, message: dict) -> bool:
        """Answer one frame; False if the conversation has ended."""
        if self.is_dismissed:
            return False
        text = message.get("text")
        if (reason := self._offence(text)) is not None:
            metrics.REFUSALS.labels(reason.name.lower()).inc()
            await self._close(reason)
            return False
        if self._answering is not None:
            await asyncio.wait([self._answering])
        if self._wire is not None and self._wire.pending():
            self._asked = text  # the last question is answered when it reads again
            self._hub.lags(self)
        else:
            await self._answer(text)
        return not self.is_dismissed

    async def _answer(self, text: str) -> None:
        try:
            asked = protocol.parse(text)
        except BadFrame as bad:
            await self._say(protocol.err(bad.code, str(bad), bad.request_id))
            return
        self._hub.admission.asks(self)
        await self._subscribe(asked)
        self._hub.admission.answered(self)

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
            items, missing = await self._hub.watch(
                self, shown, asked.language, asked.timeline, asked.pace
            )
            timeline = self._hub.timeline
            if self._wire is not None:
                self._wire.is_resting = asked.pace > 0
        except Unavailable:
            text = "The shop's database does not answer. Please ask again."
            await self._say(protocol.err("unavailable", text, asked.request_id))
            return
        if self.is_dismissed:
            return  # while we looked: the goodbye was the last word
        unknown += map(kinds.name_of, missing)
        if unknown:
            text = "There are no such topics."
            frame = protocol.err(
                "unknown_topic", text, asked.request_id, topics=sorted(unknown)
            )
            await self._say(frame)
        told = timeline if asked.timeline is not None else None
        await self._say(protocol.snap(asked.request_id, items, told))

    async def _keys(self, asked: Subscribe) -> tuple[dict[str, int | None], list[str]]:
        """The keys of the topics asked for, and the names that mean nothing."""
        if self._viewer is None and not all(map(kinds.is_public, asked.topics)):
            await self._identify()
        viewer = self._viewer or viewers.STRANGER
        keys = {name: kinds.key_of(name, viewer) for name in asked.topics}
        shown = {key: asked.topics[name] for name, key in keys.items() if key}
        return shown, [name for name, key in keys.items() if key is None]

    async def _identify(self) -> None:
        """Find out whose socket it is, which takes a query."""
        self._session = self._key
        viewer = await self._hub.welcome(self, self._session)
        metrics.SOCKETS.labels(self._kind).dec()
        self._viewer = viewer
        metrics.SOCKETS.labels(self._kind).inc()
        if self._hub.company(self._session) > settings.LIVE["SOCKETS_PER_PERSON"]:
            metrics.REFUSALS.labels("person").inc()
            self.dismiss(Close.TOO_MANY_SOCKETS)

    # --- Out ------------------------------------------------------------------

    async def _send(self, message: dict[str, Any]) -> None:
        """Raises `Gone`."""
        try:
            await self._server(message)
        # The system's or uvicorn's; Autobahn's.
        except (OSError, RuntimeError) as error:
            raise Gone from error

    async def _say(self, text: str) -> None:
        """Raises `Gone`."""
        if self._wire is None:
            await self._send({"type": "websocket.send", "text": text})
        elif self._wire.put(Frame(text).wire):
            self._hub.lags(self)

    def push(self, frame: Frame, keys: Iterable[str]) -> bool:
        """Send a frame, or, if the last one is still under way, note what is owed;
        whether it was sent."""
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
        self._start(frame)
        return True

    def is_behind(self) -> bool:
        if self._wire is None:
            return self._sending is not None
        return self._wire.pending() > 0

    def _owe(self, keys: Iterable[str]) -> None:
        if self._owed is None:
            self._owed = set()
            self._hub.lags(self)
        self._owed.update(keys)

    def _start(self, frame: Frame) -> None:
        """By plain `send`, which may wait for the client."""
        try:
            self._sending = eager.start(self._say(frame.text))
        except Gone as gone:  # one broken socket must not stop a broadcast
            logger.debug("A frame was not taken: %r", gone.__cause__)
        if self._sending is not None:
            self._sending.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task) -> None:
        self._sending = None
        if not task.cancelled() and task.exception() is None:
            self.catch_up()
        # Else the client is gone; `serve` hears of it too.

    def catch_up(self) -> None:
        """It keeps up again: answer what it asked last, or send what it is owed."""
        owed, self._owed = self._owed, None
        asked, self._asked, self._progress = self._asked, None, None
        if self.is_dismissed:
            return
        if asked is not None:  # the answer has what is owed too
            # The hub calls us, and the answer is this socket's.
            context = request_ids.context_of(self._request_id)
            self._answering = asyncio.create_task(self._answer(asked), context=context)
            self._answering.add_done_callback(self._answered, context=context)
        elif owed:
            self._hub.catch_up(self, owed)

    def _answered(self, task: asyncio.Task) -> None:
        self._answering = None
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, Gone):
            logger.error("An answer failed", exc_info=error)

    def has_stalled(self) -> bool:
        """Whether the client has taken nothing for too long. (Where the server has no
        wire it does not say, and has limits of its own.)"""
        if self._wire is None:
            return False
        pending, now = self._wire.pending(), time.monotonic()
        if self._progress is None or pending < self._progress[0]:
            self._progress = pending, now
        return now - self._progress[1] > settings.LIVE["SLOW_S"]

    def cut(self) -> None:
        self._wire.cut()

    # --- The end --------------------------------------------------------------

    def dismiss(self, reason: Close) -> None:
        """Say goodbye because the identity has ended; nothing is heard after it."""
        self._go(self._close(reason))

    def end_silence(self) -> None:
        """Say goodbye because it has asked for nothing."""
        metrics.REFUSALS.labels("silent").inc()
        self._go(self._close(Close.SILENT))

    def farewell(self, retry_ms: int) -> None:
        """Say goodbye because the process ends: come back, not all at once."""
        self._go(self._close(Close.RESTART, retry_ms))

    def _go(self, goodbye: Coroutine[Any, Any, None]) -> None:
        self.is_dismissed = True
        self._owed = self._asked = None
        self._hub.leave(self, self._session)
        try:
            eager.start(goodbye)
        except Gone as gone:  # which is what was wanted
            logger.debug("A goodbye was not taken: %r", gone.__cause__)

    async def break_off(self) -> None:
        """Close because we have failed."""
        self._code = INTERNAL_ERROR
        with contextlib.suppress(Gone):
            await self._send({"type": "websocket.close", "code": INTERNAL_ERROR})

    async def _close(self, reason: Close, retry_ms: int | None = None) -> None:
        self._code = int(reason)
        await self._say(protocol.bye(reason, retry_ms))
        await self._send({"type": "websocket.close", "code": int(reason)})


def _objection(scope: dict) -> Refusal | None:
    """Why nobody may open such a socket here."""
    if not is_allowed(scope):
        return admission.ORIGIN
    offered = scope.get("subprotocols") or []
    if offered and protocol.SUBPROTOCOL not in offered:
        return admission.SUBPROTOCOL
    return None


def _cookie_of(scope: dict) -> str:
    for name, value in scope["headers"]:
        if name == b"cookie":
            return value.decode("latin1")
    return ""


# RFC 6455, section 7.4.1: what clients close with, and "gone without a word".
COMMON = {1000, 1001, 1002, 1005, 1006, 1009, *map(int, Close)}


def _label(code: int | None) -> str:
    """A close code as a metric has it: clients may send three thousand others."""
    code = 1005 if code is None else code
    return str(code) if code in COMMON else "other"


def session_key_from(header: str) -> str | None:
    """The session's key in a Cookie header; None if it has none that can be one.

    Read as the pages read it: a strange cookie beside it hides nothing.
    """
    key = parse_cookie(header).get(settings.SESSION_COOKIE_NAME)
    # A quoted cookie can say any character, and PostgreSQL takes no NUL.
    return key if key and key.isprintable() else None
