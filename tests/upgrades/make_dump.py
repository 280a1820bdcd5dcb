"""Saves the database of a release, with data in it, for the tests of upgrades.

    python3 deploy/local/up.py --test exec python -m tests.upgrades.make_dump 0.1.0

Run it once for each release, on the commit that becomes it, and commit the file.
"""

import gzip
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.upgrades.databases import new_database, pg_dump

FOLDER = Path(__file__).parent


def main(release: str) -> None:
    with new_database(os.environ["DATABASE_URL"], "shop_release") as url:
        with TemporaryDirectory(prefix="shop-") as media:
            os.environ |= {"DATABASE_URL": url, "MEDIA_ROOT": media}
            for words in (["migrate", "-v0"], ["demo", "--accounts"]):
                subprocess.run([sys.executable, "manage.py", *words], check=True)
            fill()
            subprocess.run([sys.executable, "manage.py", "reconcile"], check=True)
        path = FOLDER / f"{release}.sql.gz"
        path.write_bytes(gzip.compress(pg_dump(url).encode(), mtime=0))
    print(f"Written: {path} ({path.stat().st_size // 1024} KB)")


def fill() -> None:
    """Add what the demo lacks, as people and staff do it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    sys.path.insert(0, "deploy/local")  # as for pytest
    import django
    from django.test.utils import setup_test_environment

    django.setup()
    setup_test_environment()
    from tests.upgrades import scenes

    scenes.play()


if __name__ == "__main__":
    main(sys.argv[1])
