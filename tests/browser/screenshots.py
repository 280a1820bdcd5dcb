"""Photographs a running shop for the README.

    make run                         # in one terminal, with the demo catalogue
    PYTHONPATH=deploy/local .venv/bin/python -m tests.browser.screenshots

Writes those of `screenshots/{list,detail,basket}-{390,1280}.png`, beside this file,
that README.md shows. An argument is the shop's address.
"""

import re
import sys
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.chromium import launched

FOLDER = Path(__file__).parent / "screenshots"
README = Path(__file__).parents[2] / "README.md"
SIZES = [(390, 844), (1280, 860)]
ADD = "[data-buy]:enabled"


def shoot(page: Page, name: str) -> None:
    """What fits in the window, once every picture in it is there."""
    page.locator("html[data-live='up']").wait_for()
    page.wait_for_load_state("networkidle")
    path = FOLDER / f"{name}-{page.viewport_size['width']}.png"
    if path.name in shown_in_readme():
        page.screenshot(path=path, animations="disabled")


def shown_in_readme() -> list[str]:
    return re.findall(r"tests/browser/screenshots/([\w-]+\.png)", README.read_text())


def tour(page: Page) -> None:
    """Look at the list, put three things in, look at one and at the basket."""
    page.goto("/products/")
    for nth in (0, 2, 3):
        page.locator(ADD).nth(nth).click()
        count = page.locator(".basket-badge__count")
        count.filter(has_text=str((0, 2, 3).index(nth) + 1)).wait_for()
    page.goto("/products/?sort=new")
    shoot(page, "list")
    page.locator(".card__name a").first.click()
    shoot(page, "detail")
    page.goto("/basket/")
    shoot(page, "basket")


def main(address: str = "http://localhost:8000") -> None:
    FOLDER.mkdir(exist_ok=True)
    with launched() as chromium:
        for width, height in SIZES:
            page = chromium.new_page(
                base_url=address,
                viewport={"width": width, "height": height},
                color_scheme="light",
                reduced_motion="reduce",
            )
            tour(page)
            page.close()
    for path in sorted(FOLDER.glob("*.png")):
        print(f"{path.name}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main(*sys.argv[1:])
