"""What tabs that nobody sees save: a crowd with no tab hidden, and with most.

    deploy/local/up.py --test exec python tests/benchmarks/hidden.py
    … hidden.py --rates 1 10 50 --seconds 45 --sockets 1000
    … hidden.py --pages 50    # the crowd looks at 50 lists of 20 products each
    … hidden.py --pace 5000   # what pages of an older version asked for
    … hidden.py --view 8      # if pages asked for the 8 cards in view, at 20 places
    … hidden.py --view 8 --scroll 10   # and each were scrolled every 10 s

One shop on `realtime.server`, on a scratch database and the Redis at REDIS_URL. For
each rate of changes the crowd is served in turn with one tab that is seen (what the
changes cost by themselves), with all tabs seen, and with a share of them hidden.
Frames are all that the tabs get, heartbeats included. CPU is the server process's, from
the operating system's accounting. Ratios are given of all of it; of what is left
without what it used with one tab ("the crowd's"); and of what is left of that without
what the same crowd costs while nothing changes ("minus idle").
"""

import argparse
import contextlib
import itertools
import json
import logging
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

PLACE = Path(__file__).resolve().parent
ROOT = PLACE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "local")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from tests.benchmarks.listeners import (  # noqa: E402
    AT_ONCE,
    PING,
    TEXT,
    Crowd,
    Listener,
    allow_files,
    masked,
    whole_frames,
)

LIST = 20  # products of a page
PACE_MS = 45_000  # as static/js/live.js asks for
QUIET_S = 3  # after a crowd has come, and after it has left


class Result(NamedTuple):
    """One crowd, while it was measured."""

    frames: int
    bytes: int
    cpu: float  # seconds of the server
    seconds: float


class Tab(Listener):
    """A listener that, once it has its first answer, counts what it gets instead of
    keeping it."""

    frames_heard = bytes_heard = 0
    is_subscribed = False
    _rest = b""

    def read(self) -> None:
        if not self.is_subscribed:
            super().read()
            return
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("the server has closed a socket")
        frames, self._rest = whole_frames(self._rest + data)
        for head, payload in frames:
            if head == PING:
                self._socket.sendall(masked(0xA, payload))
            elif head == TEXT:
                self.frames_heard += 1
                self.bytes_heard += len(payload)

    def ask(self, hello: bytes) -> None:
        """Ask for other topics."""
        self._socket.sendall(masked(0x1, hello))


# --- The process that listens -----------------------------------------------------


def listen(
    port: int, count: int, pages: list[list[int]], pace: int, scroll_s: float
) -> None:
    """Open the tabs and print "ready"; then print frames and bytes so far for each line
    of standard input, until it ends."""
    allow_files(count + 100)
    hellos = [_hello(page, pace) for page in pages]
    crowd = Crowd()
    crowd.open(
        [partial(Tab, port, hellos[n % len(hellos)]) for n in range(count)], AT_ONCE
    )
    for tab in crowd.listeners.values():
        tab.is_subscribed = True
    print("ready", flush=True)
    tabs = list(crowd.listeners.values())
    scrolled = itertools.cycle(tabs)
    pause = scroll_s / count if scroll_s else math.inf
    while True:
        if not crowd.listen(until=sys.stdin.fileno(), seconds=pause):
            next(scrolled).ask(random.choice(hellos))
            continue
        if not sys.stdin.readline():
            return
        frames = sum(tab.frames_heard for tab in tabs)
        print(frames, sum(tab.bytes_heard for tab in tabs), flush=True)


def _hello(variants: list[int], pace: int) -> bytes:
    topics = {f"stock:{pk}": None for pk in variants}
    frame = {"t": "sub", "id": 1, "topics": topics, "html": "en", "pace": pace}
    return json.dumps(frame).encode()


class Tabs:
    """That process, seen from outside."""

    def __init__(
        self, port: int, count: int, pages: list[list[int]], pace: int, scroll_s: float
    ):
        arguments = [str(port), str(count), json.dumps(pages), str(pace), str(scroll_s)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--listen", *arguments],
            stdin=pipe,
            stdout=pipe,
            text=True,
        )
        assert self._process.stdout.readline() == "ready\n"

    def counts(self) -> tuple[int, int]:
        """Frames and bytes so far."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        frames, size = self._process.stdout.readline().split()
        return int(frames), int(size)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


# --- The comparison ---------------------------------------------------------------


@contextlib.contextmanager
def crowd(port: int, pages: list, count: int, share: float, options) -> Iterator:
    """So many tabs, of which that share is hidden."""
    hidden = round(count * share)
    parts = [(count - hidden, 0, options.scroll), (hidden, options.pace, 0)]
    tabs = [Tabs(port, part[0], pages, *part[1:]) for part in parts if part[0]]
    time.sleep(QUIET_S)
    try:
        yield tabs
    finally:
        for each in tabs:
            each.close()
        time.sleep(QUIET_S)


def counted(tabs: list[Tabs]) -> tuple[int, int]:
    frames, sizes = zip(*(each.counts() for each in tabs), strict=True)
    return sum(frames), sum(sizes)


def measure(server, tabs: list[Tabs], variants: list[int], rate: float, seconds: float):
    """What that crowd gets and costs while products change at that rate."""
    from tests.benchmarks.cpu import cpu_of

    cpu, begun = cpu_of(server.pid), time.monotonic()
    before = counted(tabs)
    change(variants, rate, seconds)
    after = counted(tabs)
    return Result(
        after[0] - before[0],
        after[1] - before[1],
        cpu_of(server.pid) - cpu,
        time.monotonic() - begun,
    )


def change(variants: list[int], rate: float, seconds: float) -> None:
    from products.stock import services as stock

    begun = time.monotonic()
    for number in range(round(rate * seconds)):
        time.sleep(max(0, begun + number / rate - time.monotonic()))
        stock.receive(variants[number % len(variants)], 1)
    time.sleep(max(0, begun + seconds - time.monotonic()))


def places(page: list[int], view: int) -> list[list[int]]:
    """What is in view of a page, wherever it may be scrolled to."""
    return [(page + page)[n : n + view] for n in range(len(page))]


def tell(what: str, result: Result) -> None:
    print(
        f"  {what:22} {result.frames:9,} frames {result.bytes / 1e6:8.2f} MB"
        f" {result.cpu:7.2f} s CPU in {result.seconds:.0f} s",
        flush=True,
    )


def compare(server, pages: list[list[int]], options) -> None:
    # One product of each page after the other, so that each page changes as often.
    variants = [page[n] for n in range(LIST) for page in pages]
    if options.view:
        pages = [place for page in pages for place in places(page, options.view)]
    idle = crowds(server, pages, variants, 0, options)
    for rate in options.rates:
        alone, seen, hidden = crowds(server, pages, variants, rate, options)
        own = [each.cpu - alone.cpu for each in (seen, hidden)]
        busy = [
            cpu - (each.cpu - idle[0].cpu)
            for cpu, each in zip(own, idle[1:], strict=True)
        ]
        print(
            f"  {seen.frames / max(hidden.frames, 1):.1f} x fewer frames,"
            f" {seen.bytes / max(hidden.bytes, 1):.1f} x fewer bytes,"
            f" {seen.cpu / max(hidden.cpu, 0.01):.1f} x less CPU,"
            f" the crowd's {own[0] / max(own[1], 0.01):.1f} x,"
            f" minus idle {busy[0] / max(busy[1], 0.01):.1f} x",
            flush=True,
        )


def crowds(server, pages: list, variants: list[int], rate: float, options) -> list:
    """What each of the three crowds gets and costs."""
    print(f"{rate:g} changes a second", flush=True)
    results = []
    for what, count, share in [
        ("one tab", 1, 0),
        ("all seen", options.sockets, 0),
        (f"{options.share:.0%} hidden", options.sockets, options.share),
    ]:
        with crowd(server.port, pages, count, share, options) as tabs:
            results.append(measure(server, tabs, variants, rate, options.seconds))
        tell(what, results[-1])
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rates", type=float, nargs="+", default=[1, 10, 50])
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--share", type=float, default=0.8, help="of hidden tabs")
    parser.add_argument("--seconds", type=float, default=45, help="for each crowd")
    parser.add_argument("--pages", type=int, default=1, help="different lists")
    parser.add_argument(
        "--pace", type=int, default=PACE_MS, help="of hidden tabs, in ms"
    )
    parser.add_argument("--scroll", type=float, default=0, help="every so many seconds")
    parser.add_argument("--view", type=int, default=0, help="cards that are in view")
    options = parser.parse_args()

    import django

    django.setup()
    logging.getLogger("channels_redis").setLevel(logging.ERROR)  # "over capacity"
    from tests.benchmarks.scratch import PUBSUB_LAYER, make_layer, scratch_database
    from tests.support.layers import publishing_through
    from tests.support.servers import Daphne, Redis

    with tempfile.TemporaryDirectory() as name, scratch_database() as make_variants:
        variants = make_variants(LIST * options.pages)
        pages = [variants[n : n + LIST] for n in range(0, len(variants), LIST)]
        redis = Redis(Path(name))
        redis.start()
        # All come from one address, and as fast as they can.
        limits = {"LIVE_HANDSHAKES": "20000", "LIVE_SOCKETS_PER_ADDRESS": "20000"}
        server = Daphne(Path(name), redis.url, LAYER_PREFIX="bench", **limits)
        server.start()
        try:
            with publishing_through(make_layer(redis.url, PUBSUB_LAYER)):
                compare(server, pages, options)
        finally:
            server.stop()
            redis.stop()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--listen"]:
        port, count, pages, pace, scroll = sys.argv[2:]
        listen(int(port), int(count), json.loads(pages), int(pace), float(scroll))
    else:
        main()
