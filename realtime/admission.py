"""How many sockets a process takes, from which addresses, and how it refuses others."""

import json
import random
import time
from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus
from itertools import takewhile
from typing import Any, Generic, TypeVar

from django.conf import settings

from realtime import draining, file_budget, metrics, pulse, request_ids
from realtime.asgi import Scope, Send
from realtime.pace import Pace

HANDSHAKE_S = 10  # after which a handshake counts as over

S = TypeVar("S")  # the class of the sockets, which must be hashable


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a socket is refused, and when to try again."""

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
NO_SOCKETS = Refusal(
    "role",
    HTTPStatus.MISDIRECTED_REQUEST,
    "This process serves pages only (--role pages). Others serve sockets.",
)
NO_PAGES = Refusal(
    "role",
    HTTPStatus.MISDIRECTED_REQUEST,
    "This process serves sockets only (--role sockets). Others serve pages.",
)
FULL = Refusal("process", HTTPStatus.SERVICE_UNAVAILABLE, "Too many sockets here.", 30)
BUSY = Refusal(
    "handshakes", HTTPStatus.SERVICE_UNAVAILABLE, "Too many sockets at once.", 2
)
SILENT = Refusal(
    "silent",
    HTTPStatus.TOO_MANY_REQUESTS,
    "Too many sockets of your address have not asked for anything yet.",
    5,
)
CROWD = Refusal(
    "address", HTTPStatus.TOO_MANY_REQUESTS, "Too many sockets of your address.", 60
)


class Admission(Generic[S]):
    """The sockets of one process. Runs on the event loop.

    A new socket first waits for us to open it. Then it is silent until it subscribes,
    and waits for our first answer. While many wait for us, others are refused.
    """

    def __init__(self) -> None:
        self.sockets: set[S] = set()
        self.pace = Pace(pulse.processor_share)
        self._addresses: Counter[str | None] = Counter()
        # Sockets without a first answer, and how many each address has.
        self._new_sockets: dict[S, str | None] = {}
        self._new_by_address: Counter[str | None] = Counter()
        # Since when they wait for us, or are silent; the oldest come first.
        self._waiting: dict[S, float] = {}
        self._silent: dict[S, float] = {}

    def enter(self, socket: S, address: str | None) -> Refusal | None:
        """Take a socket, or return why not. An address of None is not counted."""
        refusal = self.objection(address)
        if refusal is None:
            self.sockets.add(socket)
            self._new_sockets[socket] = address
            self._waiting[socket] = time.monotonic()
            if address is not None:
                self._addresses[address] += 1
                self._new_by_address[address] += 1
        return refusal

    def takes_nobody(self) -> Refusal | None:
        """Return why no socket is opened now, from any address."""
        if draining.is_draining():
            return DRAINING
        if len(self.sockets) >= file_budget.sockets():
            return FULL
        return None

    def objection(self, address: str | None) -> Refusal | None:
        """Return why a socket from that address would be refused now."""
        limits = settings.LIVE
        if (refusal := self.takes_nobody()) is not None:
            return refusal
        if self._addresses[address] >= limits["SOCKETS_PER_ADDRESS"]:
            return CROWD
        if self._new_by_address[address] >= limits["NEW_PER_ADDRESS"]:
            return SILENT
        if self._in_flight() >= limits["HANDSHAKES"]:
            return BUSY
        return None

    def spread_ms(self) -> int:
        """Return over how many milliseconds all sockets here should reconnect."""
        return self.pace.spread_ms(len(self.sockets))

    def _in_flight(self) -> int:
        for socket in _older_than(self._waiting, HANDSHAKE_S):
            del self._waiting[socket]
        return len(self._waiting)

    def opened(self, socket: S) -> None:
        """The socket is open, and waits for its client."""
        if self._waiting.pop(socket, None) is not None:
            self._silent[socket] = time.monotonic()

    def asks(self, socket: S) -> None:
        """The client has subscribed, and waits for us."""
        if self._silent.pop(socket, None) is not None:
            self._waiting[socket] = time.monotonic()

    def answered(self, socket: S) -> None:
        """The client has received its first answer."""
        if socket in self._new_sockets:
            self._waiting.pop(socket, None)
            self._silent.pop(socket, None)
            _decrease(self._new_by_address, self._new_sockets.pop(socket))

    def silent(self) -> list[S]:
        """Return sockets that have been silent for too long, each of them once."""
        late = _older_than(self._silent, settings.LIVE["SILENT_S"])
        for socket in late:
            del self._silent[socket]
        return late

    def leave(self, socket: S, address: str | None) -> None:
        if socket not in self.sockets:
            return
        self.answered(socket)
        self.sockets.discard(socket)
        _decrease(self._addresses, address)


def _older_than(since: dict[S, float], seconds: float) -> list[S]:
    """Return the keys of older moments. The oldest come first in `since`."""
    horizon = time.monotonic() - seconds
    return list(takewhile(lambda key: since[key] <= horizon, since))


def _decrease(counter: Counter[str | None], address: str | None) -> None:
    if address is None:
        return
    counter[address] -= 1
    if not counter[address]:
        del counter[address]


async def refuse(scope: Scope, send: Send, refusal: Refusal) -> None:
    """Refuse a handshake with a status and a reason. Servers that cannot send them send
    403."""
    metrics.REFUSALS.labels(refusal.reason).inc()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    headers, body = answer(refusal)
    if request_id := request_ids.current():
        headers.append((request_ids.NAME, request_id.encode()))
    start = {"type": "websocket.http.response.start", "status": int(refusal.status)}
    await send(start | {"headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


def answer(refusal: Refusal) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return headers and a body that say why, and when to try again."""
    body: dict[str, Any] = {"reason": refusal.reason, "msg": refusal.text}
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    if refusal.retry_s is not None:
        wait = random.randint(refusal.retry_s, 2 * refusal.retry_s)
        body["retry_ms"] = wait * 1000
        headers.append((b"retry-after", str(wait).encode()))
    return headers, json.dumps(body).encode() + b"\n"
