"""How server processes are best shared out among pages and sockets.

    deploy/local/up.py --test exec python tests/benchmarks/roles.py

Starts the shop as `make run` does, with nginx, worker and beat: with one process for
both, and with so many of pages and of sockets. Each is loaded in turn with
`python -m realtime.loadtest`, in the other order in every second round. The database,
Redis and the folder of the run are scratch, the port is free.

Read the figures as ratios within one run: the load test has the same processors.
`split` of deploy/local/nginx.py says what `make run WEB=4` starts.
"""

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / "deploy" / "local"
sys.path[:0] = [str(ROOT), str(LOCAL)]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from tests.support.servers import (  # noqa: E402
    Redis,
    collect_static,
    free_port,
    wait_until,
)

PRODUCTS, UNITS = 24, 100_000
START_S = END_S = 90
# What `make run` does once the database is prepared, with a split of our own.
SERVE = """
import sys; from pathlib import Path
import commands, machine, nginx, processes; from servers import Servers
local, pages, sockets = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
nginx.split = lambda count: {"pages": pages, "sockets": sockets}
host, port = machine.asked_address()
env = commands.environment_of_run(servers := Servers(local), host, port)
note, count = local / "run.json", pages + sockets
sys.exit(processes.together(servers, env, note, count))
"""
FIGURES = {
    "push_p50": "push p50 {:5.0f} ms",
    "push_p99": "p99 {:5.0f}",
    "http_p50": "page p50 {:5.0f}",
    "http_p99": "p99 {:5.0f}",
    "orders": "orders {:4.0f}",
    "server_cpu_percent": "CPU {:4.0f} %",
    "server_pages_cpu_percent": "pages {:4.0f}",
    "server_sockets_cpu_percent": "sockets {:4.0f}",
}
Figures = dict[str, float]


class Run:
    """The shop with so many processes of pages and of sockets; 1 and 0 is one process
    that serves both."""

    def __init__(self, folder: Path, pages: int, sockets: int, env: dict) -> None:
        self.local = folder / f"local-{pages}-{sockets}"
        self.local.mkdir(exist_ok=True)
        port = free_port()
        self.url = f"http://localhost:{port}"
        settings = {"SHOP_LOCAL_DIR": str(self.local), "PYTHONPATH": str(LOCAL)}
        settings |= {
            "PORT": str(port),
            "DOMAIN_NAME": self.url,
            "PYTHONUNBUFFERED": "1",
        }
        self.env = env | settings
        self._words = [sys.executable, "-c", SERVE, str(self.local)]
        self._words += [str(pages), str(sockets)]
        self._log = self.local / "log"

    def __enter__(self) -> "Run":
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._words, env=self.env, cwd=ROOT, stdout=log, stderr=log
            )
        wait_until(self._is_open, f"the shop ({self._log})", START_S)
        return self

    def __exit__(self, *error) -> None:
        self._process.terminate()
        self._process.wait(END_S)

    def _is_open(self) -> bool:
        said = self._log.read_text()
        assert self._process.poll() is None, said
        return "The shop is open" in said

    def load(self, options) -> tuple[str, Figures]:
        """The load test's verdict and its figures."""
        file = self.local / "figures.json"
        command = [sys.executable, "-m", "realtime.loadtest", "--url", self.url]
        command += ["--phases", "shopping", "--json", str(file)]
        for name in ("sockets", "rate", "buyers", "changes", "duration"):
            command += [f"--{name}", str(getattr(options, name))]
        done = subprocess.run(
            command, env=self.env, cwd=ROOT, capture_output=True, text=True
        )
        assert file.exists(), done.stderr
        said = json.loads(file.read_text())
        file.unlink()
        return said["verdict"], said["figures"]


def line(figures: Figures) -> str:
    return ", ".join(
        text.format(figures[name])
        for name, text in FIGURES.items()
        if figures.get(name) is not None
    )


def middle(runs: list[Figures]) -> Figures:
    """The median of each figure that all of them have."""
    names = [name for name in FIGURES if all(run.get(name) is not None for run in runs)]
    return {name: statistics.median(run[name] for run in runs) for name in names}


def compare(folder: Path, env: dict[str, str], options) -> None:
    figures_of: dict[str, list[Figures]] = {split: [] for split in options.splits}
    for number in range(options.rounds):
        for split in options.splits[:: -1 if number % 2 else 1]:
            pages, _, sockets = split.partition("+")
            with Run(folder, int(pages), int(sockets or 0), env) as run:
                time.sleep(options.pause)  # worker and beat have begun, too
                verdict, figures = run.load(options)
            figures_of[split].append(figures)
            print(f"{split:>4} {line(figures)}, {verdict}", flush=True)
    print(f"Median of {options.rounds} rounds; pages+sockets, 1 is both in one")
    for split, runs in figures_of.items():
        print(f"{split:>4} {line(middle(runs))}")


def fill_the_shop() -> None:
    from tests.support.factories import make_category, make_variant

    category = make_category()
    for number in range(PRODUCTS):
        make_variant(name=f"Bowl {number}", on_hand=UNITS, category=category)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    usual = ["1", "1+1", "3+1", "2+2"]
    parser.add_argument("--splits", nargs="+", default=usual, metavar="PAGES+SOCKETS")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=200, help="opened a second")
    parser.add_argument("--buyers", type=int, default=4)
    parser.add_argument("--changes", type=float, default=12, help="a second")
    parser.add_argument("--duration", type=float, default=15, help="seconds")
    parser.add_argument("--pause", type=float, default=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= collect_static(folder / "static") | {"LAYER_PREFIX": "bench"}
        import django

        django.setup()
        logging.disable(logging.WARNING)
        from tests.benchmarks.scratch import scratch_database

        redis = Redis(folder)
        redis.start()
        try:
            with scratch_database():
                fill_the_shop()
                settings = {"REDIS_URL": redis.url, "MEDIA_ROOT": str(folder / "media")}
                compare(folder, os.environ | settings, options)
        finally:
            redis.stop()


if __name__ == "__main__":
    main()
