"""Which column of a file is what. Two formats are known, told apart by their names:

ours, and that of Shopify's product export, as it was until 2024 and as it is since.
"""

import re
from typing import NamedTuple

from django.utils.translation import gettext as _

from products.importing.problems import Unreadable

OURS = {
    "sku": "sku",
    "handle": "handle",
    "name": "name",
    "category": "category",
    "price": "price",
    "description": "description",
    "stock": "stock",
    "active": "active",
}
SHOPIFY = {
    "handle": "handle",
    "url handle": "handle",
    "title": "name",
    "body (html)": "description",
    "body html": "description",
    "description": "description",
    "type": "category",
    "product category": "taxonomy",
    "published": "published",
    "published on online store": "published",
    "status": "status",
    "option1 value": "option1",
    "option2 value": "option2",
    "option3 value": "option3",
    "variant sku": "sku",
    "sku": "sku",
    "variant inventory qty": "stock",
    "inventory quantity": "stock",
    "variant price": "price",
    "price": "price",
}
# Marks of encoding and direction: a file that was saved twice has one in a name.
UNSEEN = re.compile("[\u200b-\u200f\u2060\ufeff]")
# Names that only Shopify's files have, and need.
TELLING = {
    *("title", "url handle", "body (html)", "body html"),
    *("variant sku", "variant price", "variant inventory qty", "inventory quantity"),
}


class Layout(NamedTuple):
    """Where the fields are: their positions, and their names as the file has them."""

    is_shopify: bool
    width: int
    places: dict[str, int]
    names: dict[str, str]
    ignored: list[str]

    def pick(self, cells: list[str]) -> dict[str, str]:
        """The cells of a row by field."""
        return {field: cells[place].strip() for field, place in self.places.items()}

    def name(self, field: str) -> str:
        """The field's column as the file spells it, for problems."""
        return self.names.get(field, field)


def known(cells: list[str]) -> int:
    """How many cells are names of columns."""
    return sum(_plain(cell) in SHOPIFY or _plain(cell) in OURS for cell in cells)


def layout_of(header: list[str]) -> Layout:
    """Raises `Unreadable` when columns are missing, or one is there twice."""
    plain = [_plain(cell) for cell in header]
    is_shopify = "name" not in plain and bool(TELLING.intersection(plain))
    fields = SHOPIFY if is_shopify else OURS
    places: dict[str, int] = {}
    for place, name in enumerate(plain):
        field = fields.get(name)
        if field in places:
            raise Unreadable(
                _("Column “%(name)s” is there twice.") % {"name": header[place].strip()}
            )
        if field is not None:
            places[field] = place
    _check(is_shopify, places, header)
    used = set(places.values())
    ignored = [c.strip() for i, c in enumerate(header) if i not in used and c.strip()]
    names = {
        field: UNSEEN.sub("", header[place]).strip() for field, place in places.items()
    }
    return Layout(is_shopify, len(header), places, names, ignored)


def _check(is_shopify: bool, places: dict[str, int], header: list[str]) -> None:
    needed = {"handle", "name"} if is_shopify else {"sku", "handle"}
    if needed & places.keys() and len(places) > 1:
        return
    found = ", ".join(cell.strip()[:40] for cell in header[:12])
    raise Unreadable(
        _(
            "Columns are missing. Needed are “Handle” and “Title” (Shopify), or “sku”"
            " and some of %(ours)s. The first line says: %(found)s"
        )
        % {"ours": ", ".join(OURS), "found": found}
    )


def _plain(cell: str) -> str:
    return " ".join(UNSEEN.sub("", cell).replace("_", " ").casefold().split())
