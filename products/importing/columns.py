"""The columns of a file: our own format, or that of Shopify's product export.

The names of the columns decide which of the two it is. Shopify changed the names in
2024, and we accept both.
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
OPTIONS = [f"option{n} {part}" for n in (1, 2, 3) for part in ("name", "value")]
SHOPIFY = {
    "handle": "handle",
    "url handle": "handle",
    "title": "name",
    "body (html)": "html",
    "body html": "html",
    "description": "html",
    "type": "category",
    "product category": "taxonomy",
    "published": "published",
    "published on online store": "published",
    "status": "status",
    **{name: name for name in OPTIONS},
    "variant sku": "sku",
    "sku": "sku",
    "variant grams": "weight",
    "weight value (grams)": "weight",
    "variant inventory qty": "stock",
    "inventory quantity": "stock",
    "variant price": "price",
    "price": "price",
    "variant taxable": "taxable",
    "charge tax": "taxable",
    "variant tax code": "tax_class",
    "tax code": "tax_class",
    "image src": "picture",
    "product image url": "picture",
    "image alt text": "picture alt",
    "variant image": "variant picture",
    "variant image url": "variant picture",
    "image position": "picture position",
    "variant active": "sold",  # not Shopify's, but our export has it
}
# Shopify's columns that say nothing: weights are in grams, whatever the unit.
SAY_NOTHING = {"variant weight unit", "weight unit for display"}
# Marks of encoding and direction. A file that was saved twice has one in a name.
INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff]")
# Names that every file of Shopify has, and no other.
ONLY_SHOPIFY = {
    *("title", "url handle", "body (html)", "body html"),
    *("variant sku", "variant price", "variant inventory qty", "inventory quantity"),
}


class Layout(NamedTuple):
    """The positions of the fields in a record, and their names in the file."""

    is_shopify: bool
    width: int  # cells of a record
    places: dict[str, int]  # field → position
    names: dict[str, str]  # field → name of the column in the file
    ignored: list[str]  # names of columns that are not imported

    def pick(self, cells: list[str]) -> dict[str, str]:
        """Return the cells of a record by field."""
        return {field: cells[place].strip() for field, place in self.places.items()}

    def name(self, field: str) -> str:
        """Return the name of the field's column in the file, for problems."""
        return self.names.get(field, field)


def count_known(cells: list[str]) -> int:
    """Return how many cells are names of columns."""
    return sum(_plain(cell) in SHOPIFY or _plain(cell) in OURS for cell in cells)


def layout_of(header: list[str]) -> Layout:
    """Return the layout of a header.

    Raises `Unreadable` if a column is missing, or if one is there twice.
    """
    plain = [_plain(cell) for cell in header]
    is_shopify = "name" not in plain and not ONLY_SHOPIFY.isdisjoint(plain)
    fields = SHOPIFY if is_shopify else OURS
    places: dict[str, int] = {}
    for place, name in enumerate(plain):
        field = fields.get(name)
        if field in places:
            raise Unreadable(
                _("The column “%(name)s” appears twice.")
                % {"name": header[place].strip()}
            )
        if field is not None:
            places[field] = place
    _check(is_shopify, places, header)
    used = set(places.values())
    ignored = []
    for place, cell in enumerate(header):
        if place not in used and cell.strip() and plain[place] not in SAY_NOTHING:
            ignored.append(cell.strip())
    names = {
        field: INVISIBLE.sub("", header[place]).strip()
        for field, place in places.items()
    }
    return Layout(is_shopify, len(header), places, names, ignored)


def _check(is_shopify: bool, places: dict[str, int], header: list[str]) -> None:
    needed = {"handle", "name"} if is_shopify else {"sku", "handle"}
    if needed & places.keys() and len(places) > 1:
        return
    first_line = ", ".join(cell.strip()[:40] for cell in header[:12])
    raise Unreadable(
        _(
            "Columns are missing. The file needs “Handle” and “Title” (Shopify), "
            "or “sku” and some of %(ours)s. The first line is: %(found)s"
        )
        % {"ours": ", ".join(OURS), "found": first_line}
    )


def _plain(cell: str) -> str:
    return " ".join(INVISIBLE.sub("", cell).replace("_", " ").casefold().split())
