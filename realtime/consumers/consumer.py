"""Answers what one client asks."""

import asyncio
import logging
import time
from typing import Any

from django.conf import settings

from realtime import metrics, protocol, request_ids
from realtime.asgi import Receive, Scope, Send
from realtime.consumers.connection import Connection, Gone
from realtime.cookies import session_key_of
from realtime.hub.database import Unavailable
from realtime.hub.hub import Hub
from realtime.protocol import BadFrame, Close, Subscribe
from realtime.registry import STRANGER, Viewer

logger = logging.getLogger(__name__)

# RFC 6455, section 7.4.1: what clients close with, and "gone without a word".
COMMON_CODES = {1000, 1001, 1002, 1005, 1006, 1009, *map(int, Close)}


class Consumer(Connection):
    """One socket: its viewer and its subscriptions."""

    __slots__ = (
        *("_session_key", "_identified_key", "_viewer"),
        *("_question", "_answering", "_times", "_request_id"),
    )

    def __init__(self, scope: Scope, hub: Hub, send: Send) -> None:
        super().__init__(scope, hub, send)
        self._session_key = session_key_of(scope)
        self._viewer: Viewer | None = (
            None  # None until it watches a topic that needs it
        )
        self._identified_key: str | None = None  # the session key, once looked up
        self._question: str | None = None  # not answered while the client is slow
        self._answering: asyncio.Task[None] | None = None
        self._times: list[float] = []  # of the last frames received
        self._request_id = request_ids.current()

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
            self._leave()
            metrics.SOCKETS.labels(self._kind).dec()
            metrics.CLOSES.labels(_label(self._code or code)).inc()
            logger.debug("A socket is closed: %s", self._code or code)

    def _leave(self) -> None:
        self._question = None
        self._hub.leave(self, self._identified_key)

    @property
    def _kind(self) -> str:
        return "public" if self._viewer is None else "personal"

    # --- Answers --------------------------------------------------------------

    async def _hear(self, message: dict[str, Any]) -> bool:
        """Answer one frame. Returns whether the conversation goes on."""
        if self.is_dismissed:
            return False
        text = message.get("text")
        if (reason := self._offence(text)) is not None:
            metrics.REFUSALS.labels(reason.name.lower()).inc()
            await self._close(reason)
            return False
        assert text is not None  # binary frames are an offence
        if self._answering is not None:
            await asyncio.wait([self._answering])
        if self._wire is not None and self._wire.pending():
            self._question = text  # only the last is answered, once it has caught up
            self._hub.note_slow(self)
        else:
            await self._answer(text)
        return not self.is_dismissed

    def _offence(self, text: str | None) -> Close | None:
        """Why the socket must close, if the frame breaks a limit."""
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

    async def _answer(self, text: str) -> None:
        try:
            wanted = protocol.parse(text, self._hub.registry.languages())
        except BadFrame as bad:
            await self._say(protocol.err(bad.code, str(bad), bad.request_id))
            return
        self._hub.admission.asks(self)
        await self._subscribe(wanted)
        self._hub.admission.answered(self)

    async def _subscribe(self, wanted: Subscribe) -> None:
        try:
            shown, unknown = await self._keys(wanted)
            items, missing, timeline = await self._hub.watch(
                self, shown, wanted.language, wanted.timeline, wanted.pace
            )
        except Unavailable:
            text = "The shop's database does not answer. Please ask again."
            await self._say(protocol.err("unavailable", text, wanted.request_id))
            return
        if self._wire is not None:
            self._wire.is_resting = wanted.pace > 0
        if self.is_dismissed:
            return  # meanwhile, so the goodbye was the last frame
        unknown += map(self._hub.registry.name_of, missing)
        if unknown:
            text = "There are no such topics."
            frame = protocol.err(
                "unknown_topic", text, wanted.request_id, topics=sorted(unknown)
            )
            await self._say(frame)
        if wanted.timeline is None:  # the client does not know of timelines
            timeline = None
        await self._say(protocol.snap(wanted.request_id, items, timeline))

    async def _keys(self, wanted: Subscribe) -> tuple[dict[str, int | None], list[str]]:
        """The versions shown by topic key, and the names of topics that do not exist
        for this viewer."""
        registry = self._hub.registry
        if self._viewer is None and not all(map(registry.is_public, wanted.topics)):
            await self._identify()
        viewer = self._viewer or STRANGER
        keys = {name: registry.key_of(name, viewer) for name in wanted.topics}
        shown = {key: wanted.topics[name] for name, key in keys.items() if key}
        return shown, [name for name, key in keys.items() if key is None]

    async def _identify(self) -> None:
        """Look up the viewer, which takes a query."""
        self._identified_key = self._session_key
        viewer = await self._hub.identify(self, self._session_key)
        metrics.SOCKETS.labels(self._kind).dec()
        self._viewer = viewer
        metrics.SOCKETS.labels(self._kind).inc()
        most = settings.LIVE["SOCKETS_PER_PERSON"]
        if self._hub.count_sockets(self._session_key) > most:
            metrics.REFUSALS.labels("person").inc()
            self.dismiss(Close.TOO_MANY_SOCKETS)

    def catch_up(self) -> None:
        """See `Socket.catch_up`. The answer to the last question has what the client is
        owed too."""
        question, self._question = self._question, None
        if question is None or self.is_dismissed:
            super().catch_up()
            return
        self._owed = self._progress = None
        # The hub calls this, but what the answer logs is this socket's.
        context = request_ids.context_of(self._request_id)
        self._answering = asyncio.create_task(self._answer(question), context=context)
        self._answering.add_done_callback(self._answered, context=context)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._answering = None
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, Gone):
            logger.error("An answer failed", exc_info=error)


def _label(code: int | None) -> str:
    """The metric's label for a close code. Clients may send three thousand others."""
    code = 1005 if code is None else code
    return str(code) if code in COMMON_CODES else "other"
