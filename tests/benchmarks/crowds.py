"""Shoppers who order all at once, over pages or through the services."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from django.db import connection

from products.basket import holds
from products.models import Basket, Order, Variant
from products.orders import placing
from tests.benchmarks.cpu import cpu_of, cpu_of_family, parent_of
from tests.support.buyer import Buyer
from tests.support.concurrency import together
from tests.support.factories import CONTACT, make_full_basket, make_owner
from tests.support.servers import Shop

ALL_STEPS = [200, 303, 200, 303]

Tour = Callable[[], None]  # one order, from the full basket to the end
Clocks = dict[str, Callable[[], float]]  # seconds of processor, by who uses them


class Result(NamedTuple):
    """What became of one crowd."""

    seconds: float  # until the last one was through
    durations: list[float]  # of each order, sorted
    cpu: dict[str, float]  # seconds, by who used them

    @property
    def rate(self) -> float:
        return len(self.durations) / self.seconds

    def quantile(self, share: float) -> float:
        return self.durations[int(share * (len(self.durations) - 1))] * 1e3

    def cpu_an_order(self, who: str) -> float:
        return self.cpu[who] / len(self.durations) * 1e3


def shelf(variants: list[Variant], count: int) -> Iterator[Variant]:
    """One product after the other, from the start when they are through."""
    return itertools.islice(itertools.cycle(variants), count)


def over_pages(shop: Shop, goods: list[Variant], count: int) -> list[Tour]:
    """So many guests, each with another session and a unit in the basket."""
    buyers = [Buyer(shop, {variant: 1}) for variant in shelf(goods, count)]
    return [partial(_check_out, buyer) for buyer in buyers]


def _check_out(buyer: Buyer) -> None:
    statuses = buyer.check_out()
    assert statuses == ALL_STEPS, (statuses, buyer.body[:2000])


def over_services(goods: list[Variant], count: int) -> list[Tour]:
    """The same without pages and sessions."""
    return [
        partial(_order, make_full_basket(make_owner(), [variant]))
        for variant in shelf(goods, count)
    ]


def _order(basket: Basket) -> None:
    basket = holds.start(basket)
    seen = placing.terms(basket, CONTACT)
    placing.place(
        basket, CONTACT, seen=seen, method=Order.Method.DELIVERY, language="en"
    )


def rush(shoppers: int, tours: list[Tour], clocks: Clocks) -> Result:
    """So many at once, each one order after the other without a pause."""
    before, begun = read(clocks), time.perf_counter()
    outcomes = together([partial(_shop, tours[n::shoppers]) for n in range(shoppers)])
    seconds, after = time.perf_counter() - begun, read(clocks)
    for failure in (end for end in outcomes if isinstance(end, Exception)):
        raise failure
    used = {who: after[who] - before[who] for who in clocks}
    return Result(seconds, sorted(sum(outcomes, [])), used)


def _shop(tours: list[Tour]) -> list[float]:
    durations = []
    for tour in tours:
        begun = time.perf_counter()
        tour()
        durations.append(time.perf_counter() - begun)
    return durations


def read(clocks: Clocks) -> dict[str, float]:
    return {who: clock() for who, clock in clocks.items()}


def clocks_of(shop: Shop | None = None) -> Clocks:
    """Of all who work, as far as they do so on this machine."""
    clocks: Clocks = {"shoppers": time.process_time}
    if shop is not None:
        clocks["shop"] = partial(cpu_of, shop.pid)
    with contextlib.suppress(OSError):  # or PostgreSQL runs elsewhere
        clocks["PostgreSQL"] = partial(cpu_of_family, parent_of(_backend()))
    return clocks


def _backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]
