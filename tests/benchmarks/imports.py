"""How long `import_products` takes for a big file: run it with

    deploy/local/up.py --test exec python tests/benchmarks/imports.py [ROWS]

The same file three times into an empty database: all new, nothing changed, every other
price and count changed; then the books are checked. Seconds, and CPU seconds of this
process; PostgreSQL's are not in them.
"""

import csv
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import django

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

HEADER = [
    *("Handle", "Title", "Body (HTML)", "Vendor", "Type", "Tags", "Published"),
    *("Option1 Name", "Option1 Value", "Variant SKU", "Variant Inventory Qty"),
    *("Variant Price", "Image Src", "Status"),
]
BODY = "<p>Brass, hand-made.</p><ul><li>warm light</li><li>two metres of cord</li></ul>"
COLOURS = ["Amber", "Birch", "Cobalt", "Dune"]


def write_file(path: Path, rows: int, *, changed: bool) -> None:
    """Products of four variants each, as Shopify exports them."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for n in range(rows):
            writer.writerow(_row(n, changed and n % 2 == 0))


def _row(n: int, changed: bool) -> list:
    product, variant = divmod(n, len(COLOURS))
    first = [f"Lamp № {product}", BODY * 3, "Bay Works", f"Shelf {product % 12}"]
    first += ["brass", "TRUE", "Colour"]
    rest = [COLOURS[variant], f"L-{n:06d}", n % 90 + changed, f"{n % 80 + changed}.50"]
    picture = f"https://cdn.example.com/{n}.jpg"
    if variant:
        return [f"lamp-{product}", *[""] * len(first), *rest, picture, ""]
    return [f"lamp-{product}", *first, *rest, picture, "active"]


def measure(path: Path, what: str) -> None:
    from products import importing

    before, cpu = time.perf_counter(), _cpu()
    with path.open("rb") as file:
        report = importing.run(file, importing.Options())
    seconds = time.perf_counter() - before
    print(
        f"{what:22} {seconds:6.1f} s  {_cpu() - cpu:6.1f} s CPU "
        f" {report.rows / seconds:7.0f} rows/s   {report.summary}"
    )
    assert not report.failed, report.problems[:3]


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    django.setup()
    from products.stock import books
    from tests.benchmarks.scratch import scratch_database

    with scratch_database(), tempfile.TemporaryDirectory() as folder:
        one, other = Path(folder, "one.csv"), Path(folder, "other.csv")
        write_file(one, rows, changed=False)
        write_file(other, rows, changed=True)
        measure(one, "all new")
        measure(one, "nothing changed")
        measure(other, "every other changed")
        print(f"most memory: {_memory():.0f} MB; drifts: {len(books.reconcile())}")


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
