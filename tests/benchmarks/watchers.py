"""A crowd of pages that watch different products, and come back when they are cut.

    python watchers.py PORT MODEL CROWD

CROWD is a file of JSON: `frames`, a list of `sub` frames, and `pages`, a list of the
address that each comes from, its frame's number, and its cookie. Each line of standard
input is a command, which is answered by one line of JSON:

    open N      open so many more sockets, the next when one before is answered
    count       forget what came so far, and note what comes
    tell        what came since: delays of frames of changes, in milliseconds, and how
                late this program was itself, in seconds
    storm S     cut all; bring them back as pages do, in S seconds at most
"""

import json
import os
import re
import select
import sys
import time
from collections import Counter
from pathlib import Path

from listeners import PING, TEXT, allow_files, masked
from returning import MODELS, Model, Page, Pages

BEAT, ITEM = b'{"t":"hb"', b'["stock:'
SPREAD = re.compile(rb'"spread_ms":([0-9]+)')
STAMP = re.compile(rb'"ts":([0-9]+)')  # the commit of the oldest change in a frame


class Watchers(Pages):
    """Pages that note how late frames are, and look at nothing else in them."""

    def __init__(self, port: int, model: Model) -> None:
        super().__init__(port, model)
        self.delays: Counter[int] = Counter()  # milliseconds → frames
        self.items = 0
        self.late = 0.0  # seconds that one look at all sockets took, at most

    def listen(self, commands: int) -> None:
        """Read until something comes on the file `commands`."""
        self._epoll.register(commands, select.EPOLLIN)
        while not select.select([commands], [], [], 0)[0]:
            self._turn(1)
        self._epoll.unregister(commands)

    def _turn(self, seconds: float) -> None:
        begun = time.monotonic()
        super()._turn(seconds)
        self.late = max(self.late, time.monotonic() - begun - seconds)

    def _hear(self, page: Page) -> None:
        data, start, end = page.data, 0, len(page.data)
        while end - start >= 4:
            size, head = data[start + 1], start + 2
            if size == 126:
                size, head = int.from_bytes(data[head : head + 2]), head + 2
            elif size == 127:
                size, head = int.from_bytes(data[head : head + 8]), head + 8
            stop = head + size
            if stop > end:
                break
            if data[start] == TEXT:
                self._note(page, data, head, stop)
            elif data[start] == PING:
                page.socket.send(masked(0xA, data[head:stop]))
            start = stop
        page.data = data[start:]

    def _note(self, page: Page, data: bytes, start: int, stop: int) -> None:
        if data.startswith(BEAT, start):
            page.spread = int(SPREAD.search(data, start, stop)[1]) / 1000
        elif stamp := STAMP.search(data, start, stop):
            self.delays[max(0, int(time.time() * 1000) - int(stamp[1]))] += 1
            self.items += data.count(ITEM, start, stop)


class Crowd:
    """What the commands do."""

    def __init__(self, port: int, model: Model, pages: list[Page]) -> None:
        self._watchers, self._pages = Watchers(port, model), pages
        self._opened = 0

    def listen(self, commands: int) -> None:
        self._watchers.listen(commands)

    def open(self, number: int) -> dict:
        newcomers = self._pages[self._opened : self._opened + number]
        self._opened += len(newcomers)
        return {"seconds": self._watchers.arrive(newcomers)}

    def count(self) -> dict:
        self._watchers.delays.clear()
        self._watchers.counts.clear()
        self._watchers.items, self._watchers.late = 0, 0.0
        return {}

    def tell(self) -> dict:
        watchers = self._watchers
        return {
            "delays": list(watchers.delays.items()),
            "items": watchers.items,
            "live": watchers.live,
            "counts": watchers.counts,
            "late": watchers.late,
            "spread": max((page.spread for page in self._pages), default=0),
        }

    def storm(self, seconds: int) -> dict:
        self._watchers.late = 0.0
        times = self._watchers.storm(self._pages, seconds)
        return {"times": times} | self.tell()


def main() -> None:
    port, model, file = sys.argv[1:]
    plan = json.loads(Path(file).read_text())
    frames = [frame.encode() for frame in plan["frames"]]
    pages = [Page(source, frames[n], cookie) for source, n, cookie in plan["pages"]]
    allow_files(len(pages) + 100)
    crowd = Crowd(int(port), MODELS[model], pages)
    while True:
        crowd.listen(sys.stdin.fileno())
        name, *numbers = os.read(sys.stdin.fileno(), 100).decode().split() or [None]
        if name is None:  # the leader has gone
            return
        answer = getattr(crowd, name)(*map(int, numbers))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
