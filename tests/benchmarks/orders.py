"""How many orders a second, and what an order costs.

    deploy/local/up.py --test exec python tests/benchmarks/orders.py

Shoppers are threads of this one process, each with a connection of its own, and go
through the services: `holds.start`, then `orders.place`, of one unit each, one order
after the other without a pause. No page is rendered. They buy all the same product, or
each time another of a hundred. On a scratch database and the Redis at REDIS_URL. Read
the figures as ratios: one process has one interpreter lock, however many shoppers.
"""

import argparse
import itertools
import logging
import os
import re
import sys
import time
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "local")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")


class Result(NamedTuple):
    """One crowd, at one shelf."""

    seconds: float  # until the last one was through
    durations: list[float]  # of each order, sorted

    @property
    def rate(self) -> float:
        return len(self.durations) / self.seconds

    def quantile(self, share: float) -> float:
        return self.durations[int(share * (len(self.durations) - 1))] * 1e3


class Timer:
    """Adds up the time of statements of a kind, as `execute_wrapper` passes them."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.counts: dict[str, int] = defaultdict(int)

    def __call__(self, execute, sql, params, many, context):
        begun = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            kind = kind_of(sql)
            self.seconds[kind] += time.perf_counter() - begun
            self.counts[kind] += 1


def kind_of(sql: str) -> str:
    """Its verb and its table."""
    if sql.lstrip().startswith("WITH moved"):
        return "claim: UPDATE products_stock, INSERT products_stockmovement"
    verb, table = sql.split()[0], re.search(r'(?:FROM|INTO|UPDATE) "(\w+)"', sql)
    return f"{verb} {table[1]}" if table else verb


def carts_of(products: list, count: int) -> list[tuple]:
    """So many baskets with a unit each, of one product after the other, and what
    they cost."""
    from tests.factories import make_full_basket, make_owner

    shelf = itertools.islice(itertools.cycle(products), count)
    return [(make_full_basket(make_owner(), [p]), p.price) for p in shelf]


def order(basket, seen: Decimal) -> float:
    """Check out; how long it took."""
    from products.models import Order
    from products.services import holds, orders
    from tests.factories import CONTACT

    begun = time.perf_counter()
    basket = holds.start(basket)
    orders.place(
        basket, CONTACT, seen=seen, method=Order.Method.DELIVERY, language="en"
    )
    return time.perf_counter() - begun


def crowd(shoppers: int, products: list, orders_each: int) -> Result:
    """All of them at once, each one order after the other."""
    from tests.concurrency import together

    carts = carts_of(products, shoppers * orders_each)

    def shop(mine: list) -> list[float]:
        return [order(*cart) for cart in mine]

    begun = time.perf_counter()
    outcomes = together([lambda n=n: shop(carts[n::shoppers]) for n in range(shoppers)])
    seconds = time.perf_counter() - begun
    failed = [o for o in outcomes if isinstance(o, Exception)]
    assert not failed, failed[0]
    return Result(seconds, sorted(sum(outcomes, [])))


def tell_crowds(products: list, orders: int) -> None:
    """Orders a second and how long one takes, for each crowd at each shelf."""
    for name, shelf in (("one hot product", products[:1]), ("100 products", products)):
        for shoppers in (1, 8, 32):
            result = crowd(shoppers, shelf, max(orders // shoppers, 10))
            print(
                f"{name:16} {shoppers:3} shoppers {result.rate:6.1f} orders a second"
                f"  p50 {result.quantile(0.5):5.0f} ms  p99"
                f" {result.quantile(0.99):5.0f} ms  ({len(result.durations)} orders)",
                flush=True,
            )


def tell_statements(products: list, orders: int) -> None:
    """Where the time of one shopper's order goes."""
    from django.db import connection

    timer, whole = Timer(), 0.0
    for cart in carts_of(products, orders):
        with connection.execute_wrapper(timer):
            whole += order(*cart)
    in_sql, statements = sum(timer.seconds.values()), sum(timer.counts.values())
    print(
        f"\nOne order: {statements / orders:.0f} statements,"
        f" {whole / orders * 1e3:.1f} ms, {in_sql / whole:.0%} of it in SQL"
    )
    for kind, seconds in sorted(timer.seconds.items(), key=lambda entry: -entry[1]):
        share, count = seconds / whole, timer.counts[kind] / orders
        print(f"  {share:5.1%}  {count:4.1f} ×  {kind}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=640, help="of each crowd")
    options = parser.parse_args()
    import django

    django.setup()
    logging.disable(logging.WARNING)
    from products.models import Product
    from products.services import books, stock
    from realtime.publish import flush
    from tests.benchmarks.scratch import scratch_database

    with scratch_database() as make_products:
        for pk in make_products(100):
            stock.receive(pk, 100_000)
        products = list(Product.objects.order_by("pk"))
        crowd(1, products, 20)  # warm
        tell_crowds(products, options.orders)
        tell_statements(products, 100)
        assert books.reconcile() == []
        flush()


if __name__ == "__main__":
    main()
