"""Where the shop is: DOMAIN_NAME, which may have a path (https://example.com/shop)."""

import re
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

LABEL = r"(?!-)[\w-]{1,63}(?<!-)"  # between dots
HOST = rf"(?=[^/:]{{1,253}}(?![^/:])){LABEL}(?:\.{LABEL})*|\[[\da-f:.]+\]"
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
    match = ADDRESS.fullmatch(text.strip().rstrip("/"))
    if match is None:
        raise ImproperlyConfigured(HOW_TO_WRITE)
    origin, path = match.groups()
    try:
        parts = urlsplit(origin)
        is_right = parts.port != 0 and _is_host(parts.hostname or "")
    except ValueError:  # a port above 65535, or no IPv6 address
        is_right = False
    if not is_right:
        raise ImproperlyConfigured(HOW_TO_WRITE)
    return SiteAddress(origin.lower(), f"{path}/")


def _is_host(host: str) -> bool:
    """Numbers with dots are an IPv4 address or nothing. Raises `ValueError` for what
    was in brackets and is no IPv6 address."""
    if ":" in host or host.replace(".", "").isdigit():
        return ip_address(host) is not None
    return True
