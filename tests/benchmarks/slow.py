"""What clients cost that talk and never read: a server's memory while they do.

    deploy/local/up.py --test exec python tests/benchmarks/slow.py --seconds 60

- `ours`: the shop on `realtime.server`, which is told to cut nobody meanwhile;
- `plain`: the same shop on Daphne as it comes.

So many sockets watch 20 products that change all the time, send pings as fast as they
may and a question a second, and read nothing. Memory is what is resident, from the
operating system's accounting; the slope is that of a line through the second half.
"""

import argparse
import contextlib
import itertools
import json
import logging
import os
import re
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

PLACE = Path(__file__).resolve().parent
ROOT = PLACE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "local")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from tests.benchmarks.listeners import AT_ONCE, Crowd, Listener, masked  # noqa: E402
from tests.benchmarks.sockets import resident  # noqa: E402
from tests.support.servers import Daphne, PlainDaphne, Redis  # noqa: E402

PRODUCTS = 20
RATE = 20  # times a second that all of them change
UNITS = 10**6
LOOK_S = 1
PINGS = masked(0x9, bytes(125))  # one a fifth of a second, within LIVE["MAX_PARTS"]
TALK_S = 0.2
PEERS = {"ours": Daphne, "plain": PlainDaphne}


class Sample(NamedTuple):
    seconds: float
    megabytes: float


class Talker(Listener):
    """A socket that is opened, and then never read."""

    _left = b""  # of what was to be sent: the server does not take it

    def talk(self, data: bytes) -> None:
        data = self._left or data
        with contextlib.suppress(BlockingIOError):
            data = data[self._socket.send(data, socket.MSG_DONTWAIT) :]
        self._left = data


def abuse(server, variants: list[int], hello: bytes, options) -> list[Sample]:
    """Change, talk and look, for as long as asked."""
    from products.stock import services as stock

    crowd = Crowd()
    crowd.open([lambda: Talker(server.port, hello)] * options.sockets, AT_ONCE)
    question, samples, begun = masked(0x1, hello), [], time.monotonic()
    looked = talked = questioned = 0.0
    for number in itertools.count(1):
        now = time.monotonic() - begun
        if now > options.seconds:
            break
        if now - looked >= LOOK_S:
            looked = now
            samples.append(Sample(now, resident(server.pid) / 1024))
        if now - talked >= TALK_S:
            talked, is_time = now, now - questioned >= 1
            questioned = now if is_time else questioned
            for talker in crowd.listeners.values():
                talker.talk(PINGS + question if is_time else PINGS)
        stock.claim(dict.fromkeys(variants, 1))
        time.sleep(max(0, begun + number / RATE - time.monotonic()))
    print(f"{open_sockets(server.port):.0f} sockets are open still", flush=True)
    crowd.close()
    return samples


def open_sockets(port: int) -> float:
    """As the server counts them."""
    with urlopen(f"http://localhost:{port}/metrics") as answer:
        text = answer.read().decode()
    return sum(map(float, re.findall(r"^shop_sockets{.*} (\S+)$", text, re.M)))


def report(name: str, samples: list[Sample]) -> None:
    later = samples[len(samples) // 2 :]
    slope = statistics.linear_regression(*zip(*later, strict=True)).slope
    first, last = samples[0].megabytes, samples[-1].megabytes
    print(
        f"{name:6} {first:7.1f} MB at first {last:7.1f} MB at the end"
        f" {slope * 60:8.2f} MB a minute in the second half",
        flush=True,
    )


def run(name: str, folder: Path, redis_url: str, variants, options) -> None:
    environment = {"LAYER_PREFIX": "bench", "LIVE_SLOW_S": "3600"}
    server = PEERS[name](folder, redis_url, **environment)
    topics = {f"stock:{pk}": None for pk in variants}
    hello = json.dumps({"t": "sub", "id": 1, "topics": topics, "html": "en"}).encode()
    server.start()
    try:
        report(name, abuse(server, variants, hello, options))
    finally:
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sockets", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        redis = Redis(Path(folder))
        redis.start()
        os.environ["REDIS_URL"] = redis.url
        os.environ["LAYER_PREFIX"] = "bench"
        try:
            on_scratch(Path(folder), redis.url, options)
        finally:
            redis.stop()


def on_scratch(folder: Path, redis_url: str, options) -> None:
    import django

    django.setup()
    logging.getLogger("project.mail.outbox").setLevel(logging.ERROR)
    from products.models import Stock
    from tests.benchmarks.scratch import scratch_database

    with scratch_database() as make_variants:
        variants = make_variants(PRODUCTS)
        Stock.objects.update(on_hand=UNITS)
        for name in options.peers:
            run(name, folder, redis_url, variants, options)


if __name__ == "__main__":
    main()
