"""The demo's catalogue as unsaved rows, with more products for a big shop."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.utils.text import slugify

from products.demo.catalogue import SHELVES, Item, Shelf
from products.models import (
    MovementKind,
    Product,
    ProductCategory,
    ProductImage,
    Stock,
    StockMovement,
    Variant,
)
from products.variants.models import summarise

OPENED = datetime(2026, 1, 5, 8, tzinfo=UTC)  # fixed, so that the fixture is stable
NOTE = "demo"
CATALOGUE_SIZE = sum(len(shelf.items) for shelf in SHELVES)

# A big shop sells the same items in more colours, by more makers.
TONES = (
    *("Amber", "Birch", "Chalk", "Cinder", "Clover", "Cobalt", "Dune", "Fern"),
    *("Flint", "Heather", "Indigo", "Juniper", "Kelp", "Lichen", "Marsh", "Ochre"),
    *("Pearl", "Quartz", "Russet", "Saffron", "Slate", "Thistle", "Umber", "Willow"),
)
MAKERS = (
    *("Alder & Sons", "Bay Works", "Cove Studio", "Dock Street", "East Pier"),
    *("Fjord House", "Gull Lane", "Hollow Mill", "Island Yard", "Jetty Row"),
)


class Drawn(NamedTuple):
    """A picture of an item: its name in the storage, its text, and which variant it
    shows (an index), if that matters."""

    name: str
    alt: str = ""  # empty for the product's name
    variant: int | None = None


def picture_of(item: Item) -> str:
    """Return the name of an item's picture in the storage. Items may share one."""
    return _name(item, item.palette)


def pictures_of(item: Item) -> list[Drawn]:
    """Return all pictures of an item, in order."""
    first = picture_of(item)
    base = first.removesuffix(".webp")
    whose = 0 if item.colours else None
    drawn = [Drawn(first, variant=whose)]
    for number, text in enumerate(item.views, start=2):
        drawn.append(Drawn(f"{base}-{number}.webp", text, whose))
    for colour, variant in list(item.colours.items())[1:]:
        name = _name(item, colour.lower())
        drawn.append(Drawn(name, f"{item.name}, {colour}", variant))
    return drawn


def _name(item: Item, palette: str) -> str:
    return f"products/demo/{item.shape}-{palette}.webp".replace("_", "-")


def categories() -> list[ProductCategory]:
    """Return an unsaved category for each shelf, in the order of the shop."""
    return [
        ProductCategory(
            name=shelf.name,
            slug=shelf.slug,
            description=shelf.description,
            position=position,
        )
        for position, shelf in enumerate(SHELVES, start=1)
    ]


def items() -> Iterator[tuple[Shelf, Item]]:
    """Yield each item with its shelf: the first of each, the second of each, …"""
    for row in itertools.zip_longest(*(shelf.items for shelf in SHELVES)):
        for shelf, item in zip(SHELVES, row, strict=True):
            if item:
                yield shelf, item


def product(item: Item, category: ProductCategory, number: int) -> Product:
    """Return an unsaved product. The product with `number` 0 is the newest."""
    product = Product(
        category=category,
        name=item.name,
        slug=slugify(item.name),
        description=item.description,
        option_names=list(item.options),
        image=picture_of(item),
        created_at=OPENED - timedelta(hours=number),
    )
    summarise(product, variants(item, product))
    return product


def variants(item: Item, product: Product) -> list[Variant]:
    """Return the unsaved variants of a product, in the order of `item.sold`."""
    return [
        Variant(
            product=product,
            sku=sold.sku,
            option_values=list(sold.values),
            price=Decimal(sold.price),
            weight=sold.weight,
            position=position,
            picture=_shown(item, position),
        )
        for position, sold in enumerate(item.sold)
    ]


def _shown(item: Item, variant: int) -> str:
    """Return the first picture that a variant shows; empty if all show the same."""
    first = {drawn.variant: drawn.name for drawn in reversed(pictures_of(item))}
    for colour, index in item.colours.items():
        if colour in item.variants[variant].values:
            return first[index]
    return ""


def images(row: Product, item: Item, variants: Sequence[Variant]) -> list[ProductImage]:
    """Return the unsaved pictures of a product with these variants."""
    return [
        ProductImage(
            product=row,
            variant=None if drawn.variant is None else variants[drawn.variant],
            file=drawn.name,
            alt=drawn.alt,
            position=position,
        )
        for position, drawn in enumerate(pictures_of(item), start=1)
    ]


def more_items(count: int) -> Iterator[tuple[Shelf, Item]]:
    """Yield `count` more items: those of the catalogue with other names and prices.

    Each has one variant.
    """
    bases = itertools.cycle(items())
    for number, (shelf, base) in enumerate(itertools.islice(bases, count)):
        copy = number // CATALOGUE_SIZE
        tone = TONES[copy % len(TONES)]
        maker = MAKERS[copy // len(TONES) % len(MAKERS)]
        series = copy // (len(TONES) * len(MAKERS))
        head, comma, tail = base.name.partition(",")
        name = f"{tone} {head} by {maker}{comma}{tail}"
        name += f" No. {series}" if series else ""
        yield shelf, base._replace(
            name=name,
            sku=f"{base.sku}-{number:06d}",
            price=f"{Decimal(base.price) * (80 + number % 41) / 100:.2f}",
            stock=0 if number % 13 == 7 else number * 37 % 240,
            options=(),
            variants=(),
        )


def stock(row: Variant, units: int) -> Stock:
    """Return the stock of a new variant, which agrees with its `movement`."""
    return Stock(variant=row, on_hand=units, version=1 if units else 0)


def movement(row: Variant, units: int) -> StockMovement | None:
    """Return the movement by which the units came in; None if there are no units."""
    if not units:
        return None
    return StockMovement(
        variant=row,
        version=1,
        kind=MovementKind.RECEIVED,
        d_on_hand=units,
        note=NOTE,
        created_at=OPENED,
    )
