"""What an open page receives, in a real browser: frames and bytes.

    deploy/local/up.py --test exec python tests/benchmarks/phone.py

Four pages are open for a minute, each in a browser context of its own: an empty basket,
and a list of 20 products with 8 changes a second, each once seen and once hidden (from
5 s before, so that the page has noticed). At the end the hidden list is shown: how long
until it says what the database holds?

Bytes are those of the frames' texts, and 2–4 more for each frame's head; an hour is 60
times the minute, but a hidden page has no socket after its first ten. The file runs on
older commits, too, copied into a worktree of its own with `tests/browser/chromium.py`.
"""

import argparse
import itertools
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

PLACE = Path(__file__).resolve().parent
ROOT = PLACE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "local")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright has a loop here

from playwright.sync_api import Browser, Page  # noqa: E402

from tests.browser.chromium import HIDABLE, TURN, launched  # noqa: E402

LIST = 20
BEFORE_S = 5
TIME_TO_SHOW = """async ([topic, text]) => {
    const begun = performance.now();
    window.isAway = false;
    document.dispatchEvent(new Event("visibilitychange"));
    const root = () => document.querySelector(`[data-topic="${topic}"]`);
    while (!root().textContent.includes(text)) {
        await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return performance.now() - begun;
}"""


class Tab:
    """An open page, and what its socket has brought."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.frames = self.bytes = 0
        self.page: Page = browser.new_context().new_page()
        self.page.add_init_script(HIDABLE % "false")
        self.page.on("websocket", lambda s: s.on("framereceived", self._hear))
        self.page.goto(address)
        self.page.locator('html[data-live="up"]').wait_for(state="attached")

    def _hear(self, text: str) -> None:
        size = len(text.encode())
        self.frames += 1
        self.bytes += size + (2 if size < 126 else 4)


def sell(page: Page, variants: list[int], rate: float, seconds: float) -> None:
    """Change one product after the other; the pages' events come in meanwhile."""
    from products.stock import services as stock

    begun = time.monotonic()
    for number, variant in enumerate(itertools.cycle(variants)):
        wait = begun + number / rate - time.monotonic()
        page.wait_for_timeout(1000 * max(0.001, wait))
        if time.monotonic() > begun + seconds:
            return
        stock.receive(variant, 1)


def measure(browser: Browser, server, variants: list[int], options) -> None:
    from products.models import Stock

    addresses = {"idle page": "/basket/", "busy list": "/products/"}
    tabs = {
        (what, is_hidden): Tab(browser, server.url + address)
        for what, address in addresses.items()
        for is_hidden in (False, True)
    }
    for (_, is_hidden), tab in tabs.items():
        if is_hidden:
            tab.page.evaluate(TURN, True)
    some = tabs["busy list", False].page
    sell(some, variants, options.rate, BEFORE_S)
    before = {name: (tab.frames, tab.bytes) for name, tab in tabs.items()}
    sell(some, variants, options.rate, options.seconds)
    for (what, is_hidden), tab in tabs.items():
        frames, size = before[what, is_hidden]
        frames, size = tab.frames - frames, tab.bytes - size
        hourly = size * 3600 / options.seconds
        print(
            f"{what}, {'hidden' if is_hidden else 'seen':6}: {frames:5} frames,"
            f" {size / 1000:8.1f} KB in {options.seconds:.0f} s,"
            f" {hourly / 1e6:6.3f} MB an hour",
            flush=True,
        )
    some.wait_for_timeout(500)  # the last sale is told
    left = Stock.objects.get(pk=variants[0]).available
    expected = [f"stock:{variants[0]}", f"{left} in stock"]
    took = tabs["busy list", True].page.evaluate(TIME_TO_SHOW, expected)
    print(f"the hidden list is right {took:.0f} ms after it is shown", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=8, help="changes a second")
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    from tests.support.servers import Daphne, collect_static

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ |= collect_static(place / "static") | {"LAYER_PREFIX": "bench"}
        import django

        django.setup()
        logging.disable(logging.WARNING)
        from django.conf import settings

        from tests.benchmarks.scratch import scratch_database

        with scratch_database() as make_variants:
            variants = make_variants(LIST)
            server = Daphne(place, settings.REDIS_URL)
            server.start()
            try:
                with launched() as browser:
                    measure(browser, server, variants, options)
            finally:
                server.stop()


if __name__ == "__main__":
    main()
