"""The pictures that rows of Shopify's file name. They are downloaded only if asked."""

from typing import NamedTuple
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from products.fetching.models import URL_LENGTH
from products.importing.cells import shown
from products.importing.columns import Layout
from products.importing.problems import Problem
from products.models import ProductImage
from project.spreadsheets import restored

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
    """Return the picture that a row adds to its product, and warnings about it."""
    picture, warnings = _address(layout, line, fields, "picture")
    if picture is None:
        return None, warnings
    alt = " ".join(restored(fields.get("picture alt", "")).split())
    if len(alt) > ALT_LENGTH:
        text = _("This has %(length)d characters. It is cut after %(limit)d.")
        text %= {"length": len(alt), "limit": ALT_LENGTH}
        warnings.append(Problem(line, layout.name("picture alt"), text))
    cell = fields.get("picture position", "")
    position = _position(cell)
    if cell and position is None:
        text = _("This is not a position: “%(text)s”. The picture comes last.")
        text %= shown(cell)
        warnings.append(Problem(line, layout.name("picture position"), text))
    return picture._replace(alt=alt[:ALT_LENGTH], position=position), warnings


def variant_picture_of(
    layout: Layout, line: int, fields: dict[str, str]
) -> tuple[Picture | None, list[Problem]]:
    """Return the picture that a variant shows first, and a warning about it."""
    return _address(layout, line, fields, "variant picture")


def _address(
    layout: Layout, line: int, fields: dict[str, str], name: str
) -> tuple[Picture | None, list[Problem]]:
    url = restored(fields.get(name, ""))
    if not url:
        return None, []
    if _is_address(url):
        return Picture(line, url), []
    text = _("This is not a web address: “%(text)s”. The picture is left out.")
    return None, [Problem(line, layout.name(name), text % shown(url))]


def _position(cell: str) -> int | None:
    if not cell.isdecimal() or len(cell) > 5:
        return None
    number = int(cell)
    return number if number <= LAST_POSITION else None


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    return is_web and len(url) <= URL_LENGTH and not any(map(str.isspace, url))
