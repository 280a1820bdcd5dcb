"""The shop of one checkout, for `orders.py --against`. Not run by hand.

It runs in the folder of the checkout, which may be an old one, and prints a line of
JSON when its shop is served on a database of its own. It is given a number on stdin,
goes through that many orders and pages without a server, prints what they have taken,
and ends.
"""

import contextlib
import importlib
import itertools
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path.cwd()
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "local")]
sys.path.append(str(Path(__file__).parent))  # for `guests`
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
UNITS = 100_000


def any_of(*names: str) -> Any:
    """The first module that there is: they have moved over time."""
    for name in names:
        with contextlib.suppress(ModuleNotFoundError):
            return importlib.import_module(name)
    raise ModuleNotFoundError(" ".join(names))


def fill(make: Any) -> list[int]:
    """Make a hundred products with many units, and all that orders may cost; the keys
    by which one adds them to a basket."""
    stock = any_of("products.stock.services", "products.services.stock")
    goods = make(100)
    for pk in goods:
        stock.receive(pk, UNITS)
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module("products.shipping.services").load_defaults()
    return goods


class Near:
    """Answers a guest's requests in this process; counts statements of each step."""

    def __init__(self) -> None:
        from django.test import Client

        self.browser = Client(headers={"host": "localhost"})

    def __call__(
        self, method: str, path: str, form: str, headers: dict[str, str]
    ) -> tuple[int, list[str], str]:
        names = {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in headers.items()}
        self.browser.cookies.clear()
        answer = self.browser.generic(
            method, path, form, "application/x-www-form-urlencoded", **names
        )
        cookies = [m.OutputString() for m in answer.cookies.values()]
        return answer.status_code, cookies, answer.content.decode()


def measure(goods: list[int], orders: int, names: dict[str, str]) -> dict[str, Any]:
    """For each step, milliseconds and statements of an order, by kind."""
    from django.db import connection
    from guests import STEPS, Guest

    near, figures = Near(), {step: {"ms": 0.0, "sql": {}} for step in STEPS}
    for number, pk in zip(range(orders + 3), itertools.cycle(goods)):
        guest = Guest(near, pk, names)
        for step in STEPS:
            kinds = figures[step]["sql"]

            def count(execute, sql, params, many, context, kinds=kinds):
                kind = kind_of(sql)
                kinds[kind] = kinds.get(kind, 0) + 1
                return execute(sql, params, many, context)

            begun = time.process_time()
            with connection.execute_wrapper(count):
                guest.take(step)
            figures[step]["ms"] += (time.process_time() - begun) * 1e3
        if number == 2:  # until now it was warming up
            figures = {step: {"ms": 0.0, "sql": {}} for step in STEPS}
    for step in figures.values():
        step["ms"] /= orders
        step["sql"] = {kind: n / orders for kind, n in step["sql"].items()}
    return figures


PAGES = {
    "list": "/products/",
    "product": "/products/{slug}/",
    "basket": "/basket/",
    "profile": "/users/profile/",
    "orders": "/orders/",
    "board": "/staff/orders/",
    "admin list": "/admin/products/product/",
}


def measure_pages(goods: list[int], times: int) -> dict[str, tuple[float, float]]:
    """For each page of somebody who is signed in: milliseconds and statements."""
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from products.models import Product

    fields = {"email": "root@example.com", "password": "a-long-one-4711"}
    user = get_user_model().objects.create_superuser(username="root", **fields)
    browser = Client(headers={"host": "localhost"})
    browser.force_login(user)
    for pk in goods[:5]:
        browser.post(f"/basket/add/{pk}/", {"quantity": "1"})
    slug, told = Product.objects.order_by("pk")[0].slug, {}
    for name, path in PAGES.items():
        address = path.format(slug=slug)
        for _number in range(3):  # warm
            answer = browser.get(address)
            assert answer.status_code == 200, (address, answer.status_code)
        begun = time.process_time()
        for _number in range(times):
            browser.get(address)
        ms = (time.process_time() - begun) * 1e3 / times
        with CaptureQueriesContext(connection) as queries:
            browser.get(address)
        told[name] = (ms, len(queries))
    return told


def kind_of(sql: str) -> str:
    """Its verb and its table."""
    import re

    if sql.lstrip().startswith("WITH moved"):
        return "claim"
    table = re.search(r'(?:FROM|INTO|UPDATE)\s+"?(\w+)"?', sql)
    return f"{sql.split()[0]} {table[1]}" if table else " ".join(sql.split())[:60]


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Any]:
    from django.conf import settings

    shop = any_of("tests.support.servers", "tests.servers").Daphne(
        folder, settings.REDIS_URL
    )
    shop.start()
    try:
        yield shop
    finally:
        shop.stop()


def backend() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def main() -> None:
    servers = any_of("tests.support.servers", "tests.servers")
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= servers.collect_static(Path(folder) / "static")
        import django

        django.setup()
        logging.disable(logging.WARNING)
        from django.conf import settings

        books = any_of("products.stock.books", "products.services.books")
        from realtime.publish import flush
        from tests.benchmarks.cpu import parent_of
        from tests.benchmarks.scratch import scratch_database

        names = {"csrf": settings.CSRF_COOKIE_NAME}
        postgres = parent_of(backend())
        with scratch_database() as make:
            goods = fill(make)
            with serving(Path(folder)) as shop:
                facts = {"port": shop.port, "pid": shop.pid, "goods": goods, **names}
                facts |= {"postgres": postgres}
                print(json.dumps(facts), flush=True)
                orders = int(sys.stdin.readline() or 0)
            if orders:
                print(json.dumps(measure(goods, orders, names)), flush=True)
                print(json.dumps(measure_pages(goods, orders)), flush=True)
            assert books.reconcile() == []
            flush()


if __name__ == "__main__":
    main()
