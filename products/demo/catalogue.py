"""The catalogue of the demo shop, from `catalogue.json`.

`pictures/` has a picture of each item.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

PATH = Path(__file__).with_suffix(".json")


class Sold(NamedTuple):
    """A variant of an item. Its price is in euros, its weight in grams."""

    sku: str
    values: Sequence[str]  # one for each option
    price: str
    stock: int
    weight: int


class Item(NamedTuple):
    """A product. Its price is in euros; shape and palette name its picture.

    `views` has the alternative texts of more pictures, which are numbered from 2. An
    item with `options` is sold in `variants`. Their SKUs begin with that of the item;
    its price is that of the first one, and its stock is their sum. The palette and the
    views are those of the first colour; the others are palettes too.
    """

    name: str
    sku: str
    price: str
    stock: int
    shape: str
    palette: str
    description: str
    views: Sequence[str] = ()
    options: Sequence[str] = ()
    variants: Sequence[Sold] = ()

    @property
    def colours(self) -> dict[str, int]:
        """Its colours, each with the index of the first variant in it."""
        if "Colour" not in self.options:
            return {}
        option = list(self.options).index("Colour")
        colours: dict[str, int] = {}
        for index, variant in enumerate(self.variants):
            colours.setdefault(variant.values[option], index)
        return colours

    @property
    def sold(self) -> Sequence[Sold]:
        """What is sold of it: its variants, or the item itself."""
        return self.variants or (Sold(self.sku, (), self.price, self.stock, 0),)


class Shelf(NamedTuple):
    """A category and its items, the newest first."""

    name: str
    slug: str
    description: str
    items: tuple[Item, ...]


def read() -> tuple[Shelf, ...]:
    """Return the shelves of `catalogue.json`, in the order of the shop."""
    return tuple(
        Shelf(**shelf | {"items": tuple(_item(**item) for item in shelf["items"])})
        for shelf in json.loads(PATH.read_text(encoding="utf-8"))
    )


def _item(*, variants: Sequence[dict] = (), **fields) -> Item:
    return Item(**fields, variants=[Sold(**variant) for variant in variants])


SHELVES = read()
