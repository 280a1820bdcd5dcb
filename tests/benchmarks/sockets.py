"""What it costs to open a socket, and to keep it: this shop against bare ASGI.

    deploy/local/up.py --test exec python tests/benchmarks/sockets.py --sockets 2000

- `bare`: as little ASGI as there can be, on Daphne as it comes (`bare.py`);
- `channels`: a Channels consumer that does as little, there too;
- `stock`: the shop on `realtime.server`, sockets that watch 20 products, of nobody;
- `person`: the same, each signed in with a session of their own, and the basket too.

Each asks for what a page has just shown, with its versions, and is answered.
Memory is what the server process holds of the machine's more than before (resident,
from the operating system's accounting), once it is quiet. CPU is the server process's.
Each round another peer comes first. Ratios are to the peer that is named first.
"""

import argparse
import gc
import json
import logging
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

PLACE = Path(__file__).resolve().parent
ROOT = PLACE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "local")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from tests.benchmarks.cpu import cpu_of  # noqa: E402
from tests.benchmarks.listeners import (  # noqa: E402
    AT_ONCE,
    Crowd,
    Listener,
    allow_files,
)
from tests.benchmarks.scratch import in_turn  # noqa: E402
from tests.support.servers import Daphne, PlainDaphne, Redis  # noqa: E402

PRODUCTS = 20
WARM_UP = 200  # sockets, which find what a process loads once
QUIET_S = 3
PEERS = ["bare", "channels", "stock", "person"]


class Result(NamedTuple):
    """One run of one server."""

    kilobytes: float  # a socket
    rate: float  # sockets a second
    cpu: float  # seconds a socket


def resident(pid: int) -> float:
    """Kilobytes of memory that a process occupies."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return float(line.split()[1])
    raise ValueError(f"process {pid} does not say")


def open_all(crowd: Crowd, port: int, hello: bytes, cookies: list[str]) -> None:
    """A socket for each cookie, each with its first answer."""
    makers = [partial(Listener, port, hello, cookie) for cookie in cookies]
    crowd.open(makers, AT_ONCE)


def measure(server, hello: bytes, cookies: list[str]) -> Result:
    crowd, count = Crowd(), len(cookies) - WARM_UP
    open_all(crowd, server.port, hello, cookies[:WARM_UP])
    crowd.listen(seconds=QUIET_S)
    memory, cpu, begun = resident(server.pid), cpu_of(server.pid), time.monotonic()
    open_all(crowd, server.port, hello, cookies[WARM_UP:])
    seconds, cpu = time.monotonic() - begun, cpu_of(server.pid) - cpu
    crowd.listen(seconds=QUIET_S)
    memory = resident(server.pid) - memory
    crowd.close()
    return Result(memory / count, count / seconds, cpu / count)


def sign_in(count: int, variant: int) -> list[str]:
    """Cookies of so many people, each with a basket that has something in it."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from products.basket import services as basket
    from products.live.viewers import Owner
    from project.sessions import SessionStore
    from users.models import User

    cookies = []
    for number in range(count):
        name = f"bench-{number}"
        user = User.objects.create(username=name, email=f"{name}@example.com")
        basket.add(basket.open_for(Owner(user_id=user.pk)), variant)
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        cookies.append(f"{settings.SESSION_COOKIE_NAME}={session.session_key}")
    return cookies


def hello_of(name: str, variants: list[int]) -> bytes:
    from products.models import Basket, Stock

    versions = Stock.objects.in_bulk(variants)
    topics = {f"stock:{pk}": versions[pk].version for pk in variants}
    if name == "person":
        topics["basket"] = Basket.objects.latest("pk").version  # all have the same
    frame = {"t": "sub", "id": 1, "topics": topics, "html": "en"}
    return json.dumps(frame).encode()


def make_server(name: str, folder: Path, redis_url: str):
    environment = {"LAYER_PREFIX": "bench", "LIVE_HANDSHAKES": "20000"}
    kind = PlainDaphne if name in ("bare", "channels") else Daphne
    server = kind(folder, redis_url, **environment)
    if name in ("bare", "channels"):
        attribute = "application" if name == "bare" else name
        server.application = f"tests.benchmarks.bare:{attribute}"
    return server


def run(name: str, folder: Path, redis_url: str, variants, cookies) -> Result:
    server = make_server(name, folder, redis_url)
    server.start()
    try:
        return measure(server, hello_of(name, variants), cookies)
    finally:
        server.stop()


def compare(folder: Path, redis_url: str, variants: list[int], options) -> None:
    people = sign_in(options.sockets + WARM_UP, variants[0])
    nobody = [""] * len(people)
    ratios: dict[str, list[str]] = {name: [] for name in options.peers}
    for number in range(options.rounds):
        results = {}
        for name in in_turn(options.peers, number):
            gc.collect()
            cookies = people if name == "person" else nobody
            result = results[name] = run(name, folder, redis_url, variants, cookies)
            print(
                f"{name:10} {result.kilobytes:6.1f} KB a socket"
                f" {result.rate:7.0f} sockets a second"
                f" {result.cpu * 1e6:7.0f} µs CPU to open one",
                flush=True,
            )
        first = results[options.peers[0]]
        for name, result in results.items():
            rate, cpu = result.rate / first.rate, first.cpu / result.cpu
            ratios[name].append(f"{rate:.2f} ({cpu:.2f})")
    for name in options.peers[1:]:
        print(
            f"{name} / {options.peers[0]}: {', '.join(ratios[name])} of the rate"
            " (of what a CPU opens)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sockets", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS)
    options = parser.parse_args()
    allow_files(options.sockets + 1000)

    with tempfile.TemporaryDirectory() as folder:
        redis = Redis(Path(folder))
        redis.start()
        os.environ["REDIS_URL"] = redis.url
        try:
            on_scratch(Path(folder), redis.url, options)
        finally:
            redis.stop()


def on_scratch(folder: Path, redis_url: str, options) -> None:
    import django

    django.setup()
    logging.getLogger("project.mail.outbox").setLevel(logging.ERROR)
    from tests.benchmarks.scratch import scratch_database

    with scratch_database() as make_variants:
        compare(folder, redis_url, make_variants(PRODUCTS), options)


if __name__ == "__main__":
    main()
