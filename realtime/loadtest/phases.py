"""What happens when. Each phase is bounded in time; the ledger keeps what is found."""

import argparse
import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from realtime.loadtest import shoppers
from realtime.loadtest.gates import Verdict
from realtime.loadtest.processes import named
from realtime.loadtest.shoppers import Placed, Shopper, is_there
from realtime.loadtest.visit import FAILURES
from realtime.loadtest.vitals import Vitals
from realtime.loadtest.watchers import Ledger, Watcher

ANSWER_S = 10  # for the first sign of life
IN_FLIGHT = 200  # handshakes at the same time
STORM_S = 30  # for everybody to be back, once they were to come
SLOWEST = 100  # sockets a second that a shop takes back
HEAL_S = 10  # for every socket to be right, once it was quiet
CLOSE_S = 10
LOOKED_AT = 200  # orders that are asked for again at the end
SHARES = {"idle": 1, "fanout": 2, "shopping": 2}  # of --duration
SLOW_START_S = 60
WARM_S = 30

Say = Callable[[str], None]


class Unreachable(Exception):
    """There is no shop, or none with anything to watch."""


async def _alone(step: str) -> None:
    """Wait for the others; there are none."""


class Part(NamedTuple):
    """Which part of the load one generator is, of so many. `meet` returns once all are
    as far as it is."""

    index: int = 0
    of: int = 1
    meet: Callable[[str], Awaitable[None]] = _alone


class Run:
    """One load test of one shop, or one generator's part of it. What is kept here can
    be added up: see `merging`."""

    def __init__(
        self, options: argparse.Namespace, say: Say, part: Part = Part()
    ) -> None:
        self.options, self.say, self.part = options, say, part
        self.ledger = Ledger()
        self.vitals = Vitals(
            options.url, self.ledger, options.metrics_token, named(options.metrics)
        )
        self.phase = "start"
        self.spans: list[tuple[str, float, float]] = []
        self.figures: dict[str, Any] = {}
        self.wrong: list[str] = []
        self.late: list[str] = []  # wrong too, unless this program could not keep up
        self.tally: Counter[str] = Counter()
        self.lasted: dict[str, float] = {}  # how long what took, in seconds
        self.lost_codes: Counter[str] = Counter()  # of sockets that stayed away
        self.stale: Counter[str] | None = None
        self.sold: Counter[str] = Counter()
        self.numbers: list[str] = []  # of orders
        self.lost: list[str] = []  # orders that the shop does not have
        self.unanswered: list[str] = []  # orders that it did not tell of
        self.cut_short: tuple[Verdict, str] | None = None
        self.watchers: list[Watcher] = []
        self._returning: set[asyncio.Task] = set()
        self.placed: list[Placed] = []
        self.topics: dict[str, int] = {}
        self.truth: dict[str, int] = {}  # versions that the pages told last
        self.stock: dict[str, int] = {}  # available before anybody shops
        self._holders: list[Shopper] = []

    @property
    def limit(self) -> float:
        """When it ends at the latest, in seconds."""
        if self.options.limit:
            return self.options.limit
        asked = self.options.duration + self.options.sockets / self.options.rate
        storm = STORM_S + self.options.sockets / SLOWEST
        return 2 * asked + SLOW_START_S + storm + HEAL_S + self.options.quiet

    async def run(self) -> None:
        """All phases. Raises `Unreachable`."""
        asks = self.part.index == 0
        watching = asyncio.create_task(self.vitals.watch(asks))
        try:
            async with asyncio.timeout(self.limit):
                await self._look()
                await self._go_through()
        except TimeoutError:
            why = f"The time was up in phase {self.phase}, before the phases were."
            self.cut_short = Verdict.UNFINISHED, why
        finally:
            for job in (watching, *self._returning):
                job.cancel()
            await asyncio.gather(watching, *self._returning, return_exceptions=True)
            self._count()
            for watcher in self.watchers:
                if watcher.wire is not None:
                    watcher.wire.cut()

    async def _go_through(self) -> None:
        try:
            for phase in self.options.phases:
                await self.part.meet(phase)
                async with self._during(phase):
                    await getattr(self, f"_{phase}")()
        except FAILURES as error:
            reason = str(error) or type(error).__name__
            if isinstance(error, TimeoutError) and self.vitals.is_overloaded:
                why = f"In phase {self.phase} no answer was seen in time: {reason}"
                self.cut_short = Verdict.UNFINISHED, why
                return
            why = f"The shop went away; in phase {self.phase} it was missed: {reason}"
            self.cut_short = Verdict.UNREACHABLE, why

    @asynccontextmanager
    async def _during(self, phase: str) -> AsyncIterator[None]:
        start, self.phase = self.ledger.now, phase
        self.say(f"phase {phase}")
        try:
            yield
        finally:
            self.spans.append((phase, start, self.ledger.now))

    async def _look(self) -> None:
        options = self.options
        try:
            async with asyncio.timeout(ANSWER_S):
                await self.vitals.set_clock()
            self.topics = await shoppers.shelf(
                options.url, options.products, self.ledger
            )
        except FAILURES as error:
            reason = str(error) or type(error).__name__
            raise Unreachable(f"{options.url}: {reason}") from error
        if not self.topics:
            raise Unreachable(f"{options.url}{shoppers.SHELF} shows no product")

    # --- Phases ---------------------------------------------------------------

    async def _connect(self) -> None:
        """Sockets arrive at a rate, whether or not the ones before are served yet."""
        options, url = self.options, self.options.url
        guest = shoppers.Visit(url, self.ledger.note_request)
        await guest.get(shoppers.SHELF)  # the cookies that a visitor gets
        await guest.close()
        numbers = range(self.part.index, options.sockets, self.part.of)
        for count, number in enumerate(numbers):
            watcher = Watcher(url, self.topics, self.ledger, guest.cookie)
            watcher.chance = self._chance("socket", number)
            if self._is_hidden(number):
                watcher.hide()
            watcher.on_loss = self._bring_back
            if options.source:
                place = (count + self.part.index) % len(options.source)
                watcher.source = options.source[place]
            self.watchers.append(watcher)
        start = time.monotonic()
        opened = await self._arrive(zip(numbers, self.watchers))
        self.lasted["connect"] = time.monotonic() - start
        self.tally["opened"] = opened
        if not opened:
            reasons = ", ".join(self.ledger.refusals) or "no reason given"
            why = f"no socket could be opened: {reasons}"
            if self.vitals.is_overloaded and "TimeoutError" in self.ledger.refusals:
                raise TimeoutError(why)  # of our own making
            raise Unreachable(why)
        self.stock = dict(self.ledger.units)

    def _is_hidden(self, number: int) -> bool:
        """As many as the share says, spread evenly over the sockets."""
        share = self.options.hidden
        return int((number + 1) * share) > int(number * share)

    async def _arrive(self, watchers: Iterable[tuple[int, Watcher]]) -> int:
        """Each at its time, by its number; how many could be opened."""
        rate = self.options.rate
        gate = asyncio.Semaphore(max(IN_FLIGHT, int(rate)) // self.part.of + 1)
        start = time.monotonic()

        async def arrive(number: int, watcher: Watcher) -> bool:
            await asyncio.sleep(start + number / rate - time.monotonic())
            async with gate:
                return await watcher.open()

        return sum(await asyncio.gather(*(arrive(*each) for each in watchers)))

    async def _idle(self) -> None:
        await asyncio.sleep(self._seconds("idle"))

    async def _fanout(self) -> None:
        """Stock changes at a rate, and everybody hears of each."""
        await self._hold_and_let_go(self._seconds("fanout"))

    async def _shopping(self) -> None:
        """People order for real while the stock goes on changing."""
        end = time.monotonic() + self._seconds("shopping")
        async with asyncio.TaskGroup() as people:
            people.create_task(self._hold_and_let_go(end - time.monotonic()))
            for number in range(self.part.index, self.options.buyers, self.part.of):
                people.create_task(self._buy_until(end, self._chance("buyer", number)))

    async def _storm(self) -> None:
        """Every connection is cut at once; everybody comes back as pages do."""
        start = time.monotonic()
        cut = [watcher for watcher in self.watchers if watcher.is_live]
        for watcher in cut:
            watcher.is_leaving = True
            watcher.wire.cut()
        seconds = STORM_S + max((w.spread_s or 0 for w in cut), default=0)
        back = await asyncio.gather(*(w.come_back(seconds) for w in cut))
        self.lasted["storm"] = time.monotonic() - start
        self.lasted["patience"] = seconds
        self.tally["stray"] = back.count(False)

    async def _drain(self) -> None:
        """Nobody does anything; then all is compared, and everybody leaves."""
        for holder in self._holders:
            if not await self._patiently(holder.let_go()):
                self.ledger.doubt[holder.topic] += 2  # the most that one ever holds
        await self.part.meet("quiet")
        await asyncio.sleep(self.options.quiet)
        await self._truth()  # else there is nothing to come back to
        await self._wait_for_lost()
        await self._compare()
        await self._look_for_orders()
        self.tally["finished"] = 1
        await self.part.meet("leave")
        await self._leave()

    def _bring_back(self, watcher: Watcher) -> None:
        """A socket was closed that should not be: its page comes back."""
        seconds = STORM_S + (watcher.spread_s or 0)
        task = asyncio.get_running_loop().create_task(watcher.come_back(seconds))
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    async def _wait_for_lost(self) -> None:
        await asyncio.gather(*self._returning)
        self.lost_codes = Counter(
            str(w.code) for w in self.watchers if w.shown and not w.is_live
        )

    # --- People ---------------------------------------------------------------

    async def _hold_and_let_go(self, seconds: float) -> None:
        """So many changes a second, by people who reserve and give back in turns, each
        with a product of their own, so that it is clear whose change came when."""
        if not self._holders:
            await self._find_holders()
        end = time.monotonic() + seconds
        ours, of = self._wavering[self.part.index :: self.part.of], len(self._wavering)
        changes = self.options.changes * len(ours) / max(1, of)
        pace = changes / max(1, len(self._holders))
        async with asyncio.TaskGroup() as people:
            people.create_task(asyncio.sleep(seconds))
            for holder in self._holders:
                people.create_task(self._waver(holder, pace, end))

    @property
    def _wavering(self) -> list[str]:
        """Topics that nobody buys, as people waver over them: the half of them."""
        free = [topic for topic, units in self.stock.items() if units >= 2]
        return sorted(free)[: max(1, len(free) // 2)]

    async def _find_holders(self) -> None:
        for topic in self._wavering[self.part.index :: self.part.of]:
            holder = Shopper(self.options.url, topic, self.ledger)
            if await self._patiently(holder.come_in()):
                self._holders.append(holder)

    async def _waver(self, holder: Shopper, pace: float, end: float) -> None:
        chance = self._chance("holder", holder.topic)
        due, quantity = time.monotonic() + chance.random() / pace, 1
        holds = False
        while due < end:
            await asyncio.sleep(due - time.monotonic())
            if holds:
                quantity = 3 - quantity
                await self._patiently(holder.change(quantity))
                holds = False
            else:
                holds = bool(await self._patiently(holder.checkout()))
                if not holds and quantity == 2:
                    quantity = 1
                    await self._patiently(holder.change(1))
            # Who was kept waiting does not hurry afterwards.
            due = max(due + 1 / pace, time.monotonic())
        if holds:
            await self._patiently(holder.change(3 - quantity))

    async def _buy_until(self, end: float, chance: random.Random) -> None:
        while time.monotonic() < end:
            topics = sorted(set(self.stock) - set(self._wavering))
            topics = topics or sorted(self.stock)
            buyer = Shopper(self.options.url, chance.choice(topics), self.ledger)
            placed = await self._patiently(buyer.order())
            if placed is None:
                self.ledger.count["orders_refused"] += 1
                await asyncio.sleep(0.05)
            else:
                self.placed.append(placed)
            await buyer.visit.close()

    async def _patiently(self, doing: Awaitable) -> Any:
        """Await it; a failure is counted, and nobody goes home for it."""
        try:
            return await doing
        except FAILURES as error:
            self.ledger.refusals[str(error) or type(error).__name__] += 1
            return None

    # --- The truth ------------------------------------------------------------

    async def _compare(self) -> None:
        """Every socket must show what the pages, and so the database, say. Somebody
        looks at each hidden tab again."""
        start = time.monotonic()
        for watcher in self.watchers:
            if watcher.is_live and watcher.is_hidden:
                watcher.see()
        while True:
            stale = self._stale(await self._truth())
            if not stale or time.monotonic() - start > HEAL_S:
                break
            await asyncio.sleep(0.2)
        self.stale = stale
        if not stale:
            self.lasted["settle"] = time.monotonic() - start

    async def _truth(self) -> dict[str, int]:
        options = self.options
        self.truth = await shoppers.shelf(options.url, options.products, self.ledger)
        return self.truth

    def _stale(self, truth: dict[str, int]) -> Counter[str]:
        """How many live sockets show less of a topic than the page, or the versions of
        another timeline than the sockets that asked last."""
        return Counter(
            topic
            for watcher in self.watchers
            if watcher.is_live
            for topic, version in truth.items()
            if topic in self.topics
            if watcher.shown.get(topic, -1) < version
            or watcher.timeline != self.ledger.timeline
        )

    async def _look_for_orders(self) -> None:
        enough = -(-LOOKED_AT // self.part.of)
        many = len(self.placed) > enough
        chance = self._chance("auditor", self.part.index)
        some = chance.sample(self.placed, enough) if many else self.placed
        for order in some:
            found = await self._patiently(is_there(order))
            if found is None:
                self.unanswered.append(order.number)
            elif not found:
                self.lost.append(order.number)
            await order.visit.close()

    async def _leave(self) -> None:
        for watcher in self.watchers:
            watcher.leave()
        end = time.monotonic() + CLOSE_S
        while any(w.is_live for w in self.watchers) and time.monotonic() < end:
            await asyncio.sleep(0.05)
        self.tally["unclosed"] = sum(watcher.is_live for watcher in self.watchers)

    def _chance(self, *who: object) -> random.Random:
        """The luck of one of those who take part. Each has their own, so that with the
        same seed each does the same, whoever of them the shop answers first."""
        return random.Random(f"{self.options.seed} {who}")

    # --- Sums and the verdict -------------------------------------------------

    def _count(self) -> None:
        """What can be added up to what other generators found."""
        self.tally["generators"] = 1
        self.tally["sockets"] = len(self.watchers)
        self.tally["hidden"] = sum(watcher.is_hidden for watcher in self.watchers)
        self.tally["unsubscribed"] = sum(not w.shown for w in self.watchers)
        self.sold = Counter(order.topic for order in self.placed)
        self.numbers = [order.number for order in self.placed]

    def conclude(self) -> None:
        """The figures, and what is wrong, of all that was counted."""
        self._sum_up()
        self._look_at_sockets()
        self._look_at_orders()
        if self.tally["finished"] == self.tally["generators"]:
            self._add_up()

    def _look_at_sockets(self) -> None:
        """What a generator that is late finds of a sound shop, too."""
        if stray := self.tally["stray"]:
            patience = self.lasted["patience"]
            self.late.append(
                f"{stray} sockets did not come back within {patience:g} s."
            )
        if self.lost_codes:
            codes = ", ".join(sorted(self.lost_codes))
            lost = self.lost_codes.total()
            self.late.append(
                f"{lost} sockets were closed ({codes}) and did not come back."
            )
        if self.stale:
            named = ", ".join(
                f"{topic} on {n}" for topic, n in self.stale.most_common(3)
            )
            self.late.append(f"Sockets are stale after it was quiet: {named}.")
        if unclosed := self.tally["unclosed"]:
            self.late.append(f"{unclosed} sockets were not closed within {CLOSE_S} s.")

    def _look_at_orders(self) -> None:
        if self.unanswered:
            named = ", ".join(self.unanswered)
            self.late.append(
                f"Nothing was heard of orders that were confirmed: {named}."
            )
        if self.lost:
            named = ", ".join(self.lost)
            self.wrong.append(f"Orders were confirmed and are lost: {named}.")
        numbers = Counter(self.numbers)
        if twice := [number for number, count in numbers.items() if count > 1]:
            self.wrong.append(f"Orders were given to two people: {', '.join(twice)}.")

    def _add_up(self) -> None:
        """What was there is what is left and what was ordered, if nobody else was. Of
        units that somebody got no answer about, nobody knows; and what is left is not
        known either where the page tells of a newer version than any socket."""
        if self.options.shared:
            return
        for topic, before in sorted(self.stock.items()):
            sold, left = self.sold[topic], self.ledger.units[topic]
            doubt = self.ledger.doubt[topic]
            if sold > before or left < 0:
                self.wrong.append(
                    f"{topic} is oversold: {before} there, {sold} ordered."
                )
            elif not before - sold - doubt <= left <= before - sold:
                is_known = self.ledger.newest.get(topic, -1) >= self.truth.get(
                    topic, -1
                )
                found = self.wrong if is_known else self.late
                found.append(
                    f"{topic} does not add up: {before} there, {sold} ordered, "
                    f"{left} left (do others shop there? then --shared)."
                )

    # --- Sums -----------------------------------------------------------------

    def _seconds(self, phase: str) -> float:
        asked = {name: SHARES[name] for name in self.options.phases if name in SHARES}
        return self.options.duration * asked[phase] / sum(asked.values())

    def _sum_up(self) -> None:
        ledger, figures, lasted = self.ledger, self.figures, self.lasted
        lines = {name: getattr(ledger, name) for name in TIMES}
        for name, line in (lines | {"generator_lag": self.vitals.lag}).items():
            summary = line.all.summary()
            for point in ("p50", "p95", "p99", "max"):
                figures[f"{name}_{point}"] = summary[point]
        loud = [s for s in self.spans if s[0] in ("fanout", "shopping")]
        seconds = sum(end - start for _, start, end in loud)
        count, tally = ledger.count, self.tally
        figures |= {
            "sockets": tally["sockets"],
            "handshakes": ledger.handshake.all.count,
            "failed_handshakes": tally["unsubscribed"],
            "pushes": count["pushes"],
            "hidden": tally["hidden"],
            "hidden_pushes": count["hidden_pushes"],
            "changes": count["changes"],
            "gaps": count["gaps"],
            "unexpected_closes": count["unexpected_closes"],
            "requests": count["requests"],
            "failed_requests": count["failed_requests"],
            "orders": len(self.numbers),
            "orders_refused": count["orders_refused"],
        }
        if lasted.get("connect"):
            figures["connects_per_s"] = round(tally["opened"] / lasted["connect"], 1)
        if "storm" in lasted:
            figures["storm_s"] = round(lasted["storm"], 2)
        if self.stale is not None:
            figures["stale"] = self.stale.total()
            if not self.stale:
                figures["settle_s"] = round(lasted["settle"], 2)
        if seconds:
            figures["pushes_per_s"] = round(count["pushes"] / seconds, 1)
            figures["changes_per_s"] = round(count["changes"] / seconds, 1)
        if loud:
            figures["memory_slope_kb_min"] = self.vitals.memory_slope(*_steady(loud))
        self.figures = figures | self.vitals.figures()


TIMES = ("push", "handshake", "http", "order")


def _steady(loud: list[tuple[str, float, float]]) -> tuple[float, float]:
    """From when to when memory should be flat: the second half, without the beginning
    of its phase, for whatever is done for the first time fills caches."""
    (_, first, _), (_, start, end) = loud[0], loud[-1]
    warm = start + min(WARM_S, (end - start) / 4)
    return max((first + end) / 2, warm), end
