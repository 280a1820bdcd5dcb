"""The phases of a run: sockets connect, stock changes, people order, everybody returns.

Each phase is a function of the run, and bounded in time.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from realtime.loadtest import crowd, drops, shoppers
from realtime.loadtest.shoppers import total_of
from realtime.loadtest.visit import FAILURES, Unreachable, Visit
from realtime.loadtest.watchers import Watcher, longest_wait

if TYPE_CHECKING:
    from realtime.loadtest.run import Run

HANDSHAKES = 200  # at the same time
RETURN_S = 30  # for all sockets to return, after the time that they need at most
SLOWEST_RETURN = 100  # sockets a second
HEAL_S = 10  # for every socket to show the newest state, once nothing changes
CLOSE_S = 10
CHECKED_ORDERS = 200  # that are looked for at the end


# --- Sockets ----------------------------------------------------------------------


async def connect(run: "Run") -> None:
    """Open sockets at a steady rate, whether or not the earlier ones are open yet."""
    numbers = range(run.part.index, run.options.sockets, run.part.of)
    cookie = await _guest_cookie(run)
    run.watchers = [
        _make_watcher(run, number, place, cookie)
        for place, number in enumerate(numbers)
    ]
    start = time.monotonic()
    opened = await arrive(run, zip(numbers, run.watchers))
    run.durations["connect"] = time.monotonic() - start
    run.tally["opened"] = opened
    if not opened:
        reasons = ", ".join(run.ledger.refusals) or "no reason given"
        why = f"no socket could be opened: {reasons}"
        if run.vitals.is_overloaded and "TimeoutError" in run.ledger.refusals:
            raise TimeoutError(why)  # this program was too slow itself
        raise Unreachable(why)
    run.stock = dict(run.ledger.units)


async def _guest_cookie(run: "Run") -> str:
    guest = Visit(run.options.url, run.ledger.note_request)
    await guest.get(shoppers.SHELF)
    await guest.close()
    return guest.cookie


def _make_watcher(run: "Run", number: int, place: int, cookie: str) -> Watcher:
    watcher = Watcher(run.options.url, run.topics, run.ledger, cookie)
    watcher.random = run.random_for("socket", number)
    watcher.on_loss = run.bring_back
    if is_hidden(number, run.options.hidden):
        watcher.hide()
    if sources := run.options.source:
        watcher.source = sources[(place + run.part.index) % len(sources)]
    return watcher


def is_hidden(number: int, share: float) -> bool:
    """Whether a socket belongs to a hidden tab: that share of them, spread evenly."""
    return int((number + 1) * share) > int(number * share)


async def arrive(run: "Run", watchers: Iterable[tuple[int, Watcher]]) -> int:
    """Open each socket at its time, by its number. Returns how many were opened."""
    rate = run.options.rate
    limit = asyncio.Semaphore(max(HANDSHAKES, int(rate)) // run.part.of + 1)
    start = time.monotonic()

    async def open_one(number: int, watcher: Watcher) -> bool:
        await asyncio.sleep(start + number / rate - time.monotonic())
        async with limit:
            return await watcher.open()

    return sum(await asyncio.gather(*(open_one(*each) for each in watchers)))


async def idle(run: "Run") -> None:
    """Let the sockets rest."""
    await asyncio.sleep(run.seconds("idle"))


async def storm(run: "Run") -> None:
    """Cut every connection at once. All sockets come back as pages do."""
    start = time.monotonic()
    cut = [watcher for watcher in run.watchers if watcher.is_live]
    for watcher in cut:
        watcher.cut()
    seconds = max((patience(w.spread_s) for w in cut), default=RETURN_S)
    returned = await asyncio.gather(*(w.come_back(seconds) for w in cut))
    run.durations["storm"] = time.monotonic() - start
    run.durations["patience"] = seconds
    run.tally["stray"] = returned.count(False)


def patience(spread_s: float | None) -> float:
    """Return how many seconds a socket may take to return, if the server spread its
    sockets over so many. Its first attempt may fail at the end of that time."""
    return RETURN_S + (spread_s or 0) + longest_wait(1, spread_s)


# --- People -----------------------------------------------------------------------


async def fanout(run: "Run") -> None:
    """Change the stock at a rate. Every socket hears of each change."""
    await crowd.change_stock(run, run.seconds("fanout"))


async def shopping(run: "Run") -> None:
    """Place real orders while the stock goes on changing."""
    end = time.monotonic() + run.seconds("shopping")
    async with asyncio.TaskGroup() as people:
        people.create_task(crowd.change_stock(run, end - time.monotonic()))
        for number in range(run.part.index, run.options.buyers, run.part.of):
            people.create_task(crowd.buy_until(run, end, number))


# --- The end ----------------------------------------------------------------------


async def drain(run: "Run") -> None:
    """Wait until nothing changes, compare what sockets and pages show, and leave."""
    await crowd.let_everything_go(run)
    await run.part.meet("quiet")
    await asyncio.sleep(run.options.quiet)
    await run.load_page_versions()  # fails if there is no shop to come back to
    await run.wait_for_returning()
    await compare(run)
    await look_for_orders(run)
    run.tally["finished"] = 1
    await run.part.meet("leave")
    await leave(run)


async def compare(run: "Run") -> None:
    """Check that every socket shows what the pages, and so the database, say. Hidden
    tabs are shown first."""
    start = time.monotonic()
    for watcher in run.watchers:
        if watcher.is_live and watcher.is_hidden:
            watcher.show()
    while True:
        stale = find_stale(run, await run.load_page_versions())
        if not stale or time.monotonic() - start > HEAL_S:
            break
        await asyncio.sleep(0.2)
    run.stale = stale
    if not stale:
        run.durations["settle"] = time.monotonic() - start


def find_stale(run: "Run", page_versions: dict[str, int]) -> Counter[str]:
    """Count, for each topic, the live sockets that show an older version than the page,
    or versions of another timeline than the sockets that subscribed last."""
    return Counter(
        topic
        for watcher in run.watchers
        if watcher.is_live
        for topic, version in page_versions.items()
        if topic in run.topics and topic in watcher.topics
        if watcher.shown.get(topic, -1) < version
        or watcher.timeline != run.ledger.timeline
    )


async def look_for_orders(run: "Run") -> None:
    """Load the pages of orders, of a sample if there are many, and compare totals."""
    size = -(-CHECKED_ORDERS // run.part.of)
    orders = run.placed
    if len(orders) > size:
        orders = run.random_for("auditor", run.part.index).sample(orders, size)
    for order in orders:
        try:
            total = await total_of(order)
        except FAILURES as error:
            run.ledger.refusals[str(error) or type(error).__name__] += 1
            run.unanswered.append(order.number)
        else:
            agreed = order.bill.total
            if total is None:
                run.lost.append(order.number)
            elif total != agreed:
                text = f"order {order.number}: total of its page, not {agreed} cents"
                run.miscalculated.append(text)
        await order.visit.close()


async def leave(run: "Run") -> None:
    """Close all sockets."""
    for watcher in run.watchers:
        watcher.leave()
    end = time.monotonic() + CLOSE_S
    while any(w.is_live for w in run.watchers) and time.monotonic() < end:
        await asyncio.sleep(0.05)
    run.tally["unclosed"] = sum(watcher.is_live for watcher in run.watchers)


PHASES: dict[str, Callable[["Run"], Awaitable[None]]] = {
    "connect": connect,
    "idle": idle,
    "fanout": fanout,
    "shopping": shopping,
    "drop": drops.drop,
    "storm": storm,
    "drain": drain,
}
