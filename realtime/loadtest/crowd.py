"""The people of a run: some reserve products and give them back, others order.

They use different products, so that it is clear who has changed the stock of each.
"""

import asyncio
import time
from typing import TYPE_CHECKING

from realtime.loadtest.shoppers import Shopper

if TYPE_CHECKING:
    from realtime.loadtest.run import Run

MAX_HELD = 2  # units that one person reserves


async def change_stock(run: "Run", seconds: float) -> None:
    """Make stock change at the rate of --changes: people reserve and give back in
    turns, each with a product of their own."""
    if not run.holders:
        await _find_holders(run)
    end = time.monotonic() + seconds
    topics = held_topics(run)
    ours = topics[run.part.index :: run.part.of]
    changes = run.options.changes * len(ours) / max(1, len(topics))
    rate = changes / max(1, len(run.holders))
    async with asyncio.TaskGroup() as people:
        people.create_task(asyncio.sleep(seconds))
        for holder in run.holders:
            people.create_task(_hold_and_let_go(run, holder, rate, end))


def held_topics(run: "Run") -> list[str]:
    """Return the topics that people only reserve: half of those with enough stock."""
    available = sorted(topic for topic, units in run.stock.items() if units >= MAX_HELD)
    return available[: max(1, len(available) // 2)]


async def _find_holders(run: "Run") -> None:
    for topic in held_topics(run)[run.part.index :: run.part.of]:
        holder = Shopper(run.options.url, topic, run.ledger)
        if await run.tolerate(holder.fill_basket()):
            run.holders.append(holder)


async def _hold_and_let_go(
    run: "Run", holder: Shopper, rate: float, end: float
) -> None:
    """Reserve by checking out, then give back by changing the quantity, and so on."""
    chance = run.random_for("holder", holder.topic)
    due, quantity = time.monotonic() + chance.random() / rate, 1
    is_holding = False
    while due < end:
        await asyncio.sleep(due - time.monotonic())
        if is_holding:
            quantity = 3 - quantity
            await run.tolerate(holder.change(quantity))
            is_holding = False
        else:
            is_holding = bool(await run.tolerate(holder.checkout()))
            if not is_holding and quantity == 2:
                quantity = 1
                await run.tolerate(holder.change(1))
        # People who had to wait do not catch up afterwards.
        due = max(due + 1 / rate, time.monotonic())
    if is_holding:
        await run.tolerate(holder.change(3 - quantity))


async def let_everything_go(run: "Run") -> None:
    """Give back all that is reserved. Where that fails, the units are in doubt."""
    for holder in run.holders:
        if not await run.tolerate(holder.let_go()):
            run.ledger.doubt[holder.topic] += MAX_HELD


async def buy_until(run: "Run", end: float, number: int) -> None:
    """Place one order after the other, of one or two units, and half of them with a
    second variant."""
    chance = run.random_for("buyer", number)
    while time.monotonic() < end:
        topics = sorted(set(run.stock) - set(held_topics(run))) or sorted(run.stock)
        wanted = chance.sample(topics, min(len(topics), chance.randint(1, 2)))
        buyer = Shopper(run.options.url, wanted[0], run.ledger, *wanted[1:])
        order = await run.tolerate(buyer.order(units=chance.randint(1, 2)))
        if order is None:
            run.ledger.count["orders_refused"] += 1
            await asyncio.sleep(0.05)
        else:
            run.placed.append(order)
        await buyer.visit.close()
