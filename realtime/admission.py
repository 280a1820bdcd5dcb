"""How many sockets a process takes, from whom, and what it says to the others."""

import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.conf import settings

from realtime import draining, metrics

ANSWERED_S = 10  # a handshake is over after so long, answered or not

Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a socket is not opened, and when it may be."""

    reason: str
    status: HTTPStatus
    text: str
    retry_s: int | None = None


FORBIDDEN = Refusal("forbidden", HTTPStatus.FORBIDDEN, "Sockets are not opened here.")
ORIGIN = Refusal(
    "origin", HTTPStatus.FORBIDDEN, "Pages of another origin may not open sockets."
)
SUBPROTOCOL = Refusal(
    "subprotocol", HTTPStatus.FORBIDDEN, "The subprotocol is shop.v1."
)
DRAINING = Refusal(
    "draining", HTTPStatus.SERVICE_UNAVAILABLE, "This process is being stopped.", 1
)
FULL = Refusal("process", HTTPStatus.SERVICE_UNAVAILABLE, "Too many sockets here.", 30)
BUSY = Refusal(
    "handshakes", HTTPStatus.SERVICE_UNAVAILABLE, "Too many sockets at once.", 2
)
CROWD = Refusal(
    "address", HTTPStatus.TOO_MANY_REQUESTS, "Too many sockets of your address.", 60
)


class Admission:
    """The sockets of one process. Lives on the event loop's thread."""

    def __init__(self) -> None:
        self.sockets: set[Hashable] = set()
        self._addresses: Counter[str | None] = Counter()
        # Sockets that have not had their first answer, the oldest first.
        self._waiting: dict[Hashable, float] = {}

    def enter(self, socket: Hashable, address: str | None) -> Refusal | None:
        """Take a socket in, or say why not. None is an address that is not counted."""
        refusal = self._objection(address)
        if refusal is None:
            self.sockets.add(socket)
            self._waiting[socket] = time.monotonic()
            if address is not None:
                self._addresses[address] += 1
        return refusal

    def _objection(self, address: str | None) -> Refusal | None:
        limits = settings.LIVE
        if draining.is_draining():
            return DRAINING
        if len(self.sockets) >= limits["SOCKETS"]:
            return FULL
        if self._addresses[address] >= limits["SOCKETS_PER_ADDRESS"]:
            return CROWD
        if self._in_flight() >= limits["HANDSHAKES"]:
            return BUSY
        return None

    def _in_flight(self) -> int:
        horizon = time.monotonic() - ANSWERED_S
        while self._waiting:
            oldest = next(iter(self._waiting))
            if self._waiting[oldest] > horizon:
                break
            del self._waiting[oldest]
        return len(self._waiting)

    def answered(self, socket: Hashable) -> None:
        """The socket has had its first answer."""
        self._waiting.pop(socket, None)

    def leave(self, socket: Hashable, address: str | None) -> None:
        if socket not in self.sockets:
            return
        self.sockets.discard(socket)
        self._waiting.pop(socket, None)
        if address is not None:
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]


async def refuse(scope: dict, send: Send, refusal: Refusal) -> None:
    """Answer a handshake with a status and a reason, where the server can, else 403."""
    metrics.REFUSALS.labels(refusal.reason).inc()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    told = {"reason": refusal.reason, "msg": refusal.text}
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    if refusal.retry_s is not None:
        wait = random.randint(refusal.retry_s, 2 * refusal.retry_s)
        told["retry_ms"] = wait * 1000
        headers.append((b"retry-after", str(wait).encode()))
    start = {"type": "websocket.http.response.start", "status": int(refusal.status)}
    await send(start | {"headers": headers})
    body = json.dumps(told).encode() + b"\n"
    await send({"type": "websocket.http.response.body", "body": body})
