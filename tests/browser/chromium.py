"""A Chromium that Playwright drives."""

from collections.abc import Iterator
from contextlib import contextmanager

from browser import find
from playwright.sync_api import Browser, BrowserType, sync_playwright

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@contextmanager
def launched(**options) -> Iterator[Browser]:
    """The Chromium of this machine with a profile of its own; `options` are those of
    Playwright's `launch`. Raises `AssertionError` where there is none."""
    with sync_playwright() as playwright:
        with launched_by(playwright.chromium, **options) as chromium:
            yield chromium


@contextmanager
def launched_by(chromium: BrowserType, **options) -> Iterator[Browser]:
    """The same, where Playwright runs already."""
    path = find()
    assert path, "no Chromium: apt-get install chromium (or set CHROMIUM)"
    with chromium.launch(executable_path=path, args=ARGUMENTS, **options) as browser:
        yield browser
