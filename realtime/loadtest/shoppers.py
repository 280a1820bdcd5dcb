"""People at the shop: they load the shelf, fill a basket, hold units and order."""

import html
import re
import time
from collections import Counter
from collections.abc import Awaitable
from typing import NamedTuple

from realtime.loadtest.bills import Bill
from realtime.loadtest.ledger import Ledger
from realtime.loadtest.visit import Answer, Unexpected, Visit

SHELF = "/products/"
PAGES = 20
CARD = re.compile(r'data-topic="(stock:(\d+))" data-version="(\d+)"')
NEXT = re.compile(r'href="(\?[^"]*page=(\d+)[^"]*)"')
FIELD = r'<input[^>]*name="{}"[^>]*value="([^"]*)"'
TOTAL = re.compile(r'summary__total"><dt>[^<]*</dt><dd>([^<]*\d[^<]*)</dd>')
ORDER = re.compile(r"/orders/([2-9A-Z]{8})/")
ADDRESS = {
    "email": "load@example.com",
    "full_name": "Load Test",
    "line1": "Test Road 1",
    "postcode": "12345",
    "city": "Port",
    "country": "DE",
}


class Placed(NamedTuple):
    """A confirmed order, what was agreed, and the session that may see it."""

    number: str
    bill: Bill
    visit: Visit

    @property
    def units(self) -> Counter[str]:
        """The units of each topic."""
        lines = self.bill.lines
        return Counter({f"stock:{line.variant}": line.quantity for line in lines})


async def shelf(url: str, wanted: int, ledger: Ledger) -> dict[str, int]:
    """Return the topics and versions that the pages, and so the database, have."""
    visit = Visit(url, ledger.note_request)
    versions: dict[str, int] = {}
    path = SHELF
    for page in range(2, PAGES + 2):
        answer = await visit.get(path)
        if answer.status != 200:
            raise Unexpected(f"{path}: status {answer.status}")
        for topic, _, version in CARD.findall(answer.text):
            versions[topic] = int(version)
        links = {int(n): html.unescape(p) for p, n in NEXT.findall(answer.text)}
        if len(versions) >= wanted or page not in links:
            break
        path = SHELF + links[page]
    await visit.close()
    return dict(list(versions.items())[:wanted])


class Shopper:
    """A visitor who is interested in one variant, and perhaps in others."""

    def __init__(self, url: str, topic: str, ledger: Ledger, *others: str) -> None:
        self.topic, self.ledger = topic, ledger
        self.topics = [topic, *others]
        self.variant = topic.partition(":")[2]
        self.visit = Visit(url, ledger.note_request)
        self.contact: dict[str, str] = ADDRESS

    async def fill_basket(self, units: int = 1) -> bool:
        """Load the shelf and put units in the basket, and one of each other variant.
        False if one of them is sold out."""
        await self.visit.get(SHELF)
        for topic in self.topics:
            path = f"/basket/add/{topic.partition(':')[2]}/"
            answer = await self.visit.post(path, quantity=units, parts="basket")
            if answer.status == 422:
                return False
            self._insist(answer.status == 200, path, answer)
            units = 1
        return True

    async def checkout(self) -> bool:
        """Start to check out, which reserves units. False if they are sold out."""
        answer = await self._act(self.visit.get("/checkout/"))
        if answer.status in (303, 409):  # 303: somebody else's turn
            return False
        self._insist(answer.status == 200, "/checkout/", answer)
        return True

    async def change(self, quantity: int) -> bool:
        """Change the quantity, which gives back what was reserved. False if the shop
        refuses it."""
        fields = {f"quantity-{self.variant}": quantity, "parts": "basket"}
        answer = await self._act(self.visit.post("/basket/update/", **fields))
        self._insist(answer.status in (200, 422), "/basket/update/", answer)
        return answer.status == 200

    async def let_go(self) -> bool:
        """Give back what was reserved. The quantity is changed twice, as the same one
        again would change nothing."""
        return await self.change(2) and await self.change(1)

    async def order(self, units: int = 1) -> Placed | None:
        """Order some units, and one of each other variant. None if one is sold out."""
        start = time.perf_counter()
        if not await self.fill_basket(units):
            return None
        try:
            placed = await self.check_out_and_order()
        except BaseException:
            # They may be reserved, ordered, or neither.
            self.ledger.doubt.update({self.topic: units - 1})
            self.ledger.doubt.update(self.topics)
            raise
        if placed is None:
            return None
        self.ledger.order.add(self.ledger.now, time.perf_counter() - start)
        return placed

    async def check_out_and_order(self) -> Placed | None:
        """Order what is in the basket. None if it is sold out, or refused."""
        if not await self.checkout():
            return None
        answer = await self.visit.post("/checkout/", **self.contact)
        self._insist(answer.status == 303, "the address", answer)
        review = await self._act(self.visit.get("/checkout/review/"))
        if review.status == 409:
            return None
        self._insist(review.status == 200, "/checkout/review/", review)
        form = {"shown": _field(review.text, "shown"), "method": "delivery"}
        answer = await self._act(self.visit.post("/checkout/review/", **form))
        if answer.status == 409:
            return None
        self._insist(answer.status == 303, "the order", answer)
        match = ORDER.search(answer.headers.get("location", ""))
        if match is None:
            raise Unexpected("the order: it redirects to no order")
        return Placed(match[1], Bill.read(form["shown"]), self.visit)

    async def _act(self, request: Awaitable[Answer]) -> Answer:
        """Await a request that may change the stock."""
        starts = [(topic, self.ledger.begin(topic)) for topic in self.topics]
        try:
            return await request
        finally:
            for topic, start in starts:
                self.ledger.end(topic, start)

    def _insist(self, is_fine: bool, what: str, answer: Answer) -> None:
        if not is_fine:
            raise Unexpected(f"{what}: status {answer.status}")


def _field(text: str, name: str) -> str:
    """Return the value of a hidden field. Raises `Unexpected`."""
    match = re.search(FIELD.format(name), text)
    if match is None:
        raise Unexpected(f"the review has no {name}")
    return html.unescape(match[1])


async def total_of(order: Placed) -> int | None:
    """Return the total that the shop shows to the order's shopper, in minor units. None
    if it shows no such order.

    Raises `Unexpected` if the shop cannot answer now.
    """
    path = f"/orders/{order.number}/"
    answer = await order.visit.get(path)
    if answer.status >= 500 or answer.status == 429:
        raise Unexpected(f"{path}: status {answer.status}")
    if answer.status != 200 or order.number not in answer.text:
        return None
    total = TOTAL.search(answer.text)
    return int(re.sub(r"\D", "", total[1])) if total else -1
