"""What open pages of the staff cost the server, by how many are open.

    deploy/local/up.py --test exec python tests/benchmarks/staff.py

- `pulse`: the pulse page, which moves every two seconds by itself;
- `shelves`: the strip of what runs low, above the board;
- `shelf`: the admin's page of one product's stock;
- `orders`: the counters in the navigation of every staff page.

One shop on `realtime.server`; stock changes at a rate, or orders are placed. The pages
hear what is pushed. A server without the topic "pulse" (an older commit, in a worktree
of its own with this file, `hidden.py` and `listeners.py` copied into it) is asked for
the fragment every two seconds, as its script did. CPU is the server process's for each
second, and for each page that is opened besides the first, by change. On a scratch
database, and the Redis at REDIS_URL. Read the figures as ratios.
"""

import argparse
import contextlib
import json
import logging
import os
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "local")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from tests.benchmarks.hidden import Tab  # noqa: E402
from tests.benchmarks.listeners import AT_ONCE, Crowd  # noqa: E402

PAGES = (0, 1, 12)
EVERY_S = 2  # the pulse
KINDS = ["pulse", "shelves", "shelf", "orders"]


@contextlib.contextmanager
def open_pages(server, cookies: list[str], topic: str) -> Iterator[Crowd]:
    """So many pages that show the topic, in a thread that reads for them."""
    frame = {"t": "sub", "id": 1, "topics": {topic: None}, "html": "en"}
    hello = json.dumps(frame).encode()
    crowd, is_over = Crowd(), threading.Event()
    crowd.open(
        [partial(Tab, server.port, hello, cookie) for cookie in cookies], AT_ONCE
    )
    is_known = True
    for tab in crowd.listeners.values():
        is_known = b"unknown_topic" not in tab.frames()[0][1]
        tab.is_subscribed = True
    works = [partial(read, crowd, is_over)]
    if not is_known:
        works += [partial(fetch, server, cookie, is_over) for cookie in cookies]
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield crowd
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
        crowd.close()


def read(crowd: Crowd, is_over: threading.Event) -> None:
    while not is_over.is_set():
        crowd.listen(seconds=0.2)


def fetch(server, cookie: str, is_over: threading.Event) -> None:
    """As the pulse page did before it was pushed."""
    address = f"{server.url}/staff/pulse/?fragment=1"
    while not is_over.wait(EVERY_S):
        request = urllib.request.Request(address, headers={"Cookie": cookie})
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()


def measure(
    server, cookies: list[str], topic: str, change: Callable[[], None], options
) -> tuple[float, int]:
    """Seconds of CPU, and bytes that the pages heard, while things change."""
    from tests.benchmarks.cpu import cpu_of

    with open_pages(server, cookies, topic) as crowd:
        time.sleep(2 * EVERY_S)
        tabs = crowd.listeners.values()
        cpu, heard = cpu_of(server.pid), sum(tab.bytes_heard for tab in tabs)
        begun = time.monotonic()
        for number in range(round(options.rate * options.seconds)):
            time.sleep(max(0, begun + number / options.rate - time.monotonic()))
            change()
        time.sleep(max(0, begun + options.seconds - time.monotonic()))
        cpu = cpu_of(server.pid) - cpu
        return cpu, sum(tab.bytes_heard for tab in tabs) - heard


def compare(server, cookies: list[str], variants: list[int], options) -> None:
    from products.stock import services as stock
    from tests.support.factories import make_order

    for kind in options.kinds:
        topic, change = kind, partial(stock.receive, variants[0], 1)
        changes = options.rate * options.seconds
        if kind == "shelf":
            topic = f"shelf:{variants[0]}"
        elif kind == "orders":
            change = make_order
        elif kind == "pulse":
            change, changes = (lambda: None), options.seconds / EVERY_S
        costs = {}
        for count in PAGES:
            cpu, heard = measure(server, cookies[:count], topic, change, options)
            costs[count] = cpu
            print(
                f"{kind:8} {count:2} open: {1000 * cpu / options.seconds:7.1f} ms CPU"
                f" a second, {heard / max(count, 1) / changes:8.0f} bytes a page"
                " and change",
                flush=True,
            )
        most = max(PAGES)
        more = (costs[most] - costs[1]) / (most - 1) / changes
        print(f"{kind:8} one more page, a change: {1e6 * more:6.0f} µs", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--rate", type=float, default=5, help="changes a second")
    parser.add_argument("--seconds", type=float, default=20, help="for each crowd")
    options = parser.parse_args()
    from tests.support.servers import Daphne, collect_static

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ |= collect_static(place / "static") | {"LAYER_PREFIX": "bench"}
        import django

        django.setup()
        logging.disable(logging.WARNING)
        from django.conf import settings

        from tests.benchmarks.boards import sign_in
        from tests.benchmarks.scratch import scratch_database

        with scratch_database() as make_variants:
            variants = make_variants(60)
            cookies = [sign_in(number) for number in range(max(PAGES))]
            server = Daphne(place, settings.REDIS_URL)
            server.start()
            try:
                compare(server, cookies, variants, options)
            finally:
                server.stop()


if __name__ == "__main__":
    main()
