"""What a live stock frame costs: this hub on our server, against peers.

    deploy/local/up.py --test exec python tests/benchmarks/fanout.py
    … fanout.py --sockets 5000 --peers hub
    … fanout.py --readers 4 --peers hub uvicorn

- `hub`: the shop on `realtime.server`; `uvicorn` and `daphne`: the same hub there, with
  plain `send`;
- `node`: a bare broadcast with Node's `ws` (`peer.js`; npm installs `ws`);
- `tutorial`: the consumer of the Channels tutorial (`tutorial.py`).

They are served in turn, on a scratch database and the Redis at REDIS_URL. The same
writer commits the same changes; the same listeners note when frames come. CPU is the
server process's own, from the operating system's accounting. Latency is from the commit
to the frame that shows that version or a later one. How late the hub's event loop wakes
meanwhile (lag) it says itself, in steps: the figure is the end of the step.
With `--readers` so many people load the product list meanwhile, which is made anew each
time; CPU is that of both then.
"""

import argparse
import contextlib
import json
import logging
import os
import pickle
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import NamedTuple

PLACE = Path(__file__).resolve().parent
ROOT = PLACE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "local")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from websockets.sync.client import ClientConnection, connect  # noqa: E402

from tests.support.servers import (  # noqa: E402
    Daphne,
    PlainDaphne,
    Process,
    Uvicorn,
    collect_static,
    free_port,
)

DRAIN_S = 10
SOCKETS_A_PROCESS = 2500  # that listen
TICK_MS = 50  # Node's, as the hub's
WS = "8.18.3"  # the npm package
PEERS = ["hub", "uvicorn", "daphne", "node", "tutorial"]


class Result(NamedTuple):
    """One run of one server."""

    cpu: float  # seconds
    frames: int  # delivered while it was measured
    updates: int  # (socket, version) pairs that were shown, coalesced ones included
    owed: int  # such pairs that there were
    latencies: list[float]  # seconds, sorted
    lag: float | None = (
        None  # seconds the event loop woke late at most, 99 in 100 times
    )

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


class Node(Process):
    """The floor. What is changed it hears over a socket of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "node.log")
        self.port = free_port()
        self._folder = folder
        self._link: ClientConnection | None = None

    def install(self) -> None:
        npm = ["npm", "install", "--silent", "--no-audit", "--no-fund"]
        subprocess.run([*npm, f"ws@{WS}"], cwd=self._folder, check=True)

    def command(self) -> list[str]:
        return ["node", str(PLACE / "peer.js"), str(self.port), str(TICK_MS)]

    def environment(self) -> dict[str, str]:
        modules = str(self._folder / "node_modules")
        return super().environment() | {"NODE_PATH": modules}

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            link = connect(f"ws://127.0.0.1:{self.port}/ws/", compression=None)
            self._link = link.__enter__()
            return True
        return False

    def tell(self, level) -> None:
        """The very item that the hub would send."""
        self._link.send(item_of(level))

    def stop(self, *arguments) -> None:
        if self._link is not None:
            self._link.close()
        super().stop(*arguments)


def item_of(level) -> str:
    from products.live.registry import registry
    from realtime import protocol

    key = f"stock:{level.variant_id}"
    state = registry.load([key])[key]
    html = registry.render(key, state, "en")
    return protocol.item(key, level.version, state.facts, html)


def listen(server, options, topics: list[str], html: str, out: Path):
    """The processes that listen; each has subscribed all its sockets."""
    count = -(-options.sockets // SOCKETS_A_PROCESS)
    shares = [options.sockets // count] * count
    shares[0] += options.sockets % count
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                str(PLACE / "listeners.py"),
                *[str(server.port), str(share), json.dumps(topics)],
                *[html, f"{out}{number}"],
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number, share in enumerate(shares)
    ]
    for process in processes:
        assert process.stdout.readline() == b"ready\n", server.said()[-2000:]
    return processes


def heard(processes: list, out: Path) -> list:
    """End them; gives the frames of each socket."""
    frames = []
    for process in processes:
        process.stdin.close()
    for number, process in enumerate(processes):
        process.wait()
        frames += pickle.loads(Path(f"{out}{number}").read_bytes())
    return frames


def run(server, variants: list[int], options, html: str) -> Result:
    """Serve, listen, change stock at the rate asked for, and add up."""
    from tests.benchmarks.cpu import cpu_of

    topics = [f"stock:{pk}" for pk in variants]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "frames"
        server.start()
        listeners = listen(server, options, topics, html, out)
        before, lags = cpu_of(server.pid), lags_of(server)
        with reading(server, options.readers):
            committed = write(server, variants, options)
        time.sleep(DRAIN_S if options.drain else 1)
        cpu, lags = cpu_of(server.pid) - before, lags_of(server) - lags
        frames = heard(listeners, out)
        server.stop()
    return add_up(cpu, frames, committed)._replace(lag=most_of(lags))


@contextlib.contextmanager
def reading(server, readers: int):
    """Meanwhile people load pages, as fast as they get them."""
    if not readers:
        yield
        return
    command = [sys.executable, str(PLACE / "readers.py")]
    command += [f"{server.url}/products/", str(readers)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        begun = time.monotonic()
        yield
        count, _ = process.communicate()
        print(f"{int(count) / (time.monotonic() - begun):.0f} pages a second and")


LAG = re.compile(r'^shop_loop_lag_seconds_bucket\{le="(.+)"\} (.+)$', re.MULTILINE)


def lags_of(server) -> Counter[float]:
    """How often the shop's loop has woken so late (seconds) or less."""
    if isinstance(server, Node) or "project" not in server.application:
        return Counter()
    with urllib.request.urlopen(f"{server.url}/metrics") as answer:
        buckets = LAG.findall(answer.read().decode())
    return Counter({float(limit): int(float(count)) for limit, count in buckets})


def most_of(lags: Counter[float]) -> float | None:
    """The step below which 99 in 100 are."""
    enough = 0.99 * max(lags.values(), default=0)
    return min(
        (limit for limit, count in lags.items() if count >= enough), default=None
    )


def write(server, variants: list[int], options) -> list[tuple[int, int, float]]:
    """Commit changes at the rate asked for: (product, version, when)."""
    from products.stock import services as stock

    committed, begun = [], time.monotonic()
    for number in range(options.rate * options.seconds):
        pause = begun + number / options.rate - time.monotonic()
        time.sleep(max(0, pause))
        level = stock.receive(variants[number % len(variants)], 1)
        committed.append((level.variant_id, level.version, time.monotonic()))
        if isinstance(server, Node):
            server.tell(level)
    return committed


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
    latencies = []
    place = dict.fromkeys(shown, 0)
    for variant, version, moment in committed:
        name = f"stock:{variant}"
        items = shown.get(name, [])
        index = place.get(name, 0)
        while index < len(items) and items[index][0] < version:
            index += 1
        place[name] = index
        if index < len(items):
            latencies.append(items[index][1] - moment)
    return latencies


def tell(name: str, result: Result) -> None:
    print(
        f"{name:10} {result.cpu_a_frame:8.0f} µs CPU a frame"
        f" {result.cpu_an_update:8.0f} µs an update"
        f"  p50 {result.quantile(0.5):7.0f} ms  p99 {result.quantile(0.99):7.0f} ms"
        f"  {result.frames} frames, {result.updates}/{result.owed} updates shown"
        + (f"  lag p99 < {result.lag * 1e3:.0f} ms" if result.lag else ""),
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--rate", type=int, default=100, help="changes a second")
    parser.add_argument("--products", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS)
    parser.add_argument(
        "--drain", action="store_true", help="wait for a server that has fallen behind"
    )
    parser.add_argument("--readers", type=int, default=0, help="of pages")
    options = parser.parse_args()
    if options.readers and not {*options.peers} <= {"hub", "uvicorn", "daphne"}:
        parser.error("--readers need a shop: --peers hub uvicorn daphne")

    import django

    django.setup()
    logging.getLogger("channels_redis").setLevel(logging.ERROR)  # "over capacity"
    from tests.benchmarks.scratch import scratch_database

    with tempfile.TemporaryDirectory() as folder, scratch_database() as make_variants:
        compare(Path(folder), make_variants(options.products), options)


def compare(folder: Path, variants: list[int], options) -> None:
    from tests.benchmarks.scratch import CORE_LAYER, PUBSUB_LAYER, in_turn, make_layer
    from tests.support.layers import publishing_through
    from tests.support.servers import Redis

    redis = Redis(folder)
    redis.start()
    static = collect_static(folder / "static") if options.readers else {}
    servers = make_servers(folder, redis.url, options.peers, static)
    ratios: dict[str, list[float]] = {name: [] for name in options.peers}
    try:
        for number in range(options.rounds):
            costs = {}
            for name in in_turn(options.peers, number):
                server = servers[name]
                is_tutorial = name == "tutorial"
                layer = CORE_LAYER if is_tutorial else PUBSUB_LAYER
                with publishing_through(make_layer(redis.url, layer)):
                    html = "" if is_tutorial else "en"
                    result = run(server, variants, options, html)
                tell(name, result)
                costs[name] = result.cpu_a_frame
            if "hub" in costs:
                for name, cost in costs.items():
                    ratios[name].append(costs["hub"] / cost)
    finally:
        redis.stop()
    for name, found in ratios.items():
        if found and name != "hub":
            print(f"hub / {name}: " + ", ".join(f"{ratio:.2f}" for ratio in found))


def make_servers(
    folder: Path, redis_url: str, names: list[str], static: dict[str, str]
) -> dict[str, Process]:
    environment = static | {
        "LAYER_PREFIX": "bench",
        "CATALOGUE_MAX_AGE_S": "0",  # a page that is asked for is made
        # All come from one address, and as fast as they can.
        "LIVE_HANDSHAKES": "20000",
    }
    servers: dict[str, Process] = {}
    for name in names:
        if name == "node":
            servers[name] = Node(folder)
            servers[name].install()
            continue
        kind = {"uvicorn": Uvicorn, "daphne": PlainDaphne}.get(name, Daphne)
        if name == "tutorial":
            kind = PlainDaphne
        servers[name] = kind(folder, redis_url, **environment)
        if name == "tutorial":
            servers[name].application = "tests.benchmarks.tutorial:application"
    return servers


if __name__ == "__main__":
    main()
