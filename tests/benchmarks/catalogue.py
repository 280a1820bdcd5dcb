"""What a page of the catalogue costs the server, with 20,000 products.

    deploy/local/up.py --test exec python tests/benchmarks/catalogue.py

One Daphne on a scratch database and a Redis of its own is asked over keep-alive
connections, a number of them at once, by browsers as they come: without a session,
with gzip. CPU is the server process's own, from the operating system's accounting,
a request; PostgreSQL's and Redis' are not in it.

    off       nothing is kept (CATALOGUE_MAX_AGE_S=0)
    cold      another page each time: built, and kept
    warm      the same page again and again
    known     the same, by who has it already (304)
    basket    the same, by who has a session and a basket
    member    by visitors who are signed in: their own page, with cached cards
    new cards the same with no card in the cache, as after a change of many
    no redis  the same, while Redis is stopped
"""

import argparse
import http.client
import itertools
import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "local")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

SHELVES = 10
TEXT = "Turned by hand from a single piece, oiled twice and signed by its maker. " * 5
Pages = dict[str, list[str]]


class Result(NamedTuple):
    """So many requests of one kind."""

    requests: int
    seconds: float
    cpu: float
    statuses: set[int]
    size: int  # bytes of a body

    def __str__(self) -> str:
        return (
            f"{self.cpu / self.requests * 1e3:7.2f} ms CPU a request"
            f" {self.requests / self.seconds:8.0f} requests a second"
            f" {self.size / 1024:6.1f} KB  {sorted(self.statuses)}"
        )


def fill_the_shop(count: int, variants: int) -> Pages:
    """Products on shelves; the addresses of pages, many of each kind."""
    from tests.support.factories import make_category, make_products

    shelves = [make_category() for _ in range(SHELVES)]
    products = []
    for shelf in shelves:
        products += make_products(
            count // SHELVES, category=shelf, description=TEXT, on_hand=100
        )
    if variants > 1:
        add_variants(variants)
    return {
        "list": pages_of("/products/", count),
        "category": [
            page
            for shelf in shelves
            for page in pages_of(shelf.get_absolute_url(), count // SHELVES)
        ],
        "detail": [product.get_absolute_url() for product in products],
    }


def add_variants(count: int) -> None:
    """Give each product so many variants, in as many colours out of twelve."""
    from django.db import transaction

    from products.models import Product, Stock, Variant

    colours = [f"Colour {n}" for n in range(12)]
    products = list(Product.objects.prefetch_related("variants"))
    first = [product.variants.all()[0] for product in products]
    for variant in first:
        variant.option_values = [colours[variant.pk % 12]]
    more = [
        Variant(
            product=product,
            sku=f"{product.skus[0]}-{n}",
            price=product.lowest_price + n,
            option_values=[colours[(variant.pk + n) % 12]],
            position=n,
        )
        for product, variant in zip(products, first, strict=True)
        for n in range(1, count)
    ]
    for product in products:
        product.option_names = ["Colour"]
        product.skus += [f"{product.skus[0]}-{n}" for n in range(1, count)]
    with transaction.atomic():
        Variant.objects.bulk_create(more, 5000)
        Stock.objects.bulk_create((Stock(variant=v, on_hand=100) for v in more), 5000)
        Product.objects.bulk_update(products, ["option_names", "skus"], 2000)
        Variant.objects.bulk_update(first, ["option_values"], 2000)


def pages_of(address: str, products: int) -> list[str]:
    """A list's pages."""
    from django.conf import settings

    numbers = range(2, products // settings.PRODUCTS_PER_PAGE + 1)
    return [address, *(f"{address}?page={n}" for n in numbers)]


class Browser:
    """A connection that stays open, and the cookies and the etag of its visitor."""

    def __init__(self, port: int, **headers: str) -> None:
        self.link = http.client.HTTPConnection("localhost", port, timeout=60)
        self.headers = {"Accept-Encoding": "gzip", **headers}

    def get(self, path: str) -> tuple[int, int]:
        """The status and the size of what came."""
        self.link.request("GET", path, headers=self.headers)
        answer = self.link.getresponse()
        self.answer, body = answer, answer.read()
        return answer.status, len(body)

    def come_again(self) -> None:
        """Bring the cookie and the etag of the last answer from now on."""
        cookie = self.answer.headers["Set-Cookie"].partition(";")[0]
        self.headers |= {"Cookie": cookie, "If-None-Match": self.answer.headers["ETag"]}


def ask(server, paths: Iterator[str], count: int, crowd: list[Browser]) -> Result:
    """Have a crowd of browsers ask for `count` paths, as fast as they get them."""
    from tests.benchmarks.cpu import cpu_of

    lock, answers = threading.Lock(), []
    todo = iter(range(count))

    def work(browser: Browser) -> None:
        while True:
            with lock:
                if next(todo, None) is None:
                    return
                path = next(paths)
            answers.append(browser.get(path))

    threads = [threading.Thread(target=work, args=(browser,)) for browser in crowd]
    before, begun = cpu_of(server.pid), time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds, cpu = time.monotonic() - begun, cpu_of(server.pid) - before
    statuses = {status for status, _size in answers}
    return Result(count, seconds, cpu, statuses, answers[-1][1])


def crowd_at(server, options, **headers: str) -> list[Browser]:
    return [Browser(server.port, **headers) for _ in range(options.browsers)]


def tell(mode: str, page: str, result: Result) -> None:
    print(f"{mode:9} {page:9} {result}", flush=True)


def session_with_a_basket() -> str:
    """The cookie of a visitor who has put something in their basket."""
    from importlib import import_module

    from django.conf import settings

    from products.live.viewers import BASKET_TOKEN, Owner
    from products.models import Product
    from tests.support.factories import make_basket

    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[BASKET_TOKEN] = "benchmark"
    session.save()
    make_basket(Owner(token="benchmark"), {Product.objects.first(): 2})
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def session_of_a_member() -> str:
    """The cookie of a visitor who is signed in."""
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from tests.support.factories import make_user

    user = make_user()
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def run(server, redis, pages: Pages, options) -> None:
    """All modes but "off", in turn."""
    few, many = options.requests // 10, options.requests
    for page, paths in pages.items():
        cold = iter(itertools.cycle(paths))
        tell("cold", page, ask(server, cold, few, crowd_at(server, options)))
    for page, paths in pages.items():
        same = itertools.repeat(paths[0])
        crowd = crowd_at(server, options)
        ask(server, same, 5 * len(crowd), crowd)  # warm
        tell("warm", page, ask(server, same, many, crowd))
        for browser in crowd:
            browser.get(paths[0])
            browser.come_again()
        tell("known", page, ask(server, same, many, crowd))
        shopper = crowd_at(server, options, Cookie=session_with_a_basket())
        tell("basket", page, ask(server, same, few, shopper))
    run_member(server, pages, options)
    redis.stop()
    ask(server, itertools.repeat("/products/"), 2, crowd_at(server, options)[:1])
    for page, paths in pages.items():
        same = itertools.repeat(paths[0])
        tell("no redis", page, ask(server, same, few, crowd_at(server, options)))


def run_member(server, pages: Pages, options) -> None:
    """The same page again and again, and other cards each time."""
    few, cookie = options.requests // 10, session_of_a_member()
    for page in ("list", "detail"):
        same = itertools.repeat(pages[page][0])
        crowd = crowd_at(server, options, Cookie=cookie)
        ask(server, same, 5 * len(crowd), crowd)
        tell("member", page, ask(server, same, few, crowd))
    # "cold" has asked for the first lists.
    unseen = iter(pages["list"][few:])
    count = min(few, len(pages["list"]) - few)
    tell("new cards", "list", ask(server, unseen, count, crowd))


def run_off(server, pages: Pages, options) -> None:
    for page, paths in pages.items():
        crowd, same = crowd_at(server, options), itertools.repeat(paths[0])
        ask(server, same, 2 * len(crowd), crowd)
        tell("off", page, ask(server, same, options.requests // 10, crowd))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--products", type=int, default=20_000)
    parser.add_argument("--variants", type=int, default=1, help="of a product")
    parser.add_argument("--off", action="store_true", help="nothing but “off”")
    parser.add_argument("--requests", type=int, default=3000, help="of a warm page")
    parser.add_argument("--browsers", type=int, default=4, help="at once")
    options = parser.parse_args()
    import django

    django.setup()
    logging.disable(logging.WARNING)
    from tests.benchmarks.scratch import scratch_database
    from tests.support.servers import Daphne, Redis, collect_static

    with tempfile.TemporaryDirectory() as folder, scratch_database():
        place = Path(folder)
        environment = collect_static(place / "static") | {"LAYER_PREFIX": "bench"}
        redis = Redis(place)
        redis.start()
        pages = fill_the_shop(options.products, options.variants)
        age = {"CATALOGUE_MAX_AGE_S": "600"}
        off = Daphne(place, redis.url, **environment, CATALOGUE_MAX_AGE_S="0")
        on = Daphne(place, redis.url, **environment, **age)
        try:
            off.start()
            run_off(off, pages, options)
            off.stop()
            if not options.off:
                on.start()
                run(on, redis, pages, options)
        finally:
            off.stop()
            on.stop()
            redis.stop()


if __name__ == "__main__":
    main()
