"""The demo's catalogue as unsaved rows, with more products for a big shop."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

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


def picture_of(item: Item) -> str:
    """Return the name of an item's picture in the storage. Items may share one."""
    return f"products/demo/{item.shape}-{item.palette}.webp".replace("_", "-")


def pictures_of(item: Item) -> list[str]:
    """Return the names of all pictures of an item, in order."""
    first = picture_of(item)
    base = first.removesuffix(".webp")
    more = range(2, len(item.views) + 2)
    return [first, *(f"{base}-{number}.webp" for number in more)]


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
        )
        for position, sold in enumerate(item.sold)
    ]


def images(row: Product, item: Item) -> list[ProductImage]:
    """Return the unsaved pictures of a product."""
    texts = ["", *item.views]  # without a text, a picture has the product's name
    return [
        ProductImage(product=row, file=name, alt=text, position=position)
        for position, (name, text) in enumerate(
            zip(pictures_of(item), texts, strict=True), start=1
        )
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
