"""Orders at two checkouts of the shop, by turns, on one machine."""

import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.cpu import cpu_of, cpu_of_family
from tests.benchmarks.guests import STEPS, Far, Guest

ROOT = Path(__file__).resolve().parents[2]
SIDE = Path(__file__).with_name("side.py")
SHOPPERS = 4
MOST = 14  # kinds of statements that are printed


class Figures(NamedTuple):
    """Of an order: milliseconds of processor. And how many orders a second."""

    shop: float
    postgres: float
    rate: float


class Side:
    """A checkout whose shop is running."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, str(SIDE)],
            cwd=folder,
            env=os.environ | {"LAYER_PREFIX": f"bench{name}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.facts = self._heard()
        self.goods = itertools.cycle(self.facts["goods"])
        self.rounds: list[Figures] = []

    def _heard(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def go(self, orders: int) -> Figures:
        """Let so many guests order, `SHOPPERS` of them at once."""
        before, begun = self._clocks(), time.perf_counter()
        shares = [orders // SHOPPERS] * SHOPPERS
        with ThreadPoolExecutor(SHOPPERS) as pool:
            list(pool.map(self._shop, shares))
        seconds, after = time.perf_counter() - begun, self._clocks()
        shop, postgres = ((b - a) * 1e3 / sum(shares) for a, b in zip(before, after))
        return Figures(shop, postgres, sum(shares) / seconds)

    def _shop(self, orders: int) -> None:
        far = Far(self.facts["port"])
        for _number in range(orders):
            Guest(far, next(self.goods), self.facts).order()

    def _clocks(self) -> tuple[float, float]:
        return cpu_of(self.facts["pid"]), cpu_of_family(self.facts["postgres"])

    def measured(self, orders: int) -> dict[str, Any]:
        """What each step takes without a server. The shop stops before it."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{orders}\n")
        self.process.stdin.flush()
        return self._heard()

    def pages(self) -> dict[str, Any]:
        """What pages take of somebody who is signed in, after `measured`."""
        return self._heard()

    def end(self) -> None:
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        self.process.wait(60)

    @property
    def figures(self) -> Figures:
        """The medians of the rounds."""
        middle = len(self.rounds) // 2
        return Figures(*(sorted(column)[middle] for column in zip(*self.rounds)))


@contextlib.contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """A folder with the files of a commit."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "shop"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "-q", "--detach", folder, commit], check=True)
        try:
            yield folder
        finally:
            subprocess.run([*git, "remove", "--force", folder], check=True)


def compare(commit: str, orders: int, rounds: int) -> None:
    """Print what an order costs here and at `commit`, and how they compare."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(checked_out(commit))
        sides = []
        for name, place in ((commit, folder), ("here", ROOT)):
            sides.append(Side(name, place))
            stack.callback(sides[-1].end)
        for side in sides:
            side.go(20)  # warm
        for number in range(rounds):
            for side in sides[:: -1 if number % 2 else 1]:
                side.rounds.append(side.go(orders))
        _tell(sides)
        _tell_steps({side.name: side.measured(20) for side in sides})
        _tell_pages({side.name: side.pages() for side in sides})


def _tell(sides: list[Side]) -> None:
    print(f"CPU an order in ms, orders a second; {SHOPPERS} guests at once; medians")
    for side in sides:
        shop, postgres, rate = side.figures
        print(
            f"  {side.name:9} shop {shop:6.1f}  PostgreSQL {postgres:5.1f}"
            f"  {rate:5.1f}/s"
        )
    ratios = [now / then for then, now in zip(*(side.figures for side in sides))]
    print("  here is   shop {:6.2f}  PostgreSQL {:5.2f}  {:5.2f} times".format(*ratios))


def _tell_pages(told: dict[str, dict[str, Any]]) -> None:
    print("\nPages of somebody who is signed in: CPU in ms, and statements")
    for page in next(iter(told.values())):
        print(f"  {page:10}", end="")
        for name, pages in told.items():
            ms, statements = pages[page]
            print(f"  {name} {ms:6.1f} {statements:5.1f}", end="")
        print()


def _tell_steps(figures: dict[str, dict[str, Any]]) -> None:
    print("\nWithout a server: CPU in ms, and statements")
    for step in (*STEPS, "all"):
        print(f"  {step:7}", end="")
        for name, steps in figures.items():
            chosen = list(steps.values()) if step == "all" else [steps[step]]
            ms = sum(each["ms"] for each in chosen)
            statements = sum(sum(each["sql"].values()) for each in chosen)
            print(f"  {name} {ms:6.1f} {statements:5.1f}", end="")
        print()
    for name, steps in figures.items():
        kinds: Counter[str] = Counter()
        for each in steps.values():
            kinds.update(each["sql"])
        print(f"\nStatements an order: {name}")
        for kind, number in kinds.most_common(MOST):
            print(f"  {number:5.1f} × {kind}")
