"""A crowd whose sockets are all cut at once: how fast is everybody back?

    deploy/local/up.py --test exec python tests/benchmarks/storms.py --sockets 3000
    … storms.py --sockets 6000 --against 5a419b2

One server process, on a scratch database. The crowd arrives evenly, which gives the
steady rate; then all sockets are cut, and the pages come back by themselves. Meanwhile
somebody loads the product list again and again. With `--against` the server and the
pages of that commit do the same, in turn.
"""

import argparse
import contextlib
import json
import logging
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

PLACE = Path(__file__).resolve().parent
ROOT = PLACE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "local")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from tests.benchmarks.cpu import cpu_of  # noqa: E402
from tests.support.servers import Daphne, Redis, collect_static  # noqa: E402

PRODUCTS = 20
PAUSE_S = 0.5  # between two looks at the product list
PATIENCE_S = 30
FILES = ["storms.py", "returning.py", "listeners.py"]
# Fewer connections of pages leave more open files for sockets.
LIMITS = {"LIVE_SOCKETS": "20000", "LIVE_SOCKETS_PER_ADDRESS": "20000"}
LIMITS |= {"HTTP_CONNECTIONS": "1000", "HTTP_QUEUE": "200"}


class Reader(threading.Thread):
    """Somebody who loads the product list; notes how long it takes."""

    def __init__(self, page: str) -> None:
        super().__init__(daemon=True)
        self._page = page
        self._is_over = threading.Event()
        self.times: list[float] = []
        self.failures = 0

    def run(self) -> None:
        while not self._is_over.wait(PAUSE_S):
            begun = time.monotonic()
            try:
                load(self._page)
            except OSError:
                self.failures += 1
            self.times.append(time.monotonic() - begun)

    def stop(self) -> None:
        self._is_over.set()
        self.join()


def load(page: str) -> None:
    urllib.request.urlopen(page, timeout=PATIENCE_S).read()


@contextlib.contextmanager
def reading(page: str) -> Iterator[Reader]:
    reader = Reader(page)
    reader.start()
    try:
        yield reader
    finally:
        reader.stop()


def storm(server: Daphne, topics: dict[str, int], sockets: int, model: str) -> dict:
    """One storm; gives the figures."""
    command = [sys.executable, str(PLACE / "returning.py"), str(server.port)]
    command += [str(sockets), json.dumps(topics), model]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as crowd:
        evenly = json.loads(crowd.stdout.readline())["evenly"]
        page = f"http://127.0.0.1:{server.port}/products/"
        load(page)  # what only the first page of a process takes is not the storm's
        with reading(page) as reader:
            cpu, begun = cpu_of(server.pid), time.monotonic()
            crowd.stdin.write("now\n")
            crowd.stdin.flush()
            figures = json.loads(crowd.stdout.readline())
            seconds = time.monotonic() - begun
            cpu = cpu_of(server.pid) - cpu
    return figures | {
        "sockets": sockets,
        "evenly": evenly,
        "server cpu": cpu / seconds,
        "crowd cpu": figures["cpu"] / seconds,
        "pages": sorted(reader.times),
        "failed pages": reader.failures,
    }


def tell(name: str, result: dict) -> None:
    """Return a line of the report."""
    sockets, back = result["sockets"], result["back"]
    steady = sockets / result["evenly"]
    seconds = result["times"][-1] if result["times"] else float("nan")
    goodput = back / seconds
    print(
        f"{name:8} {sockets:6,} sockets: evenly {steady:4.0f} a second; after the cut"
        f" {back:,} back in {seconds:5.1f} s, {goodput:4.0f} a second,"
        f" {goodput / steady:4.2f} of the steady rate; {dict(result['counts'])};"
        f" a page p50 {statistics.median(result['pages']):.2f} s,"
        f" at most {result['pages'][-1]:.2f} s, {result['failed pages']} failed;"
        f" CPU of the server {result['server cpu']:.0%},"
        f" of the crowd {result['crowd cpu']:.0%}",
        flush=True,
    )


def run(options) -> None:
    import django

    django.setup()
    logging.getLogger("project.mail.outbox").setLevel(logging.ERROR)
    from products.models import Stock
    from tests.benchmarks.scratch import scratch_database

    with tempfile.TemporaryDirectory() as folder, scratch_database() as make_variants:
        redis = Redis(Path(folder))
        redis.start()
        pks = make_variants(PRODUCTS)
        versions = Stock.objects.in_bulk(pks)
        topics = {f"stock:{pk}": versions[pk].version for pk in pks}
        limits = LIMITS | collect_static(Path(folder) / "static")
        try:
            for sockets in options.sockets:
                server = Daphne(Path(folder), redis.url, LAYER_PREFIX="bench", **limits)
                server.start()
                try:
                    tell(options.name, storm(server, topics, sockets, options.model))
                finally:
                    server.stop()
        finally:
            redis.stop()


@contextlib.contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """That commit's files, with this benchmark among them."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "then"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", str(place), commit], check=True)
        try:
            for name in FILES:
                shutil.copy(PLACE / name, place / "tests" / "benchmarks" / name)
            helpers = place / "tests" / "support"
            if not helpers.exists():  # older commits have them in tests/
                helpers.symlink_to(".")
            yield place
        finally:
            subprocess.run([*git, "remove", "--force", str(place)], check=True)


def run_then(place: Path, options) -> None:
    """The same in another checkout: its own server, and pages as they were."""
    command = [sys.executable, str(place / "tests" / "benchmarks" / "storms.py")]
    command += ["--model", "hasty", "--name", "then", "--sockets"]
    subprocess.run([*command, *map(str, options.sockets)], cwd=place, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = [3000, 6000, 10000, 15000, 18000]
    parser.add_argument("--sockets", type=int, nargs="+", default=sizes)
    parser.add_argument("--against", metavar="COMMIT")
    parser.add_argument("--model", choices=["spread", "hasty"], default="spread")
    parser.add_argument("--name", default="now", help=argparse.SUPPRESS)
    options = parser.parse_args()
    run(options)
    if options.against:
        with checkout(options.against) as place:
            run_then(place, options)


if __name__ == "__main__":
    main()
