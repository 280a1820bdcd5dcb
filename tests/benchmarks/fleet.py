"""Very many sockets on one machine, and what grows with the number of processes.

    deploy/local/up.py --test exec python tests/benchmarks/fleet.py
    … fleet.py --sockets 6000 --processes 2
    … fleet.py --sockets 6000 --grow 1 2 4 6

Processes that serve sockets, one that serves pages, a Redis and a scratch database.
Each process has a crowd of its own, a program as cheap as it can be. Each socket
watches one of many lists of 20 products; one in twenty is signed in and watches its
basket too. The crowd arrives, nothing happens for a while, then stock changes so many
times a second, and then all sockets are cut and the pages come back by themselves.

CPU is in processors (1.00 is one of them), from the operating system's accounting;
the crowd shares the processors with the shop. Where a crowd is late
itself, a line says so, and its delays and its return say nothing. A transaction is one
statement of the shop, but those of the changes have three.

With `--grow` the same crowd is served by so many processes in turn, without the cut.
"""

import argparse
import contextlib
import json
import logging
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

PLACE = Path(__file__).resolve().parent
ROOT = PLACE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "local")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from tests.benchmarks.cpu import cpu_of, cpu_of_family, parent_of  # noqa: E402
from tests.benchmarks.sockets import resident  # noqa: E402
from tests.benchmarks.storms import load, reading  # noqa: E402
from tests.support.servers import (  # noqa: E402
    Daphne,
    Redis,
    collect_static,
    wait_until,
)

A_LIST = 20  # products
PEOPLE = 0.05  # of the sockets are signed in
WARM_UP = 100  # sockets a process, which find what it loads once
QUIET_S = 20  # longer than between two heartbeats
LATE_S = 1
PATIENCE_S = 60  # for an answer of a process that is very busy
START_S = 180  # for all, on a busy machine
PREFIX = "bench"
UNITS = 1_000_000


class Server(Daphne):
    """One process of the fleet."""

    def __init__(self, role: str, folder: Path, redis_url: str, **environment: str):
        self.name = role
        super().__init__(folder, redis_url, **environment)

    def address(self) -> list[str]:
        return [*super().address(), "--role", self.name]

    def messages(self) -> int:
        """How many messages of changes Redis has delivered to it."""
        url = f"http://127.0.0.1:{self.port}/metrics"
        text = urllib.request.urlopen(url, timeout=PATIENCE_S).read().decode()
        return round(float(re.search(r"^shop_messages_total (.*)", text, re.M)[1]))


class Pages(NamedTuple):
    """What the pages of all crowds watch, and who they are."""

    frames: list[str]
    visitors: list[tuple[int, str]]  # the frame's number, and a cookie; "" is nobody

    def part(self, number: int, of: int) -> dict:
        """For a crowd, from addresses of its own, which have ports for all."""
        pages = [
            (f"127.0.{10 + number}.{1 + n % 4}", *visitor)
            for n, visitor in enumerate(self.visitors[number::of])
        ]
        return {"frames": self.frames, "pages": pages}


class Crowds:
    """The programs that hold the sockets, one for each server."""

    def __init__(self, folder: Path, servers: list[Server], pages: Pages) -> None:
        self._programs = []
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.sizes = []
        for number, server in enumerate(servers):
            part = pages.part(number, len(servers))
            self.sizes.append(len(part["pages"]))
            file = folder / f"crowd-{number}.json"
            file.write_text(json.dumps(part))
            command = [sys.executable, str(PLACE / "watchers.py"), str(server.port)]
            command += ["spread", str(file)]
            self._programs.append(subprocess.Popen(command, **pipes))
        self.pids = [program.pid for program in self._programs]

    def do(self, *words: Any) -> list[dict]:
        """All do it at once; gives the answer of each."""
        for program in self._programs:
            program.stdin.write(" ".join(map(str, words)) + "\n")
            program.stdin.flush()
        return [json.loads(program.stdout.readline()) for program in self._programs]

    def close(self) -> None:
        for program in self._programs:
            program.kill()  # it may be in the middle of something
            program.communicate()


class Usage(NamedTuple):
    """What a while has cost."""

    seconds: float
    cpu: dict[str, float]  # seconds, by kind of program
    transactions: int
    commands: int  # of Redis
    messages: int  # that Redis has delivered to the servers

    def __str__(self) -> str:
        shares = ", ".join(
            f"{name} {used / self.seconds:.2f}" for name, used in self.cpu.items()
        )
        return (
            f"CPU: {shares}; {self.transactions / self.seconds:.1f} transactions"
            f" and {self.commands / self.seconds:.1f} commands of Redis a second"
        )


class Fleet:
    """Servers, crowds, and what they use."""

    def __init__(
        self, folder: Path, processes: int, redis: Redis, static: dict[str, str]
    ) -> None:
        self.redis = redis
        make = partial(Server, LAYER_PREFIX=PREFIX, **static)
        self.servers = [
            make("sockets", folder, self.redis.url) for _ in range(processes)
        ]
        self.pages = make("pages", folder, self.redis.url)
        self.crowds: Crowds | None = None
        self._postgresql = parent_of(backend())

    def start(self) -> None:
        for server in self._all():
            server.launch()
        for server in self._all():
            wait_until(server.is_ready, server.name, START_S)

    def _all(self) -> list[Server]:
        return [*self.servers, self.pages]

    def stop(self) -> None:
        if self.crowds is not None:
            self.crowds.close()
        for server in self._all():
            server.kill()  # nobody is there to say goodbye to

    def using(self, work: Callable[[], Any]) -> tuple[Any, Usage]:
        """Do it; gives what it gives, and what it has cost."""
        before, begun = self._counts(), time.monotonic()
        result = work()
        seconds, after = time.monotonic() - begun, self._counts()
        cpu = {name: after[0][name] - before[0][name] for name in after[0]}
        counts = (now - then for now, then in zip(after[1:], before[1:], strict=True))
        return result, Usage(seconds, cpu, *counts)

    def _counts(self) -> tuple[dict[str, float], int, int, int]:
        cpu = {
            "sockets": sum(cpu_of(server.pid) for server in self.servers),
            "pages": cpu_of(self.pages.pid),
            "Redis": cpu_of(self.redis.pid),
            "PostgreSQL": cpu_of_family(self._postgresql),
            "changes": time.process_time(),
            "crowds": sum(map(cpu_of, self.crowds.pids)),
        }
        messages = sum(server.messages() for server in self.servers)
        return cpu, transactions(), self._commands(), messages

    def _commands(self) -> int:
        with self.link() as link:
            return link.info("stats")["total_commands_processed"]

    def link(self):
        import redis

        return redis.Redis.from_url(self.redis.url)

    def subscriptions(self) -> Counter[str]:
        """At Redis, by kind of topic."""
        counts: Counter[str] = Counter()
        with self.link() as link:
            for name, count in link.pubsub_numsub(*link.pubsub_channels()):
                kind = re.search(r"__group__live\.([a-z]+)", name.decode())
                counts[kind[1] if kind else "channel"] += count
        return counts


# --- The database -----------------------------------------------------------------


def backend() -> int:
    """The process of PostgreSQL that answers this one."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def transactions() -> int:
    """How many the scratch database has had. PostgreSQL counts a second late."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database"
            " WHERE datname = current_database()"
        )
        return cursor.fetchone()[0]


def sign_in(count: int, variant: int) -> list[str]:
    """Cookies of so many people, each with a basket of version 1, in a few queries."""
    from datetime import timedelta

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.utils import timezone

    from products.models import Basket, BasketLine
    from project.sessions import SessionStore
    from users.models import User

    names = [f"bench-{number}" for number in range(count)]
    people = User.objects.bulk_create(
        User(username=name, email=f"{name}@example.com") for name in names
    )
    baskets = Basket.objects.bulk_create(Basket(user=u, version=1) for u in people)
    BasketLine.objects.bulk_create(
        BasketLine(basket=b, variant_id=variant, quantity=1, price_when_added=1)
        for b in baskets
    )
    store = SessionStore()
    rows = [
        store.get_model_class()(
            session_key=user.username,
            user_id=user.pk,
            expire_date=timezone.now() + timedelta(days=1),
            session_data=store.encode(
                {
                    SESSION_KEY: str(user.pk),
                    BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
                    HASH_SESSION_KEY: user.get_session_auth_hash(),
                }
            ),
        )
        for user in people
    ]
    store.get_model_class().objects.bulk_create(rows)
    return [f"{settings.SESSION_COOKIE_NAME}={row.session_key}" for row in rows]


def make_pages(variants: list[int], sockets: int) -> Pages:
    """As many watch each list as another; who is signed in watches a basket too."""
    starts = range(0, len(variants), A_LIST)
    lists = [variants[start : start + A_LIST] for start in starts]
    frames = [_frame(shown) for shown in lists]
    frames += [_frame(shown, basket=1) for shown in lists]
    cookies = sign_in(round(sockets * PEOPLE), variants[0])
    visitors = [(n % len(lists) + len(lists), c) for n, c in enumerate(cookies)]
    nobody = range(len(visitors), sockets)
    visitors += [(n % len(lists), "") for n in nobody]
    random.Random(1).shuffle(visitors)
    return Pages(frames, visitors)


def _frame(variants: list[int], **more: int) -> str:
    topics = {f"stock:{pk}": 0 for pk in variants} | more
    return json.dumps({"t": "sub", "id": 1, "topics": topics, "html": "en"})


# --- What happens -----------------------------------------------------------------


def open_all(fleet: Fleet, pages: Pages, folder: Path) -> None:
    """Open all sockets, and tell how fast and what they weigh."""
    fleet.crowds = Crowds(folder, fleet.servers, pages)
    fleet.crowds.do("open", WARM_UP)
    before = [resident(server.pid) for server in fleet.servers]
    most = max(fleet.crowds.sizes) - WARM_UP
    count = sum(fleet.crowds.sizes) - WARM_UP * len(fleet.servers)
    _, usage = fleet.using(lambda: fleet.crowds.do("open", most))
    time.sleep(3)
    grown = sum(resident(s.pid) - b for s, b in zip(fleet.servers, before, strict=True))
    fleet.rate = count / usage.seconds
    print(
        f"open: {count:,} sockets in {usage.seconds:.0f} s, {fleet.rate:.0f} a second;"
        f" {grown / count:.1f} KB a socket; {usage}",
        flush=True,
    )


def change_stock(variants: list[int], rate: float, seconds: float) -> int:
    """Sell units at that rate. Gives how many changes that were."""
    from products.stock import services as stock

    return _evenly(
        lambda: stock.claim({random.choice(variants): 1}), rate, seconds  # noqa: S311
    )


def change_baskets(variants: list[int], rate: float, seconds: float) -> int:
    """The same with people who put something into their basket."""
    from products.basket import services as basket
    from products.models import Basket

    baskets = iter(Basket.objects.order_by("?")[: int(rate * seconds) + 1])
    return _evenly(lambda: basket.add(next(baskets), variants[1]), rate, seconds)


def _evenly(change: Callable[[], Any], rate: float, seconds: float) -> int:
    begun, count = time.monotonic(), int(rate * seconds)
    for number in range(count):
        time.sleep(max(0, begun + number / rate - time.monotonic()))
        change()
    time.sleep(max(0, begun + seconds - time.monotonic()))
    return count


def tell_changes(fleet: Fleet, name: str, change: Callable[[], int]) -> Usage:
    """Make changes and tell what became of them."""
    fleet.crowds.do("count")
    count, usage = fleet.using(change)
    time.sleep(1)  # what is on its way
    reports = fleet.crowds.do("tell")
    delays = Counter[int]()
    for one in reports:
        delays.update(dict(one["delays"]))
    frames = delays.total()
    print(
        f"{name}: {count / usage.seconds:.1f} a second, {frames / usage.seconds:,.0f}"
        f" frames a second; from commit to frame p50 {quantile(delays, 0.5)} ms,"
        f" p99 {quantile(delays, 0.99)} ms; {usage.messages / count:.1f} messages a"
        f" change; {usage}{losses(reports)}{lateness(reports)}",
        flush=True,
    )
    return usage


def quantile(counts: Counter[int], share: float) -> int:
    left = share * counts.total()
    for value in sorted(counts):
        left -= counts[value]
        if left <= 0:
            return value
    raise ValueError("nothing came")


def lateness(reports: list[dict]) -> str:
    """How late the crowds were; then it is they who are measured, not the shop."""
    late = max(one["late"] for one in reports)
    return f"; THE CROWDS WERE LATE, by {late:.1f} s" if late > LATE_S else ""


def losses(reports: list[dict]) -> str:
    """What happened to sockets meanwhile, if something did."""
    counts = sum((Counter(one["counts"]) for one in reports), Counter())
    counts.pop("attempts", None)
    return f"; LOST SOCKETS: {dict(counts)}" if counts else ""


def tell_quiet(fleet: Fleet) -> Usage:
    """Nothing happens for a while."""
    _, usage = fleet.using(partial(time.sleep, QUIET_S))
    print(f"quiet: {usage}", flush=True)
    return usage


class Peak(threading.Thread):
    """Looks each second at how many transactions there were in it."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._is_over = threading.Event()
        self.most = 0.0

    def run(self) -> None:
        from django.db import connection

        then, begun = transactions(), time.monotonic()
        while not self._is_over.wait(1):
            now, moment = transactions(), time.monotonic()
            self.most = max(self.most, (now - then) / (moment - begun))
            then, begun = now, moment
        connection.close()

    def stop(self) -> None:
        self._is_over.set()
        self.join()


@contextlib.contextmanager
def peak() -> Iterator[Peak]:
    watch = Peak()
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()


def tell_storm(fleet: Fleet, limit_s: int) -> None:
    """Cut all, and tell when they were back."""
    spread = max(one["spread"] for one in fleet.crowds.do("tell"))
    page = f"http://127.0.0.1:{fleet.pages.port}/products/"
    load(page)  # the first one takes longer
    with peak() as most, reading(page) as reader:
        reports, usage = fleet.using(partial(fleet.crowds.do, "storm", limit_s))
    times = sorted(moment for one in reports for moment in one["times"])
    sockets, seconds = sum(fleet.crowds.sizes), times[-1]
    counts = sum((Counter(one["counts"]) for one in reports), Counter())
    steady = sockets / fleet.rate
    print(
        f"storm: told to spread over {spread:.0f} s; {len(times):,} of {sockets:,} back"
        f" in {seconds:.0f} s, half of them in {statistics.median(times):.0f} s,"
        f" {seconds / steady:.2f} of what the steady rate needs; {dict(counts)};"
        f" at most {most.most:.0f} transactions a second; a page p50"
        f" {statistics.median(reader.times):.2f} s, at most {max(reader.times):.2f} s,"
        f" {reader.failures} failed; {usage}{lateness(reports)}",
        flush=True,
    )


def run_all(options, redis: Redis, pages: Pages, variants: list[int], static) -> None:
    """The whole story of one fleet."""
    with running(options.processes, redis, pages, static) as fleet:
        tell_quiet(fleet)
        for rate in options.rates:
            change = partial(change_stock, variants, rate, options.seconds)
            tell_changes(fleet, f"{rate:g} changes", change)
        tell_storm(fleet, options.limit)


def run_growing(
    options, redis: Redis, pages: Pages, variants: list[int], static
) -> None:
    """What grows with processes: one line each, after the details."""
    lines, rate = [], max(options.rates)
    for processes in options.grow:
        print(f"--- {processes} processes", flush=True)
        with running(processes, redis, pages, static) as fleet:
            quiet = tell_quiet(fleet)
            change = partial(change_stock, variants, rate, options.seconds)
            busy = tell_changes(fleet, f"{rate:g} changes", change)
            change = partial(change_baskets, variants, 2, options.seconds)
            personal = tell_changes(fleet, "baskets", change)
            subscriptions = fleet.subscriptions()
        lines.append(
            f"{processes} processes: quiet {quiet.transactions / quiet.seconds:.1f}"
            f" transactions, {quiet.commands / quiet.seconds:.1f} commands of Redis a"
            f" second, CPU sockets {quiet.cpu['sockets'] / quiet.seconds:.3f},"
            f" PostgreSQL {quiet.cpu['PostgreSQL'] / quiet.seconds:.3f},"
            f" Redis {quiet.cpu['Redis'] / quiet.seconds:.3f};"
            f" {rate:g} changes a second: CPU {busy.cpu['sockets'] / busy.seconds:.3f},"
            f" {busy.cpu['PostgreSQL'] / busy.seconds:.3f},"
            f" {busy.cpu['Redis'] / busy.seconds:.3f};"
            f" messages a change {busy.messages / (rate * options.seconds):.2f},"
            f" of a basket {personal.messages / (2 * options.seconds):.2f};"
            f" subscriptions {dict(subscriptions)}"
        )
    print(*lines, sep="\n", flush=True)


@contextlib.contextmanager
def running(processes: int, redis: Redis, pages: Pages, static) -> Iterator[Fleet]:
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder), processes, redis, static)
        try:
            fleet.start()
            open_all(fleet, pages, Path(folder))
            yield fleet
        finally:
            fleet.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sockets", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=6)
    parser.add_argument("--products", type=int, default=10_000)
    parser.add_argument("--rates", type=float, nargs="*", default=[1, 10, 100])
    parser.add_argument("--seconds", type=float, default=15, help="for each rate")
    parser.add_argument("--limit", type=int, default=240, help="of the return, in s")
    parser.add_argument("--grow", type=int, nargs="+", metavar="PROCESSES")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        redis = Redis(Path(folder))
        redis.start()
        os.environ |= {"REDIS_URL": redis.url, "LAYER_PREFIX": PREFIX}
        try:
            on_scratch(Path(folder), redis, options)
        finally:
            redis.stop()


def on_scratch(folder: Path, redis: Redis, options) -> None:
    import django

    django.setup()
    logging.getLogger("project.mail.outbox").setLevel(logging.ERROR)
    from tests.benchmarks.scratch import scratch_database
    from tests.support.factories import make_variants

    with scratch_database():
        made = make_variants(options.products, on_hand=UNITS)
        variants = [variant.pk for variant in made]
        pages = make_pages(variants, options.sockets)
        run = run_growing if options.grow else run_all
        run(options, redis, pages, variants, collect_static(folder / "static"))


if __name__ == "__main__":
    main()
