"""What happens when. Each phase is bounded in time; the ledger keeps what is found."""

import argparse
import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from realtime.loadtest import shoppers
from realtime.loadtest.gates import Verdict
from realtime.loadtest.shoppers import Placed, Shopper, Unexpected, is_there
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
FAILURES = (OSError, ValueError, TimeoutError, EOFError, Unexpected)


class Unreachable(Exception):
    """There is no shop, or none with anything to watch."""


class Run:
    """One load test of one shop."""

    def __init__(self, options: argparse.Namespace, say: Say) -> None:
        self.options, self.say = options, say
        self.ledger = Ledger()
        self.vitals = Vitals(options.url, self.ledger, options.metrics_token)
        self.phase = "start"
        self.spans: list[tuple[str, float, float]] = []
        self.figures: dict[str, Any] = {}
        self.wrong: list[str] = []
        self.cut_short: tuple[Verdict, str] | None = None
        self.watchers: list[Watcher] = []
        self._returning: set[asyncio.Task] = set()
        self.placed: list[Placed] = []
        self.topics: dict[str, int] = {}
        self._stock: dict[str, int] = {}  # available before anybody shops
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
        watching = asyncio.create_task(self.vitals.watch())
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
            self._sum_up()
            for watcher in self.watchers:
                if watcher.wire is not None:
                    watcher.wire.cut()

    async def _go_through(self) -> None:
        try:
            for phase in self.options.phases:
                async with self._during(phase):
                    await getattr(self, f"_{phase}")()
        except FAILURES as error:
            reason = str(error) or type(error).__name__
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
        for number in range(options.sockets):
            watcher = Watcher(url, self.topics, self.ledger, guest.cookie)
            watcher.chance = self._chance("socket", number)
            watcher.on_loss = self._bring_back
            if options.source:
                watcher.source = options.source[number % len(options.source)]
            self.watchers.append(watcher)
        start = time.monotonic()
        opened = await self._arrive(self.watchers, options.rate)
        took = time.monotonic() - start
        self.figures["connects_per_s"] = round(opened / took, 1)
        if not opened:
            reasons = ", ".join(self.ledger.refusals) or "no reason given"
            raise Unreachable(f"no socket could be opened: {reasons}")
        self._stock = dict(self.ledger.units)

    async def _arrive(self, watchers: list[Watcher], rate: float) -> int:
        gate = asyncio.Semaphore(max(IN_FLIGHT, int(rate)))
        start = time.monotonic()

        async def arrive(number: int, watcher: Watcher) -> bool:
            await asyncio.sleep(start + number / rate - time.monotonic())
            async with gate:
                return await watcher.open()

        return sum(await asyncio.gather(*map(arrive, *zip(*enumerate(watchers)))))

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
            for number in range(self.options.buyers):
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
        self.figures["storm_s"] = round(time.monotonic() - start, 2)
        if lost := back.count(False):
            self.wrong.append(f"{lost} sockets did not come back within {seconds:g} s.")

    async def _drain(self) -> None:
        """Nobody does anything; then all is compared, and everybody leaves."""
        for holder in self._holders:
            await self._patiently(holder.change(1))
        await asyncio.sleep(self.options.quiet)
        await self._truth()  # else there is nothing to come back to
        await self._wait_for_lost()
        await self._compare()
        await self._look_for_orders()
        self._add_up()
        await self._leave()

    def _bring_back(self, watcher: Watcher) -> None:
        """A socket was closed that should not be: its page comes back."""
        seconds = STORM_S + (watcher.spread_s or 0)
        task = asyncio.get_running_loop().create_task(watcher.come_back(seconds))
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    async def _wait_for_lost(self) -> None:
        await asyncio.gather(*self._returning)
        lost = [w for w in self.watchers if w.shown and not w.is_live]
        if lost:
            codes = ", ".join(str(code) for code in sorted({w.code for w in lost}))
            self.wrong.append(
                f"{len(lost)} sockets were closed ({codes}) and did not come back."
            )

    # --- People ---------------------------------------------------------------

    async def _hold_and_let_go(self, seconds: float) -> None:
        """So many changes a second, by people who reserve and give back in turns, each
        with a product of their own, so that it is clear whose change came when."""
        if not self._holders:
            await self._find_holders()
        end = time.monotonic() + seconds
        pace = self.options.changes / max(1, len(self._holders))
        async with asyncio.TaskGroup() as people:
            for holder in self._holders:
                people.create_task(self._waver(holder, pace, end))

    async def _find_holders(self) -> None:
        free = [topic for topic, units in self._stock.items() if units >= 2]
        topics = free[: max(1, len(free) // 2)]
        for topic in topics:
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
            taken = {holder.topic for holder in self._holders}
            topics = sorted(set(self._stock) - taken) or sorted(self._stock)
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
        """Every socket must show what the pages, and so the database, say."""
        start = time.monotonic()
        while True:
            stale = self._stale(await self._truth())
            if not stale or time.monotonic() - start > HEAL_S:
                break
            await asyncio.sleep(0.2)
        self.figures["stale"] = sum(stale.values())
        if not stale:
            self.figures["settle_s"] = round(time.monotonic() - start, 2)
            return
        named = ", ".join(f"{topic} on {n}" for topic, n in stale.most_common(3))
        self.wrong.append(f"Sockets are stale after it was quiet: {named}.")

    async def _truth(self) -> dict[str, int]:
        options = self.options
        return await shoppers.shelf(options.url, options.products, self.ledger)

    def _stale(self, truth: dict[str, int]) -> Counter[str]:
        """How many live sockets show a topic in another version than the page."""
        return Counter(
            topic
            for watcher in self.watchers
            if watcher.is_live
            for topic, version in truth.items()
            if topic in self.topics and watcher.shown.get(topic, -1) < version
        )

    async def _look_for_orders(self) -> None:
        many = len(self.placed) > LOOKED_AT
        chance = self._chance("auditor")
        some = chance.sample(self.placed, LOOKED_AT) if many else self.placed
        lost = []
        for order in some:
            if not await self._patiently(is_there(order)):
                lost.append(order.number)
            await order.visit.close()
        if lost:
            self.wrong.append(f"Orders were confirmed and are lost: {', '.join(lost)}.")
        numbers = Counter(order.number for order in self.placed)
        if twice := [number for number, count in numbers.items() if count > 1]:
            self.wrong.append(f"Orders were given to two people: {', '.join(twice)}.")

    def _add_up(self) -> None:
        """What was there is what is left and what was ordered, if nobody else was."""
        if self.options.shared:
            return
        sold = Counter(order.topic for order in self.placed)
        for topic, before in self._stock.items():
            left = self.ledger.units[topic]
            if sold[topic] > before or left < 0:
                self.wrong.append(
                    f"{topic} is oversold: {before} there, {sold[topic]} ordered."
                )
            elif before - sold[topic] != left:
                self.wrong.append(
                    f"{topic} does not add up: {before} there, {sold[topic]} ordered, "
                    f"{left} left (do others shop there? then --shared)."
                )

    async def _leave(self) -> None:
        for watcher in self.watchers:
            watcher.leave()
        end = time.monotonic() + CLOSE_S
        while any(w.is_live for w in self.watchers) and time.monotonic() < end:
            await asyncio.sleep(0.05)
        if left := sum(watcher.is_live for watcher in self.watchers):
            self.wrong.append(f"{left} sockets were not closed within {CLOSE_S} s.")

    def _chance(self, *who: object) -> random.Random:
        """The luck of one of those who take part. Each has their own, so that with the
        same seed each does the same, whoever of them the shop answers first."""
        return random.Random(f"{self.options.seed} {who}")

    # --- Sums -----------------------------------------------------------------

    def _seconds(self, phase: str) -> float:
        asked = {name: SHARES[name] for name in self.options.phases if name in SHARES}
        return self.options.duration * asked[phase] / sum(asked.values())

    def _sum_up(self) -> None:
        ledger, figures = self.ledger, self.figures
        lines = {name: getattr(ledger, name) for name in _TIMES}
        for name, line in (lines | {"generator_lag": self.vitals.lag}).items():
            summary = line.all.summary()
            for point in ("p50", "p95", "p99", "max"):
                figures[f"{name}_{point}"] = summary[point]
        loud = [s for s in self.spans if s[0] in ("fanout", "shopping")]
        seconds = sum(end - start for _, start, end in loud)
        count = ledger.count
        figures |= {
            "sockets": len(self.watchers),
            "handshakes": ledger.handshake.all.count,
            "failed_handshakes": sum(not w.shown for w in self.watchers),
            "pushes": count["pushes"],
            "changes": count["changes"],
            "gaps": count["gaps"],
            "unexpected_closes": count["unexpected_closes"],
            "requests": count["requests"],
            "failed_requests": count["failed_requests"],
            "orders": len(self.placed),
            "orders_refused": count["orders_refused"],
        }
        if seconds:
            figures["pushes_per_s"] = round(count["pushes"] / seconds, 1)
            figures["changes_per_s"] = round(count["changes"] / seconds, 1)
        if loud:
            figures["memory_slope_kb_min"] = self.vitals.memory_slope(*_steady(loud))
        self.figures = figures | self.vitals.figures()


_TIMES = ("push", "handshake", "http", "order")


def _steady(loud: list[tuple[str, float, float]]) -> tuple[float, float]:
    """From when to when memory should be flat: the second half, without the beginning
    of its phase, for whatever is done for the first time fills caches."""
    (_, first, _), (_, start, end) = loud[0], loud[-1]
    warm = start + min(WARM_S, (end - start) / 4)
    return max((first + end) / 2, warm), end
