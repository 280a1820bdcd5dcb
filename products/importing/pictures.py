"""The pictures that rows of Shopify's file name. They are downloaded only if asked."""

from typing import NamedTuple
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from products.fetching.models import URL_LENGTH
from products.importing.cells import shown
from products.importing.columns import Layout
from products.importing.problems import Problem
from products.models import ProductImage

ALT_LENGTH = ProductImage._meta.get_field("alt").max_length or 0
LAST_POSITION = 2**15 - 1  # the column's limit


class Picture(NamedTuple):
    """A picture of a product in the file."""

    line: int
    url: str
    alt: str = ""
    position: int | None = None


def picture_of(
    layout: Layout, line: int, fields: dict[str, str]
) -> tuple[Picture | None, list[Problem]]:
    """Return the picture that a row names, and warnings about it."""
    url = fields.get("picture", "")
    if not url:
        return None, []
    if not _is_address(url):
        text = _("This is not a web address: “%(text)s”. The picture is left out.")
        return None, [Problem(line, layout.name("picture"), text % shown(url))]
    warnings = []
    alt = " ".join(fields.get("picture alt", "").split())
    if len(alt) > ALT_LENGTH:
        text = _("This has %(length)d characters. It is cut after %(limit)d.")
        text %= {"length": len(alt), "limit": ALT_LENGTH}
        warnings.append(Problem(line, layout.name("picture alt"), text))
    position = fields.get("picture position", "")
    number = int(position) if position.isdecimal() and len(position) <= 5 else 0
    if position and not 1 <= number <= LAST_POSITION:
        text = _("This is not a position: “%(text)s”. The picture comes last.")
        warnings.append(
            Problem(line, layout.name("picture position"), text % shown(position))
        )
    is_position = 1 <= number <= LAST_POSITION
    return (
        Picture(line, url, alt[:ALT_LENGTH], number if is_position else None),
        warnings,
    )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    return is_web and len(url) <= URL_LENGTH and not any(map(str.isspace, url))
