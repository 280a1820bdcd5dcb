"""What open boards of the staff cost a shopper.

    deploy/local/up.py --test exec python tests/benchmarks/boards.py

One Daphne, 300 open orders, and another process that places or packs 5 orders a second.
A shopper asks for a page of search results again and again while 0, 2, 6 and 12 boards
are open, in turn, and in the other order in every second round; each turn begins with
300 open orders. The boards are in a process of their own, at a low priority, as they
would be other machines. They take what is pushed, and fetch what static/js/board.js
would fetch. A server without the topic "board" (an older commit, in a worktree of its
own with this file copied into it) is treated as its script did: a fetch for each
change, and at most one in 400 ms.

On a scratch database, and the Redis at REDIS_URL. Each line has the ratio to the turn
without boards in the same round; the last lines have the medians of all rounds. On a
busy machine read the CPU rather than the milliseconds: it is the server's, for each
page of the shopper, everything else that the server does meanwhile included.
"""

import argparse
import itertools
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
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "local")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

BOARD = "/staff/orders/"
PAUSE_S = 0.4  # between two fetches of a board
SOON_S = 1  # before a column that is half empty is filled up, and up to twice that
LIMIT = 40  # cards of a column
CARD = re.compile(r'<li class="order[^>]*data-key="(\w+)" data-version="(\d+)"')
SECTION = re.compile(r'data-column="(\w+)"')


class Board:
    """A board as a browser keeps it: columns of numbers, kept up to date."""

    def __init__(self, origin: str, cookie: str) -> None:
        self.fetches = self.pushes = self.bytes = 0
        self._origin, self._cookie = origin, cookie
        self._columns: dict[str, set[str]] = {}
        self._counts: dict[str, int] = {}
        self._version = 0
        self._due: float | None = None  # for the next fetch
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._live)

    def __enter__(self) -> "Board":
        self.fetch()
        self._thread.start()
        return self

    def __exit__(self, *error) -> None:
        self._is_over.set()
        self._thread.join()

    def fetch(self) -> None:
        address = f"{self._origin}{BOARD}?fragment=1"
        request = urllib.request.Request(address, headers={"Cookie": self._cookie})
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read().decode()
        self.fetches += 1
        self.bytes += len(text)
        self._version = int(re.search(r'id="board"[^>]* data-version="(\d+)"', text)[1])
        parts = SECTION.split(text)
        self._columns = {
            key: {number for number, _ in CARD.findall(part)}
            for key, part in zip(parts[1::2], parts[2::2], strict=True)
        }

    def _live(self) -> None:
        from websockets.sync.client import connect

        headers = {"Cookie": self._cookie}
        options = {"additional_headers": headers, "subprotocols": ["shop.v1"]}
        options["origin"] = self._origin
        address = f"{self._origin.replace('http', 'ws')}/ws/"
        with connect(address, max_size=None, **options) as socket:
            topics = dict.fromkeys(["orders", "board", "shelves"])
            sub = {"t": "sub", "id": 1, "topics": topics, "html": "en"}
            socket.send(json.dumps(sub))
            while not self._is_over.is_set():
                self._hear(socket)
                if self._due is not None and time.monotonic() >= self._due:
                    self._due = None
                    self.fetch()
                    self._paused = time.monotonic() + PAUSE_S

    _paused = 0.0
    _is_pushed = True

    def _hear(self, socket) -> None:
        try:
            text = socket.recv(timeout=0.05)
        except TimeoutError:
            return
        frame = json.loads(text)
        if frame.get("code") == "unknown_topic":
            self._is_pushed = False
        for name, version, facts, *_ in frame.get("items", []):
            if version <= self._version:
                continue
            if name == "board":
                self._take(version, facts)
                self.bytes += len(text)
            elif name == "orders" and not self._is_pushed:
                self._want(0)

    def _want(self, seconds: float) -> None:
        due = max(time.monotonic() + seconds, self._paused)
        self._due = due if self._due is None else min(due, self._due)

    def _take(self, version: int, facts: dict) -> None:
        self.pushes += 1
        if facts["since"] > self._version:
            self._want(0)
            return
        self._version = version
        for number, _, column in facts["moved"]:
            for cards in self._columns.values():
                cards.discard(number)
            if len(self._columns.get(column, ())) < LIMIT:
                self._columns.setdefault(column, set()).add(number)
        for column, numbers in facts.get("coming", {}).items():
            if self._columns.get(column, set()).intersection(numbers):
                self._columns[column].update(numbers)
        for column, cards in self._columns.items():
            count = sum(row[3] for row in facts["counts"] if row[0] == column)
            if len(cards) < min(count, LIMIT / 2) and self._due is None:
                self._want(SOON_S * (1 + random.random()))


def open_boards(origin: str, cookies: list[str]) -> None:
    """Boards that are open until standard input ends. Each line of it asks for their
    counts, as a line of JSON; the first comes by itself, when all are open."""
    os.nice(10)
    with ExitStack() as stack:
        boards = [stack.enter_context(Board(origin, cookie)) for cookie in cookies]
        for _ in itertools.chain([""], sys.stdin):
            names = ("fetches", "pushes", "bytes")
            counts = {name: sum(getattr(b, name) for b in boards) for name in names}
            print(json.dumps(counts), flush=True)


def sign_in(number: int) -> str:
    """The cookie of somebody who works at a board."""
    from django.contrib.auth.models import Permission

    from tests.support.factories import make_user
    from tests.support.sockets import session_of

    user = make_user(username=f"clerk{number}", is_staff=True)
    rights = ["view_order", "change_order", "view_stock"]
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return session_of(user)


def fill_the_shop(orders: int) -> None:
    from tests.benchmarks.search import fill_the_shop as fill
    from tests.products.staff.test_board import make_orders
    from tests.support.factories import make_variant

    fill(1000)
    make_variant(name="Lamp", on_hand=1_000_000)
    make_orders(orders)


def begin_again(orders: int) -> None:
    """Leave so many orders in work, all of them to be packed."""
    from django.db.models import F

    from products.models import Order

    first = Order.objects.order_by("pk").values("pk")[:orders]
    moved = {"version": F("version") + 1, "handler": None}
    Order.objects.filter(pk__in=first).update(status="pending", **moved)
    Order.objects.exclude(pk__in=first).update(status="delivered", **moved)


def move_orders(rate: float, kind: str) -> None:
    """Until standard input ends: place orders, or pack the newest, which boards show
    first, or one and the other."""
    import django

    django.setup()
    logging.disable(logging.WARNING)
    from products.models import Order, Variant
    from products.orders import services as orders
    from tests.support.factories import make_order
    from users.models import User

    clerk, lamp = User.objects.first(), Variant.objects.get(product__name="Lamp")
    is_over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), is_over.set())).start()
    number, begun = 0, time.monotonic()
    while not is_over.wait(max(0, begun + number / rate - time.monotonic())):
        number += 1
        if number == 2:
            print("begun", flush=True)
        if kind == "place" or (kind == "both" and number % 2):
            make_order({lamp: 1})
        elif order := Order.objects.filter(status="pending").first():
            orders.pack(order, actor=clerk)


def look_for(server, seconds: float) -> list[float]:
    """A shopper's pages of results, one each 0.2 s: how long each took, in ms. Not at
    the beats of the orders, which would meet every page or none."""
    taken, end = [], time.monotonic() + seconds
    while (begun := time.monotonic()) < end:
        # Other words each time: no cache has the page.
        address = f"{server.url}/products/?q=bowl+{random.randrange(10**9)}"
        with urllib.request.urlopen(address, timeout=60) as answer:
            answer.read()
        taken.append(1000 * (time.monotonic() - begun))
        pause = random.uniform(0.1, 0.3)
        time.sleep(max(0, pause - (time.monotonic() - begun)))
    return taken


class Helper:
    """This program once more, for another part, until it is left."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, __file__, *arguments]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(command, text=True, **pipes)

    def __enter__(self) -> "Helper":
        return self

    def __exit__(self, *error) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def hear(self) -> str:
        """Its next line."""
        return self._process.stdout.readline()

    def ask(self) -> dict[str, int]:
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return json.loads(self.hear())


class Turn(NamedTuple):
    """What one crowd of boards cost in one round."""

    page_ms: float
    cpu_ms: float
    changes: float  # a second, as what follows
    fetches: float
    pushes: float
    kilobytes: float

    def line(self, alone: "Turn") -> str:
        return (
            f"a page {self.page_ms:6.1f} ms, {self.page_ms / alone.page_ms:5.2f} x"
            f"   CPU {self.cpu_ms:6.1f} ms, {self.cpu_ms / alone.cpu_ms:5.2f} x"
            f"   a second: {self.changes:4.1f} changes, {self.fetches:4.1f} fetches,"
            f" {self.pushes:5.1f} pushes, {self.kilobytes:6.0f} KB"
        )


def measure(server, cookies: list[str], options) -> Turn:
    from products.models import OrderEvent
    from tests.benchmarks.cpu import cpu_of

    begin_again(options.orders)
    mover = ["--part", "mover", "--kind", options.kind, "--rate", str(options.rate)]
    boards = ["--part", "boards", "--origin", server.origin]
    with Helper(*mover) as moves, Helper(*boards, *cookies) as crowd:
        moves.hear()  # it has begun
        crowd.hear()
        look_for(server, options.warm)
        events, counts = OrderEvent.objects.count(), crowd.ask()
        before, begun = cpu_of(server.pid), time.monotonic()
        taken = look_for(server, options.seconds)
        spent, lasted = cpu_of(server.pid) - before, time.monotonic() - begun
        events = OrderEvent.objects.count() - events
        more = {name: now - counts[name] for name, now in crowd.ask().items()}
    return Turn(
        statistics.fmean(taken),
        1000 * spent / len(taken),
        events / lasted,
        more["fetches"] / lasted,
        more["pushes"] / lasted,
        more["bytes"] / 1000 / lasted,
    )


def compare(server, cookies: list[str], options) -> None:
    rounds = []
    for number in range(options.rounds):
        turns = {}
        for crowd in options.boards[:: -1 if number % 2 else 1]:
            turns[crowd] = measure(server, cookies[:crowd], options)
            print(f"round {number + 1}, {crowd:2} boards measured", flush=True)
        for crowd in options.boards:
            print(
                f"{crowd:2} boards: {turns[crowd].line(turns[options.boards[0]])}",
                flush=True,
            )
        rounds.append(turns)
    print(f"Median of {len(rounds)} rounds, orders: {options.kind}")
    for crowd in options.boards:
        pages, processor = (
            statistics.median(
                getattr(turns[crowd], name) / getattr(turns[options.boards[0]], name)
                for turns in rounds
            )
            for name in ("page_ms", "cpu_ms")
        )
        print(f"{crowd:2} boards: a page {pages:5.2f} x, CPU {processor:5.2f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boards", type=int, nargs="+", default=[0, 2, 6, 12])
    parser.add_argument("--orders", type=int, default=300)
    parser.add_argument("--rate", type=float, default=5, help="changes a second")
    parser.add_argument("--kind", choices=["place", "pack", "both"], default="place")
    parser.add_argument("--seconds", type=float, default=12, help="for each crowd")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm", type=float, default=3, help=argparse.SUPPRESS)
    parser.add_argument("--part", choices=["mover", "boards"], help=argparse.SUPPRESS)
    parser.add_argument("--origin", help=argparse.SUPPRESS)
    parser.add_argument("cookies", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part == "mover":
        move_orders(options.rate, options.kind)
        return
    if options.part == "boards":
        open_boards(options.origin, options.cookies)
        return
    from tests.support.servers import Daphne, collect_static

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ |= collect_static(place / "static") | {"LAYER_PREFIX": "bench"}
        import django

        django.setup()
        logging.disable(logging.WARNING)
        from django.conf import settings

        from tests.benchmarks.scratch import scratch_database

        with scratch_database():
            fill_the_shop(options.orders)
            cookies = [sign_in(number) for number in range(max(options.boards))]
            # The hub serves boards that have gone for a while: not into the next turn.
            server = Daphne(place, settings.REDIS_URL, LIVE_LINGER_S="1")
            server.start()
            try:
                compare(server, cookies, options)
            finally:
                server.stop()


if __name__ == "__main__":
    main()
