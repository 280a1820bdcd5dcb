"""What a live stock frame costs: this hub against the Channels tutorial's consumer.

    deploy/local/up.py --test exec python tests/benchmarks/fanout.py

Both are served by one plain Daphne, in turn, on a scratch database and the Redis at
REDIS_URL. The same writer commits the same changes; the same listeners note when
frames come. CPU is the server process's own, from the operating system's accounting.
Latency is from the commit to the frame that shows that version or a later one.
"""

import argparse
import json
import logging
import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "local")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
DRAIN_S = 10


class Result(NamedTuple):
    """One run of one server."""

    cpu: float  # seconds
    frames: int  # delivered while it was measured
    updates: int  # (socket, version) pairs that were shown, coalesced ones included
    owed: int  # such pairs that there were
    latencies: list[float]  # seconds, sorted

    @property
    def cpu_a_frame(self) -> float:
        return self.cpu / max(self.frames, 1) * 1e6

    @property
    def cpu_an_update(self) -> float:
        return self.cpu / max(self.updates, 1) * 1e6

    def quantile(self, share: float) -> float:
        if not self.latencies:
            return float("nan")
        return self.latencies[int(share * (len(self.latencies) - 1))] * 1e3


def run(server, products: list[int], options, html: str) -> Result:
    """Serve, listen, change stock at the rate asked for, and add up."""
    from products.services import stock
    from tests.benchmarks.cpu import cpu_of

    topics = [f"stock:{pk}" for pk in products]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "frames"
        server.start()
        listeners = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("listeners.py")),
                *[str(server.port), str(options.sockets), json.dumps(topics)],
                *[html, str(out)],
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert listeners.stdout.readline() == b"ready\n", server.said()[-2000:]
        before, begun = cpu_of(server.pid), time.monotonic()
        committed = []
        for number in range(options.rate * options.seconds):
            pause = begun + number / options.rate - time.monotonic()
            time.sleep(max(0, pause))
            level = stock.receive(products[number % len(products)], 1)
            committed.append((level.product_id, level.version, time.monotonic()))
        time.sleep(DRAIN_S if options.drain else 1)
        cpu = cpu_of(server.pid) - before
        listeners.stdin.close()
        listeners.wait()
        server.stop()
        frames = pickle.loads(out.read_bytes())
    return add_up(cpu, frames, committed)


def add_up(cpu: float, frames: list, committed: list) -> Result:
    """In: the (time, text) of frames a socket, the (product, version, time) written."""
    latencies = []
    for received in frames:
        shown: dict[str, list[tuple[int, float]]] = {}
        for moment, text in received:
            for item in json.loads(text).get("items", ()):
                shown.setdefault(item[0], []).append((item[1], moment))
        latencies += latencies_of(shown, committed)
    count = sum(map(len, frames))
    owed = len(committed) * len(frames)
    return Result(cpu, count, len(latencies), owed, sorted(latencies))


def latencies_of(shown: dict, committed: list) -> list[float]:
    """How long after each commit one socket showed that version or a later one."""
    found = []
    place = dict.fromkeys(shown, 0)
    for product, version, moment in committed:
        name = f"stock:{product}"
        items = shown.get(name, [])
        index = place.get(name, 0)
        while index < len(items) and items[index][0] < version:
            index += 1
        place[name] = index
        if index < len(items):
            found.append(items[index][1] - moment)
    return found


def tell(name: str, result: Result) -> None:
    print(
        f"{name:10} {result.cpu_a_frame:8.0f} µs CPU a frame"
        f" {result.cpu_an_update:8.0f} µs an update"
        f"  p50 {result.quantile(0.5):7.0f} ms  p99 {result.quantile(0.99):7.0f} ms"
        f"  {result.frames} frames, {result.updates}/{result.owed} updates shown",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sockets", type=int, default=500)
    parser.add_argument("--rate", type=int, default=50, help="changes a second")
    parser.add_argument("--products", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--drain", action="store_true", help="wait for a server that has fallen behind"
    )
    options = parser.parse_args()

    import django

    django.setup()
    logging.getLogger("channels_redis").setLevel(logging.ERROR)  # "over capacity"
    from tests.benchmarks.scratch import (
        CORE_LAYER,
        PUBSUB_LAYER,
        make_layer,
        scratch_database,
    )
    from tests.layers import publishing_through
    from tests.servers import Daphne, Redis

    with tempfile.TemporaryDirectory() as folder, scratch_database() as make_products:
        place = Path(folder)
        redis = Redis(place)
        redis.start()
        products = make_products(options.products)
        environment = {"LAYER_PREFIX": "bench"}
        hub = Daphne(place, redis.url, **environment)
        peer = Daphne(place, redis.url, **environment)
        peer.application = "tests.benchmarks.tutorial:application"
        ratios = []
        try:
            for _ in range(options.rounds):
                with publishing_through(make_layer(redis.url, PUBSUB_LAYER)):
                    ours = run(hub, products, options, "en")
                tell("hub", ours)
                with publishing_through(make_layer(redis.url, CORE_LAYER)):
                    theirs = run(peer, products, options, "")
                tell("tutorial", theirs)
                ratios.append(theirs.cpu_a_frame / ours.cpu_a_frame)
        finally:
            redis.stop()
    print(
        "CPU a delivered frame, tutorial / hub: "
        + ", ".join(f"{ratio:.1f}" for ratio in ratios)
    )


if __name__ == "__main__":
    main()
