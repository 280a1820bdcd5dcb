"""What a search costs, with 20,000 products of different names.

    deploy/local/up.py --test exec python tests/benchmarks/search.py

The median time of the queries behind one page of results (the counts and the first 24)
and behind the suggestions, in ms; then how long the products took to write, and the
size of their vectors and their index.
"""

import argparse
import logging
import os
import random
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "local")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

QUERIES = [
    *("brass", "teapot", "tea pot", "große", "grosse", "groesse", "brass tea pot"),
    *("oiled twice", "vaes", "zzzzz", "does", "a b c d e f g h i j k l", "b", "shoe"),
]
NAMES = (
    "brass glass oak walnut große kleine tea pot teapot butter messer jug bowl lamp"
    " speckled enamel kettle chair stool crème vase blue shoe rack desk tray light"
).split()
TEXT = "Turned by hand from a single piece, oiled twice and signed by its maker. "


def fill_the_shop(count: int) -> None:
    from tests.support.factories import make_category, make_product, make_products

    draw = random.Random(1)
    words = [*NAMES, *(f"{name}{n}" for name in NAMES for n in range(40))]
    shelf = make_category()
    for _ in range(count // 1000):
        products = make_products(1000, category=shelf)
        for product in products:
            product.name = " ".join(draw.sample(words, 4)).capitalize()
            product.description = TEXT * 3 + " ".join(draw.sample(words, 20))
        type(products[0]).objects.bulk_update(products, ["name", "description"], 500)
    make_product(name="Vase", category=shelf)


def measured(do, times: int) -> float:
    """The median of so many runs, in ms."""
    taken = []
    for _ in range(times):
        begun = time.monotonic()
        do()
        taken.append(time.monotonic() - begun)
    return median(taken) * 1e3


def look(text: str) -> int:
    """What a page of results asks for; how many products there are."""
    from products.models import Product
    from products.search import services as search

    counted = search.facets(
        text=text, category=None, price=search.ANY_PRICE, in_stock=False
    )
    matches = Product.objects.active().matching(text).by_relevance(text)
    list(matches.page(0, 24, of=counted.total))
    return counted.total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--products", type=int, default=20_000)
    parser.add_argument("--times", type=int, default=9)
    options = parser.parse_args()
    import django

    django.setup()
    logging.disable(logging.WARNING)
    from django.db import connection

    from products.search import services as search
    from tests.benchmarks.scratch import scratch_database

    with scratch_database():
        begun = time.monotonic()
        fill_the_shop(options.products)
        print(f"written in {time.monotonic() - begun:.1f} s")
        search.relearn()
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
            cursor.execute(
                "SELECT avg(pg_column_size(search)),"
                " pg_relation_size('product_search') FROM products_product"
            )
            vector, index = cursor.fetchone()
        print(f"a vector {vector:.0f} bytes, the index {index / 1e6:.1f} MB")
        for text in QUERIES:
            total = look(text)
            page = measured(lambda: look(text), options.times)
            offer = measured(lambda: search.suggest(text), options.times)
            print(f"{text:26} {total:6} found {page:7.1f} ms {offer:7.1f} ms suggested")


if __name__ == "__main__":
    main()
