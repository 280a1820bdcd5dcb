"""The catalogue of the demo shop, from `catalogue.json`.

`pictures/` has a picture of each item.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

PATH = Path(__file__).with_suffix(".json")


class Item(NamedTuple):
    """A product. Its price is in euros; shape and palette name its picture.

    `views` has the alternative texts of more pictures, which are numbered from 2.
    """

    name: str
    sku: str
    price: str
    stock: int
    shape: str
    palette: str
    description: str
    views: Sequence[str] = ()


class Shelf(NamedTuple):
    """A category and its items, the newest first."""

    name: str
    slug: str
    description: str
    items: tuple[Item, ...]


def read() -> tuple[Shelf, ...]:
    """Return the shelves of `catalogue.json`, in the order of the shop."""
    return tuple(
        Shelf(**shelf | {"items": tuple(Item(**item) for item in shelf["items"])})
        for shelf in json.loads(PATH.read_text(encoding="utf-8"))
    )


SHELVES = read()
