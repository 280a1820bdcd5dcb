"""Where the time of one guest's order goes, page by page and by statement."""

import re
import time
from collections import Counter
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from django.db import connection
from django.test import Client

from products.models import Variant
from tests.benchmarks.crowds import ALL_STEPS, shelf
from tests.support.buyer import Buyer

STEPS = ("start", "enter", "review", "place")
MOST = 12


class Near(Buyer):
    """A guest whose requests Django answers in this process, without a server. One
    at a time: a browser of their own would load all middleware for each."""

    browser = Client(headers={"host": "localhost"})

    def __init__(self, lines: dict[Variant, int]) -> None:
        super().__init__(None, lines)
        self.browser.cookies = SimpleCookie(self.cookies)

    def _ask(self, method: str, path: str, fields: dict | None = None):
        form = urlencode(fields or {}), "application/x-www-form-urlencoded"
        answer = self.browser.generic(method, path, *form, secure=True)
        return answer.status_code, answer.content.decode()


class Spent:
    """Seconds and statements, added up; passes for an `execute_wrapper`."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.in_sql: Counter[str] = Counter()  # seconds, by kind of statement
        self.statements: Counter[str] = Counter()

    def __call__(self, execute, sql, params, many, context):
        begun = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            kind = kind_of(sql)
            self.in_sql[kind] += time.perf_counter() - begun
            self.statements[kind] += 1

    def __add__(self, other: "Spent") -> "Spent":
        both = Spent()
        both.seconds = self.seconds + other.seconds
        both.in_sql = self.in_sql + other.in_sql
        both.statements = self.statements + other.statements
        return both


def kind_of(sql: str) -> str:
    """Its verb and its table."""
    if sql.lstrip().startswith("WITH moved"):
        return "claim: UPDATE products_stock, INSERT products_stockmovement"
    verb, table = sql.split()[0], re.search(r'(?:FROM|INTO|UPDATE) "(\w+)"', sql)
    return f"{verb} {table[1]}" if table else verb


def go(variants: list[Variant], orders: int) -> dict[str, Spent]:
    """So many orders, one after the other; what each step has taken of all of them."""
    spent = {step: Spent() for step in STEPS}
    for variant in shelf(variants, orders):
        buyer = Near({variant: 1})
        for step, status in zip(STEPS, ALL_STEPS, strict=True):
            with connection.execute_wrapper(spent[step]):
                begun = time.perf_counter()
                got = getattr(buyer, step)()
            spent[step].seconds += time.perf_counter() - begun
            assert got == status, (step, got, buyer.body[:2000])
    return spent


def tell(variants: list[Variant], orders: int) -> None:
    """Do so, and print it as of one order."""
    go(variants, 3)  # warm
    spent = go(variants, orders)
    whole = sum(spent.values(), Spent())
    print("\nOne guest's order, page by page, without a server")
    for step, one in [*spent.items(), ("all", whole)]:
        print(
            f"  {step:6} {one.seconds / orders * 1e3:6.1f} ms"
            f"  {one.statements.total() / orders:5.1f} statements,"
            f" {one.in_sql.total() / one.seconds:.0%} of the time"
        )
    for kind, seconds in whole.in_sql.most_common(MOST):
        often = whole.statements[kind] / orders
        print(f"  {seconds / whole.seconds:6.1%}  {often:4.1f} ×  {kind}")
