"""What an audit costs: the comparison of all versions that a process watches.

    deploy/local/up.py --test exec python tests/benchmarks/audits.py

- `array`: as the hub does it, with one array a kind;
- `list`: as Django writes `__in`, with a parameter for each key;
- `mark`: what it would cost to ask only for what has changed since the last audit, by
  the transactions that wrote the rows. The hub does not.

CPU is of this process, and of PostgreSQL's that answers it. Pauses are the clock's.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "local")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

SINCE_THE_MARK = """
SELECT variant_id, version FROM products_stock
WHERE age(xmin) <= age(pg_snapshot_xmin(pg_current_snapshot())::xid)
"""


def measure(name: str, work: Callable[[], object], times: int) -> None:
    from tests.benchmarks.cpu import cpu_of
    from tests.benchmarks.fleet import backend

    pid = backend()
    work()
    own, theirs, begun = time.process_time(), cpu_of(pid), time.monotonic()
    for _ in range(times):
        work()
    own, theirs = time.process_time() - own, cpu_of(pid) - theirs
    print(
        f"{name:8} {own / times * 1e3:6.2f} ms CPU of the process,"
        f" {theirs / times * 1e3:6.2f} of PostgreSQL,"
        f" {(time.monotonic() - begun) / times * 1e3:6.2f} until it is over",
        flush=True,
    )


def on_scratch(options) -> None:
    from django.db import connection

    from products.live.registry import registry
    from products.models import Stock
    from tests.benchmarks.fleet import sign_in
    from tests.support.factories import make_variants
    from users.models import User

    variants = [variant.pk for variant in make_variants(options.products)]
    sign_in(options.people, variants[0])
    keys = [f"stock:{pk}" for pk in variants]
    keys += [f"basket:u{pk}" for pk in User.objects.values_list("pk", flat=True)]

    def mark() -> None:
        with connection.cursor() as cursor:
            cursor.execute(SINCE_THE_MARK)
            cursor.fetchall()

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    rows = Stock.objects.filter(pk__in=variants).values_list("pk", "version")
    measure("array", lambda: registry.versions(keys), options.times)
    measure("list", lambda: dict(rows.all()), options.times)
    measure("mark", mark, options.times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--products", type=int, default=10_000)
    parser.add_argument("--people", type=int, default=833)
    parser.add_argument("--times", type=int, default=20)
    options = parser.parse_args()

    import django

    django.setup()
    from tests.benchmarks.scratch import scratch_database

    with scratch_database():
        on_scratch(options)


if __name__ == "__main__":
    main()
