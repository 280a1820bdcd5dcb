"""Where the shop is: DOMAIN_NAME, which may have a path (https://example.com/shop)."""

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

HOST = r"[\w.-]+|\[[\da-f:.]+\]"
STEP = r"/(?!\.{1,2}(?:/|$))[\w.~-]+"  # of a path; browsers take "." and ".." out
ADDRESS = re.compile(
    rf"(https?://(?:{HOST})(?::\d+)?)((?:{STEP})*)", re.ASCII | re.IGNORECASE
)
HOW_TO_WRITE = (
    "DOMAIN_NAME must be the address of the shop: https://shop.example, or"
    " https://example.com/shop for a shop under a path of letters, digits, -, ., _"
    " and ~."
)


class SiteAddress(NamedTuple):
    """The parts of a shop's address."""

    origin: str  # scheme, host and port, as browsers write an Origin
    base_path: str  # begins and ends with a slash: "/" or "/shop/"

    @property
    def url(self) -> str:
        """The whole address, without a slash at its end."""
        return f"{self.origin}{self.base_path}".rstrip("/")


def parsed(text: str) -> SiteAddress:
    """The address in DOMAIN_NAME. Raises `ImproperlyConfigured` if it is none: every
    link in a mail would be wrong."""
    found = ADDRESS.fullmatch(text.strip().rstrip("/"))
    if found is None:
        raise ImproperlyConfigured(HOW_TO_WRITE)
    origin, path = found.groups()
    try:
        urlsplit(origin).port
    except ValueError:  # above 65535
        raise ImproperlyConfigured(HOW_TO_WRITE) from None
    return SiteAddress(origin.lower(), f"{path}/")
