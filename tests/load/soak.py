"""`make soak`: a shop of its own, loaded for ten minutes, then judged.

    make soak ARGS="--sockets 2000 --duration 60 --html soak.html"

Starts a Redis and a Daphne, on a database that is made for it and removed afterwards,
and ends with the exit code of `manage.py loadtest`. Memory must be flat in the second
half: a megabyte a minute is allowed for what is cached. People shop all the time, which
changes stock too: it takes two minutes until each thread that makes pages has made all
of them, and a phase of four would be judged by its beginning.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "local")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

PRODUCTS, UNITS = 20, 100_000
FLAGS = ["--sockets", "500", "--duration", "600", "--seed", "6"]
FLAGS += ["--phases", "shopping,storm"]
EXPECTED = ["--expect", "gaps<1"]
FLAT = ["--expect", "memory_slope_kb_min<1024"]


def main(arguments: list[str]) -> int:
    """Gives the exit code."""
    import django

    django.setup()
    from django.test.utils import setup_databases, teardown_databases

    made = setup_databases(verbosity=0, interactive=False)
    try:
        return soak(arguments)
    finally:
        teardown_databases(made, verbosity=0)


def soak(arguments: list[str]) -> int:
    from tests.support.factories import make_category, make_product
    from tests.support.servers import Daphne, Redis, collect_static

    category = make_category()
    for _ in range(PRODUCTS):
        make_product(on_hand=UNITS, category=category)
    with tempfile.TemporaryDirectory(prefix="soak") as name:
        folder = Path(name)
        redis = Redis(folder)
        redis.start()
        daphne = Daphne(folder, redis.url, **collect_static(folder / "static"))
        try:
            daphne.start()
            return load(daphne, arguments)
        finally:
            daphne.stop()
            redis.stop()


def load(shop, arguments: list[str]) -> int:
    command = [sys.executable, "manage.py", "loadtest", "--url", shop.url]
    # Of a shorter run than ours nothing is known: the caches may still be filling.
    flat = [] if "--duration" in arguments else FLAT
    flags = [*FLAGS, *EXPECTED, *flat, *arguments]
    return subprocess.call([*command, *flags], cwd=ROOT, env=shop.environment())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
