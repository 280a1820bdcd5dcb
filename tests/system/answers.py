"""What a shop answers to plain requests."""

import json
import re
import urllib.error
import urllib.request

from tests.support.page import Page
from tests.support.servers import Shop


def get(shop: Shop, path: str) -> tuple[int, dict, str]:
    """Ask for a page. Returns the status, whatever it is, the headers and the text."""
    request = urllib.request.Request(f"http://127.0.0.1:{shop.port}{path}")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read().decode()


def database_of(shop: Shop) -> str:
    """The state of its database, as `/readyz` says it."""
    return json.loads(get(shop, "/readyz")[2])["database"]


def page_at(shop: Shop) -> Page:
    """A page that was just opened: it says on which timeline it was made."""
    page = Page()
    html = get(shop, "/products/")[2]
    page.timeline = re.search(r'data-timeline="([0-9a-f]+)"', html)[1]
    return page


def metrics(shop: Shop) -> dict[str, float]:
    """Every sample of `/metrics`, by its name and labels."""
    lines = get(shop, "/metrics")[2].splitlines()
    samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in samples}
