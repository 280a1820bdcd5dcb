"""Limits what a WebSocket client may send, in bytes and in frames."""

import time

from daphne.ws_protocol import WebSocketProtocol
from django.conf import settings

from realtime import metrics
from realtime.server.reactor import reactor

POLICY_VIOLATION = 1008  # RFC 6455
CLOSE_WAIT_S = 5  # for the application to close the socket with a reason of its own


class FloodMixin(WebSocketProtocol):
    """Closes a connection whose client sends too much within one window."""

    # Received in this window: bytes, frames of any kind, whole messages.
    _received, _frames, _messages, _window_start = 0, 0, 0, 0.0
    _is_ignoring = False  # whatever else arrives

    def dataReceived(self, data: bytes) -> None:
        if self._is_ignoring:
            return
        self._received += len(data)
        limit = settings.LIVE["MAX_BYTES"]
        if self._received > limit and self._is_flood(len(data), 0):
            self._end_flood("bytes", limit)
        else:
            super().dataReceived(data)

    def onFrameBegin(self) -> None:
        """Count pings, pongs and fragments too. An empty one costs as much as a
        subscription, and thousands fit into one read."""
        self._frames += 1
        limit = settings.LIVE["MAX_PARTS"]
        if self._frames > limit and self._is_flood(0, 1):
            self._end_flood("frames", limit)
        super().onFrameBegin()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self._messages += 1
        super().onMessage(payload, isBinary)

    def _is_flood(self, received: int, frames: int) -> bool:
        """Whether all this arrived within one window. If not, start another, with what
        has just arrived."""
        start, self._window_start = self._window_start, time.monotonic()
        if self._window_start - start > settings.LIVE["FRAMES_WINDOW_S"]:
            self._received, self._frames, self._messages = received, frames, 0
            return False
        self._window_start = start
        return True

    def _end_flood(self, unit: str, limit: int) -> None:
        """Ignore further input, and close. If there were too many messages, the
        application has them already and closes with a better reason."""
        self._is_ignoring, self.data = True, b""
        if self.state != self.STATE_OPEN:
            return
        metrics.REFUSALS.labels(unit).inc()
        window = settings.LIVE["FRAMES_WINDOW_S"]
        text = f"At most {limit} {unit} in {window} s. Please come back later."
        if self._messages > settings.LIVE["MAX_FRAMES"]:
            reactor.callLater(
                CLOSE_WAIT_S, self._fail_connection, POLICY_VIOLATION, text
            )
        else:
            self._fail_connection(POLICY_VIOLATION, text)
