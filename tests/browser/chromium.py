"""A Chromium that Playwright drives."""

from collections.abc import Iterator
from contextlib import contextmanager

from browser import find, find_shell
from playwright.sync_api import Browser, BrowserType, sync_playwright

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

# Playwright hides no tab: a page is told that it is hidden, before its scripts run
# ("true" or "false" is filled in) and later.
HIDABLE = """
    window.isAway = %s;
    Object.defineProperty(document, "hidden", { get: () => window.isAway });
    Object.defineProperty(document, "visibilityState", {
        get: () => (window.isAway ? "hidden" : "visible"),
    });
"""
TURN = """(isAway) => {
    window.isAway = isAway;
    document.dispatchEvent(new Event("visibilitychange"));
}"""


@contextmanager
def launched() -> Iterator[Browser]:
    """The Chromium of this machine, the quick one if it has it, with a profile of its
    own. Raises `AssertionError` where there is none."""
    with sync_playwright() as playwright:
        with launched_at(find_shell(), playwright.chromium) as chromium:
            yield chromium


@contextmanager
def launched_whole(chromium: BrowserType, **options) -> Iterator[Browser]:
    """The one with all that people have, where Playwright runs already; `options` are
    those of its `launch`."""
    with launched_at(find(), chromium, **options) as browser:
        yield browser


@contextmanager
def launched_at(
    path: str | None, chromium: BrowserType, **options
) -> Iterator[Browser]:
    assert path, "no Chromium: apt-get install chromium (or set CHROMIUM)"
    with chromium.launch(executable_path=path, args=ARGUMENTS, **options) as browser:
        yield browser
