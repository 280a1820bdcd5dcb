"""People in the waiting room of a drop: they queue, and buy when it is their turn.

Some others try to buy past the room. Afterwards anybody can check the order of the line
from the published seed, so this does.
"""

import asyncio
import hashlib
import re
import time
from typing import TYPE_CHECKING, Any

from realtime.loadtest.ledger import Frame
from realtime.loadtest.shoppers import ADDRESS, Shopper
from realtime.loadtest.visit import Answer, Unexpected, Visit
from realtime.loadtest.watchers import Watcher

if TYPE_CHECKING:
    from realtime.loadtest.run import Run

TOPIC = re.compile(r'data-topic="(drop:\d+)"')
HASH = re.compile(r"<code[^>]*>([0-9a-f]{64})</code>")
NUMBER = re.compile(r"Ticket ([0-9a-f]{16})\.")
STATE = re.compile(r'data-state="(\w+)" data-place="(\d*)"')
VARIANT = re.compile(r'name="variant" value="(\d+)"|<option value="(\d+)">')
OVER = ("sold_out", "stopped")
SPREAD = 400  # people who ask for their place in a second, as pages do
PATIENCE_S = 3.0  # without news, people look at their ticket
INTRUDERS = 3
BACK_S = 2.0  # when people try again who were not told when


class Room:
    """A drop as its page shows it before the start, and what its frames say."""

    def __init__(self, run: "Run", page: Answer) -> None:
        topic, promised = TOPIC.search(page.text), HASH.search(page.text)
        if page.status != 200 or topic is None or promised is None:
            raise Unexpected(f"there is no drop: status {page.status}")
        self.run, self.topic, self.promised = run, topic[1], promised[1]
        self.path = f"/drops/{run.options.drop}/"
        self.variant = ""  # known once somebody is admitted
        self.is_found = asyncio.Event()

    @property
    def facts(self) -> dict[str, Any]:
        return self.run.ledger.rooms.get(self.topic, {"state": "planned"})

    @property
    def is_over(self) -> bool:
        return self.facts["state"] in OVER


class Person:
    """Somebody with a ticket, in one browser."""

    def __init__(self, room: Room, number: int) -> None:
        self.room, self.run, run = room, room.run, room.run
        self.contact = ADDRESS | {"email": f"load-{number}@example.com"}
        self.visit = Visit(run.options.url, run.ledger.note_page)
        self.chance = run.random_for("person", number)
        self.news = asyncio.Event()
        self.number, self.place, self.state = "", 0, ""
        self.order, self.ordered_at, self.heard_at = "", 0.0, 0.0

    async def take_part(self) -> None:
        """Take a ticket, wait, and buy if it is one's turn."""
        await self.ask(self.visit.get, self.room.path)
        await self.ask(self.visit.post, f"{self.room.path}join/")
        await self.look()
        await self.open_socket()
        while not self.order and self.state != "passed":
            self.news.clear()
            facts = self.room.facts
            if self.room.is_over:
                return
            if facts["state"] != "planned":
                await self.follow(facts)
                if self.order or self.state == "passed":
                    return
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self.news.wait()
            except TimeoutError:
                pass

    async def follow(self, facts: dict[str, Any]) -> None:
        if not self.place:
            people = facts["waiting"] + facts["admitted"]
            await asyncio.sleep(self.chance.random() * people / SPREAD)
            await self.look()
            facts = self.room.facts
        elif self.place <= facts["serving"] and self.state == "waiting":
            await self.look()
        if self.state == "admitted":
            await self.buy()

    async def look(self) -> None:
        """Load the part of the page that is about one's own ticket."""
        answer = await self.ask(self.visit.get, f"{self.room.path}mine/")
        state, number = STATE.search(answer.text), NUMBER.search(answer.text)
        if answer.status != 200 or state is None:
            raise Unexpected(f"{self.room.path}mine/: status {answer.status}")
        self.state, self.place = state[1], int(state[2] or 0)
        self.number = number[1] if number else self.number
        if self.state == "admitted" and (found := VARIANT.search(answer.text)):
            self.room.variant = found[1] or found[2]
            self.room.is_found.set()

    async def buy(self) -> None:
        """Reserve a unit, and order it."""
        run, variant = self.run, self.room.variant
        start = time.perf_counter()
        form = {"variant": variant, "quantity": 1}
        await self.ask(self.visit.post, f"{self.room.path}claim/", **form)
        shopper = Shopper(run.options.url, f"stock:{variant}", run.ledger)
        shopper.visit, shopper.contact = self.visit, self.contact
        placed = await shopper.check_out_and_order()
        if placed is None:
            await self.look()
            return
        self.order, self.ordered_at = placed.number, time.time()
        run.ledger.order.add(run.ledger.now, time.perf_counter() - start)
        run.placed.append(placed)

    async def ask(self, send: Any, path: str, **fields: object) -> Answer:
        """Send a request. Come back when told, if the shop is too busy."""
        while True:
            answer = await send(path, **fields)
            if answer.status not in (429, 503):
                return answer
            self.run.ledger.count["told_to_come_back"] += 1
            await asyncio.sleep(float(answer.headers.get("retry-after", BACK_S)))

    async def open_socket(self) -> None:
        run = self.run
        self.watcher = Watcher(
            run.options.url, [self.room.topic], run.ledger, self.visit.cookie
        )
        self.watcher.on_frame, self.watcher.on_loss = self.hear, run.bring_back
        run.watchers.append(self.watcher)
        await self.watcher.open()

    def hear(self, frame: Frame) -> None:
        if self.room.is_over and not self.heard_at:
            self.heard_at = time.time()
        self.news.set()

    def result(self) -> dict[str, Any]:
        """Return what became of them, for JSON."""
        names = ("number", "place", "state", "order", "ordered_at", "heard_at")
        return {name: getattr(self, name) for name in names}


async def drop(run: "Run") -> None:
    """Let people queue for a drop until it is sold out."""
    visit = Visit(run.options.url, run.ledger.note_page)
    room = Room(run, await visit.get(f"/drops/{run.options.drop}/"))
    numbers = range(run.part.index, run.options.people, run.part.of)
    people = [Person(room, number) for number in numbers]
    start = time.monotonic()

    async def come(person: Person, number: int) -> None:
        await asyncio.sleep(start + number / run.options.rate - time.monotonic())
        await run.tolerate(person.take_part())

    async with asyncio.TaskGroup() as crowd:
        for person, number in zip(people, numbers):
            crowd.create_task(come(person, number))
        if run.part.index == 0:
            intruders = crowd.create_task(_intrude(room, run))
            crowd.create_task(_give_up_once_over(room, intruders))
    await asyncio.sleep(run.options.quiet)  # those who wait must hear it, too
    run.drop["people"] = [person.result() for person in people]
    run.drop["state"] = room.facts["state"]
    run.drop["bought"] = room.facts.get("bought", 0)
    run.drop["left"] = room.facts.get("left")
    run.drop["faults"] += await check_line(run, room, visit, people)
    await visit.close()


async def _give_up_once_over(room: Room, intruders: asyncio.Task) -> None:
    while not room.is_over and not intruders.done():
        await asyncio.sleep(0.2)
    intruders.cancel()


async def _intrude(room: Room, run: "Run") -> None:
    """Try to buy without a ticket, as soon as it is known what is sold."""
    await room.is_found.wait()
    for number in range(INTRUDERS):
        intruder = Shopper(run.options.url, f"stock:{room.variant}", run.ledger)
        intruder.contact = ADDRESS | {"email": f"intruder-{number}@example.com"}
        order = await run.tolerate(intruder.order())
        if order is not None:
            run.drop["faults"].append(f"Order {order.number} was placed past the room.")
        await intruder.visit.close()


async def check_line(
    run: "Run", room: Room, visit: Visit, people: list[Person]
) -> list[str]:
    """Check the published order: the seed, the shuffle, and our people's places."""
    answer = await visit.get(f"{room.path}line.txt")
    if answer.status != 200:
        return [f"The order of the line is not published: status {answer.status}."]
    faults = line_faults(answer.text, room.promised)
    numbers = [line for line in answer.text.splitlines() if line[:1] != "#"]
    places = {number: place for place, number in enumerate(numbers, 1)}
    for person in people:
        if person.place and places.get(person.number) != person.place:
            faults.append(f"Ticket {person.number} has another place in the line.")
    return faults


def line_faults(text: str, promised: str) -> list[str]:
    """Return what is wrong with the order of a line, as its script would."""
    early = text.split("# Later", 1)[0]
    seed = early.partition("# seed: ")[2].split("\n", 1)[0]
    numbers = [line for line in early.splitlines() if line and line[0] != "#"]
    ranks = [hashlib.sha256(f"{seed}:{n}".encode()).hexdigest() for n in numbers]
    faults = []
    if hashlib.sha256(seed.encode()).hexdigest() != promised:
        faults.append("The published seed is not the one that was promised.")
    if ranks != sorted(ranks):
        faults.append("The line is not in the order of the published seed.")
    return faults
