"""A crowd of pages that lose their sockets at once and come back as pages do.

    python returning.py PORT SOCKETS TOPICS_JSON MODEL

Opens the sockets, so many at a time, and waits for a heartbeat on each. Then it cuts
all of them and brings them back as `static/js/live.js` does (MODEL "spread") or did
before heartbeats said how long a return takes (MODEL "hasty"). It prints JSON.
"""

import heapq
import json
import os
import random
import select
import socket
import sys
import time
from collections import Counter
from typing import NamedTuple

from listeners import allow_files, masked

AT_ONCE = 48
SOURCES = 16  # addresses, of 28,000 ports each
IP_BIND_ADDRESS_NO_PORT = 24  # Linux; Python has no name for it before 3.12
LIMIT_S = 150
FEW_S = 4
PING = b"\x89\x00"  # in no text frame: that is JSON in ASCII or UTF-8
FEW_FAILURES = 6
AGAIN = 1 / 4
BACKOFF_S = [0.25 * 2**n for n in range(8)] + [60.0]


class Model(NamedTuple):
    """How a page comes back."""

    backoff: list[float]  # the limit of the wait, by failures
    is_spread: bool  # whether it heeds `spread_ms`
    open_s: float  # for a socket to open
    answer_s: float  # for the first answer


MODELS = {
    "spread": Model(BACKOFF_S, True, 10, 4),
    "hasty": Model(BACKOFF_S[:5], False, 4, 4),
}


class Page:
    """One page: its socket, and when it gives up or comes back."""

    __slots__ = ("socket", "state", "data", "failures", "spread", "round")
    __slots__ += ("source", "hello", "cookie")

    def __init__(self, source: str, hello: bytes, cookie: str = "") -> None:
        self.socket: socket.socket | None = None
        self.state, self.data = "away", b""
        self.failures, self.spread, self.round = 0, 0.0, 0
        self.source, self.hello, self.cookie = source, hello, cookie


class Pages:
    """All pages, and the loop that reads them."""

    def __init__(self, port: int, model: Model) -> None:
        self._port, self._model = port, model
        self._epoll = select.epoll()
        self._pages: dict[int, Page] = {}
        self._due: list[tuple[float, int, Page, int]] = []
        self._number = 0
        self.counts: Counter[str] = Counter()
        self.live = 0
        self._beaten: set[Page] = set()  # who has heard a heartbeat

    # --- What happens ---------------------------------------------------------

    def arrive(self, pages: list[Page]) -> float:
        """Open them evenly: the next when one before is answered. Gives seconds."""
        begun, waiting = time.monotonic(), iter(pages)
        started, before = 0, self.live
        while self.live - before < len(pages):
            while started + before - self.live < AT_ONCE:
                if (page := next(waiting, None)) is None:
                    break
                self._connect(page)
                started += 1
            self._turn(0.1)
        return time.monotonic() - begun

    def until_beaten(self) -> None:
        """Until each has heard of how large the crowd is now."""
        self._beaten.clear()
        while len(self._beaten) < len(self._pages):
            self._turn(0.5)

    def storm(self, pages: list[Page], limit_s: float = LIMIT_S) -> list[float]:
        """Cut all and bring them back; gives when each was, in seconds."""
        self.counts.clear()
        for page in pages:
            self._drop(page)
        begun, self.live = time.monotonic(), 0
        for page in pages:
            self._later(page)
        times: list[float] = []
        while self.live < len(pages) and time.monotonic() - begun < limit_s:
            self._turn(0.05)
            times += [time.monotonic() - begun] * (self.live - len(times))
        return times

    # --- One page -------------------------------------------------------------

    def _later(self, page: Page) -> None:
        backoff = self._model.backoff
        failures = page.failures - 1 if self._model.is_spread else page.failures
        limit = backoff[max(0, min(failures, len(backoff) - 1))]
        if self._model.is_spread and page.failures == 0:
            limit = max(limit, page.spread)
        elif self._model.is_spread and page.spread:
            slower = 2 ** max(0, page.failures - FEW_FAILURES)  # than the server said
            limit = max(limit, AGAIN * page.spread)
            limit = min(limit, slower * max(FEW_S, 2 * page.spread))
        page.failures += 1
        self._at(time.monotonic() + random.uniform(0, limit), page)

    def _at(self, moment: float, page: Page) -> None:
        """Look at it again then, unless something happens to it before."""
        page.round += 1
        self._number += 1
        heapq.heappush(self._due, (moment, self._number, page, page.round))

    def _connect(self, page: Page) -> None:
        self.counts["attempts"] += 1
        page.socket = socket.socket()
        page.socket.setblocking(False)
        # The port is chosen when the socket connects: among those that have just ended
        # here, a search for a free one would take most of this program's time.
        page.socket.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        page.socket.bind((page.source, 0))
        page.socket.connect_ex(("127.0.0.1", self._port))
        page.state, page.data = "connecting", b""
        self._pages[page.socket.fileno()] = page
        self._epoll.register(page.socket.fileno(), select.EPOLLOUT)
        self._at(time.monotonic() + self._model.open_s, page)

    def _drop(self, page: Page) -> None:
        if page.socket is not None:
            self._epoll.unregister(page.socket.fileno())
            del self._pages[page.socket.fileno()]
            page.socket.close()
        page.socket, page.state = None, "away"

    def _fail(self, page: Page, why: str) -> None:
        self.counts[why] += 1
        if page.state == "live":
            self.live -= 1
        self._drop(page)
        self._later(page)

    def _turn(self, seconds: float) -> None:
        while self._due and self._due[0][0] <= time.monotonic():
            _, _, page, number = heapq.heappop(self._due)
            if page.round != number or page.state == "live":
                continue
            if page.state == "away":
                self._connect(page)
            else:
                self._fail(page, f"time-outs {page.state}")
        for number, event in self._epoll.poll(seconds, 2000):
            if number in self._pages:
                self._happens(self._pages[number], event)

    def _happens(self, page: Page, event: int) -> None:
        try:
            if page.state == "connecting":
                self._knock(page)
            else:
                self._read(page)
        except OSError as error:
            self._fail(page, type(error).__name__)

    def _knock(self, page: Page) -> None:
        cookie = f"Cookie: {page.cookie}\r\n" if page.cookie else ""
        page.socket.send(
            f"GET /ws/ HTTP/1.1\r\nHost: localhost:{self._port}\r\n"
            f"Origin: http://localhost:{self._port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "Sec-WebSocket-Protocol: shop.v1\r\nUser-Agent: Mozilla/5.0\r\n"
            f"Sec-WebSocket-Version: 13\r\n{cookie}\r\n".encode()
        )
        page.state = "opening"
        self._epoll.modify(page.socket.fileno(), select.EPOLLIN)

    def _read(self, page: Page) -> None:
        data = page.socket.recv(65536)
        if not data:
            raise ConnectionError
        page.data += data
        if page.state == "opening" and b"\r\n\r\n" in page.data:
            head, _, page.data = page.data.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 101"):
                self._fail(page, f"refused: {reason_of(page.data)}")
                return
            page.socket.send(masked(0x1, page.hello))
            page.state = "asking"
            self._at(time.monotonic() + self._model.answer_s, page)
        if page.state == "asking" and b'"t":"snap"' in page.data:
            page.state, page.data, page.failures = "live", b"", 0
            self.live += 1
        elif page.state == "live":
            self._hear(page)

    def _hear(self, page: Page) -> None:
        _, mark, rest = page.data.rpartition(b'"spread_ms":')
        if mark and rest:
            page.spread = int(rest.partition(b"}")[0]) / 1000
        if PING in page.data:
            page.socket.send(masked(0xA, b""))
        if b'"t":"hb"' in page.data:
            self._beaten.add(page)
        page.data = b""


def reason_of(body: bytes) -> str:
    """Why a handshake was refused, as far as it is said."""
    try:
        return json.loads(body)["reason"]
    except (ValueError, KeyError):
        return "?"


def main() -> None:
    port, count, topics, model = sys.argv[1:]
    allow_files(int(count) + 100)
    frame = {"t": "sub", "id": 1, "topics": json.loads(topics), "html": "en"}
    hello = json.dumps(frame).encode()
    pages = [Page(f"127.0.0.{1 + n % 4}", hello) for n in range(int(count))]
    crowd = Pages(int(port), MODELS[model])
    evenly = crowd.arrive(pages)
    crowd.until_beaten()
    print(json.dumps({"evenly": evenly}), flush=True)
    sys.stdin.readline()
    begun = os.times()
    times = crowd.storm(pages)
    used = os.times()
    result = {
        "back": len(times),
        "times": times[:: max(1, len(times) // 100)] + times[-1:],
        "counts": crowd.counts,
        "cpu": used.user + used.system - begun.user - begun.system,
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
