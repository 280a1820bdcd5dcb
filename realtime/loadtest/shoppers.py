"""People at the shop: what is on the shelf, one who cannot decide, one who orders."""

import html
import re
import time
from typing import NamedTuple

from realtime.loadtest.visit import Unexpected, Visit
from realtime.loadtest.watchers import Ledger

SHELF = "/products/"
PAGES = 20
CARD = re.compile(r'data-topic="(stock:(\d+))" data-version="(\d+)"')
NEXT = re.compile(r'href="(\?[^"]*page=(\d+)[^"]*)"')
FIELD = r'<input[^>]*name="{}"[^>]*value="([^"]*)"'
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
    """An order that the shop has confirmed, and the session that may see it."""

    number: str
    topic: str
    units: int
    visit: Visit


async def shelf(url: str, wanted: int, ledger: Ledger) -> dict[str, int]:
    """Topics and versions as the pages say them, and so the database."""
    visit = Visit(url, ledger.note_request)
    found: dict[str, int] = {}
    path = SHELF
    for page in range(2, PAGES + 2):
        answer = await visit.get(path)
        if answer.status != 200:
            raise Unexpected(f"{path} answers {answer.status}")
        for topic, _, version in CARD.findall(answer.text):
            found[topic] = int(version)
        further = {int(n): html.unescape(p) for p, n in NEXT.findall(answer.text)}
        if len(found) >= wanted or page not in further:
            break
        path = SHELF + further[page]
    await visit.close()
    return dict(list(found.items())[:wanted])


class Shopper:
    """A session that is interested in one product."""

    def __init__(self, url: str, topic: str, ledger: Ledger) -> None:
        self.topic, self.ledger = topic, ledger
        self.product = topic.partition(":")[2]
        self.visit = Visit(url, ledger.note_request)

    async def come_in(self) -> bool:
        """Look at the shelf and put one in; False if it is sold out."""
        await self.visit.get(SHELF)
        path = f"/basket/add/{self.product}/"
        answer = await self.visit.post(path, quantity=1, parts="basket")
        if answer.status == 422:
            return False
        self._insist(answer.status == 200, path, answer)
        return True

    async def checkout(self) -> bool:
        """Begin to check out, which reserves it; False if it is sold out meanwhile."""
        answer = await self._act(self.visit.get("/checkout/"))
        if answer.status == 409:
            return False
        self._insist(answer.status == 200, "/checkout/", answer)
        return True

    async def change(self, quantity: int) -> bool:
        """Want another number of it, which gives back what was reserved; False if the
        shop does not let us."""
        fields = {f"quantity-{self.product}": quantity, "parts": "basket"}
        answer = await self._act(self.visit.post("/basket/update/", **fields))
        self._insist(answer.status in (200, 422), "/basket/update/", answer)
        return answer.status == 200

    async def let_go(self) -> bool:
        """Give back what was reserved, whatever the shop took the last wish for: the
        same number once more would change nothing."""
        return await self.change(2) and await self.change(1)

    async def order(self) -> Placed | None:
        """From the basket to the order; None if somebody else was faster."""
        start = time.perf_counter()
        if not await self.come_in():
            return None
        try:
            number = await self._check_out_and_order()
        except BaseException:
            self.ledger.doubt[self.topic] += 1  # reserved, ordered, or neither
            raise
        if number is None:
            return None
        self.ledger.order.add(self.ledger.now, time.perf_counter() - start)
        return Placed(number, self.topic, 1, self.visit)

    async def _check_out_and_order(self) -> str | None:
        if not await self.checkout():
            return None
        answer = await self.visit.post("/checkout/", **ADDRESS)
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
        found = ORDER.search(answer.headers.get("location", ""))
        if found is None:
            raise Unexpected("the order: it leads to no order")
        return found[1]

    async def _act(self, request):
        """Await a request that may change the stock."""
        start = self.ledger.begin(self.topic)
        try:
            return await request
        finally:
            self.ledger.end(self.topic, start)

    def _insist(self, is_fine: bool, what: str, answer) -> None:
        if not is_fine:
            raise Unexpected(f"{what}: answered with {answer.status}")


def _field(text: str, name: str) -> str:
    """A hidden field's value. Raises `Unexpected`."""
    found = re.search(FIELD.format(name), text)
    if found is None:
        raise Unexpected(f"the review has no {name}")
    return html.unescape(found[1])


async def is_there(order: Placed) -> bool:
    """Whether the shop still shows the order to who placed it. Raises `Unexpected` if
    it does not say."""
    path = f"/orders/{order.number}/"
    answer = await order.visit.get(path)
    if answer.status >= 500 or answer.status == 429:
        raise Unexpected(f"{path}: answered with {answer.status}")
    return answer.status == 200 and order.number in answer.text
