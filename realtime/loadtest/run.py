"""One load test of one shop, or one generator's part of it."""

import argparse
import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from realtime.loadtest import phases, shoppers
from realtime.loadtest.bills import faults
from realtime.loadtest.gates import Verdict
from realtime.loadtest.ledger import Ledger
from realtime.loadtest.processes import named
from realtime.loadtest.shoppers import Placed, Shopper
from realtime.loadtest.visit import FAILURES, Unreachable
from realtime.loadtest.vitals import Vitals
from realtime.loadtest.watchers import Watcher

FIRST_ANSWER_S = 10
SLOW_START_S = 60
DROP_S = 600  # for people to come, and for a drop to be sold out
SHARES = {"idle": 1, "fanout": 2, "shopping": 2}  # of --duration

Say = Callable[[str], None]


async def _alone(step: str) -> None:
    """Wait for the other generators: there are none."""


@dataclass(frozen=True)
class Part:
    """Which part of the load one generator makes. `meet` returns once all generators
    have reached the same step."""

    index: int = 0
    of: int = 1
    meet: Callable[[str], Awaitable[None]] = _alone


class Run:
    """Goes through the phases, and holds what they measure. What several generators
    measured can be added up: see `merging`."""

    def __init__(
        self, options: argparse.Namespace, say: Say, part: Part = Part()
    ) -> None:
        self.options, self.say, self.part = options, say, part
        self.ledger = Ledger()
        self.vitals = Vitals(
            options.url, self.ledger, options.metrics_token, named(options.metrics)
        )
        self.phase = "start"
        self.spans: list[tuple[str, float, float]] = []  # phase, start and end
        # The load: sockets, people, and what the pages say.
        self.watchers: list[Watcher] = []
        self.holders: list[Shopper] = []
        self.placed: list[Placed] = []
        self.topics: dict[str, int] = {}
        self.stock: dict[str, int] = {}  # available before anybody shops
        self.page_versions: dict[str, int] = {}  # when the pages were last loaded
        # Measurements.
        self.tally: Counter[str] = Counter()
        self.durations: dict[str, float] = {}  # seconds
        self.lost_codes: Counter[str] = Counter()  # of sockets that did not come back
        self.stale: Counter[str] | None = None  # sockets by topic
        self.sold: Counter[str] = Counter()
        self.numbers: list[str] = []  # of orders
        self.miscalculated: list[str] = []  # orders, and what is wrong
        self.lost: list[str] = []  # orders that the shop does not have
        self.unanswered: list[str] = []  # orders whose page could not be loaded
        self.drop: dict[str, Any] = {"people": [], "faults": [], "state": ""}
        self.drop |= {"bought": 0, "left": None}
        self.cut_short: tuple[Verdict, str] | None = None
        # Conclusions.
        self.figures: dict[str, Any] = {}
        self.wrong: list[str] = []
        self.late: list[str] = []  # wrong too, unless this program could not keep up
        self._returning: set[asyncio.Task] = set()

    @property
    def limit(self) -> float:
        """Return after how many seconds the run gives up."""
        if self.options.limit:
            return self.options.limit
        active = self.options.duration + self.options.sockets / self.options.rate
        storm = phases.RETURN_S + self.options.sockets / phases.SLOWEST_RETURN
        quiet = phases.HEAL_S + self.options.quiet
        active += DROP_S if self.options.drop else 0
        return 2 * active + SLOW_START_S + storm + quiet

    def seconds(self, phase: str) -> float:
        """Return how long a phase lasts: its share of --duration."""
        shares = {name: SHARES[name] for name in self.options.phases if name in SHARES}
        return self.options.duration * shares[phase] / sum(shares.values())

    def random_for(self, *who: object) -> random.Random:
        """Return the random numbers of one participant.

        Each has their own. With the same seed each does the same, in whatever order the
        shop answers them.
        """
        return random.Random(f"{self.options.seed} {who}")

    # --- From start to end ----------------------------------------------------

    async def run(self) -> None:
        """Go through all phases. Raises `Unreachable`."""
        asks_server = self.part.index == 0
        watching = asyncio.create_task(self.vitals.watch(asks_server))
        try:
            async with asyncio.timeout(self.limit):
                await self._find_shop()
                await self.go_through_phases()
        except TimeoutError:
            self.cut_short = Verdict.UNFINISHED, f"Out of time in phase {self.phase}."
        finally:
            for job in (watching, *self._returning):
                job.cancel()
            await asyncio.gather(watching, *self._returning, return_exceptions=True)
            self.count()
            for watcher in self.watchers:
                if watcher.wire is not None:
                    watcher.wire.cut()

    async def go_through_phases(self) -> None:
        try:
            for phase in self.options.phases:
                await self.part.meet(phase)
                async with self._during(phase):
                    await phases.PHASES[phase](self)
        except FAILURES as error:
            reason = str(error) or type(error).__name__
            if isinstance(error, TimeoutError) and self.vitals.is_overloaded:
                why = f"No answer was seen in time in phase {self.phase}: {reason}"
                self.cut_short = Verdict.UNFINISHED, why
                return
            why = f"The shop stopped answering in phase {self.phase}: {reason}"
            self.cut_short = Verdict.UNREACHABLE, why

    @asynccontextmanager
    async def _during(self, phase: str) -> AsyncIterator[None]:
        start, self.phase = self.ledger.now, phase
        self.say(f"phase {phase}")
        try:
            yield
        finally:
            self.spans.append((phase, start, self.ledger.now))

    async def _find_shop(self) -> None:
        url = self.options.url
        try:
            async with asyncio.timeout(FIRST_ANSWER_S):
                await self.vitals.set_clock()
            self.topics = await self.load_page_versions()
        except FAILURES as error:
            reason = str(error) or type(error).__name__
            raise Unreachable(f"{url}: {reason}") from error
        if not self.topics:
            raise Unreachable(f"{url}{shoppers.SHELF} shows no product")

    async def load_page_versions(self) -> dict[str, int]:
        """Load the pages, and return the version of each topic that they show."""
        options = self.options
        self.page_versions = await shoppers.shelf(
            options.url, options.products, self.ledger
        )
        return self.page_versions

    async def tolerate(self, action: Awaitable) -> Any:
        """Await a person's action. If it fails, count that and return None."""
        try:
            return await action
        except FAILURES as error:
            self.ledger.refusals[str(error) or type(error).__name__] += 1
            return None

    # --- Sockets that are closed unexpectedly ---------------------------------

    def bring_back(self, watcher: Watcher) -> None:
        """Reconnect a socket that was closed unexpectedly, as its page would."""
        seconds = phases.patience(watcher.spread_s)
        task = asyncio.get_running_loop().create_task(watcher.come_back(seconds))
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    async def wait_for_returning(self) -> None:
        """Wait for those sockets, and note the close codes of the ones that fail."""
        await asyncio.gather(*self._returning)
        self.lost_codes = Counter(
            str(w.code) for w in self.watchers if w.shown and not w.is_live
        )

    def count(self) -> None:
        """Fill in what can be added up with the results of other generators."""
        self.tally["generators"] = 1
        self.tally["sockets"] = len(self.watchers)
        self.tally["hidden"] = sum(watcher.is_hidden for watcher in self.watchers)
        self.tally["unsubscribed"] = sum(not w.shown for w in self.watchers)
        self.numbers = [order.number for order in self.placed]
        self.sold = sum((order.units for order in self.placed), Counter())
        for order in self.placed:
            if found := faults(order.bill):
                text = f"order {order.number}: {', '.join(found)}"
                self.miscalculated.append(text)
