"""How many orders a second the shop takes, and where the time goes.

    deploy/local/up.py --test exec python tests/benchmarks/orders.py

Guests with one unit in the basket go through the checkout's pages of one plain Daphne:
the address form, sent, the review, sent. Each makes one order after the other without a
pause. They buy all the same product, or each time another of a hundred. Then the same
without pages: threads of this process that call `holds.start` and `orders.place`. Last,
one guest's pages and statements, one by one.

With `--against COMMIT`, guests add a product and order it at that commit, checked out
beside, and here, by turns; the figures of the two are compared. CPU seconds hardly
depend on what else runs on the machine, orders a second do.

On a scratch database, and the Redis at REDIS_URL. Shoppers, shop and PostgreSQL share
the machine, and one interpreter lock bounds each of the first two: read the figures as
ratios. PostgreSQL's share is the whole server's: nobody else should be using it.
"""

import argparse
import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "local")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
CROWDS = (1, 8, 32)


def tell_crowds(tours_of: Callable, variants: list, clocks: dict, orders: int) -> None:
    """For each crowd at each shelf: orders a second, how long one takes, its cost."""
    from tests.benchmarks.crowds import rush

    rush(1, tours_of(variants, 20), clocks)  # warm
    for name, goods in (("one hot product", variants[:1]), ("100 products", variants)):
        for shoppers in CROWDS:
            tours = tours_of(goods, max(orders // shoppers, 10) * shoppers)
            tell_crowd(f"{name:15} {shoppers:3} at once", rush(shoppers, tours, clocks))


def tell_crowd(name: str, result) -> None:
    costs = (f"{who} {result.cpu_an_order(who):.1f}" for who in result.cpu)
    print(
        f"  {name} {result.rate:6.1f} orders a second"
        f"  p50 {result.quantile(0.5):5.0f} ms  p99 {result.quantile(0.99):5.0f} ms"
        f"  CPU an order, ms: {', '.join(costs)}",
        flush=True,
    )


@contextlib.contextmanager
def serving(folder: Path) -> Iterator:
    """A plain Daphne on the scratch database."""
    from django.conf import settings

    from tests.support.servers import Daphne

    shop = Daphne(folder, settings.REDIS_URL)
    shop.start()
    try:
        yield shop
    finally:
        shop.stop()


def measure(folder: Path, variants: list, orders: int) -> None:
    from tests.benchmarks import steps
    from tests.benchmarks.crowds import clocks_of, over_pages, over_services

    with serving(folder) as shop:
        print(f"Over the checkout's pages, {orders} orders or a few more each")
        tell_crowds(partial(over_pages, shop), variants, clocks_of(shop), orders)
    print("\nThrough the services")
    tell_crowds(over_services, variants, clocks_of(), orders)
    steps.tell(variants, 50)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=320, help="of each crowd")
    parser.add_argument("--against", metavar="COMMIT", help="compare with a commit")
    parser.add_argument("--rounds", type=int, default=5, help="with --against")
    options = parser.parse_args()
    if options.against:
        from tests.benchmarks import side_by_side

        side_by_side.compare(options.against, options.orders, options.rounds)
        return
    from tests.support.servers import collect_static

    with tempfile.TemporaryDirectory() as folder:
        os.environ |= collect_static(Path(folder) / "static")
        import django

        django.setup()
        logging.disable(logging.WARNING)
        from products.models import Variant
        from products.stock import books
        from products.stock import services as stock
        from realtime.publish import flush
        from tests.benchmarks.scratch import scratch_database

        with scratch_database() as make_variants:
            for pk in make_variants(100):
                stock.receive(pk, 100_000)
            variants = list(Variant.objects.order_by("pk"))
            measure(Path(folder), variants, options.orders)
            assert books.reconcile() == []
            flush()


if __name__ == "__main__":
    main()
