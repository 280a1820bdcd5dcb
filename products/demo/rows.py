"""The catalogue as rows: of the demo shop, of a big one, and of the fixture."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.utils.text import slugify

from products.demo.catalogue import SHELVES, Item, Shelf
from products.models import Product, ProductCategory, Stock, StockMovement

OPENED = datetime(2026, 1, 5, 8, tzinfo=UTC)  # the fixture is the same every day
NOTE = "demo"
CATALOGUE_SIZE = sum(len(shelf.items) for shelf in SHELVES)

# A big shop sells the same shapes in more colours, made in more places.
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
    """The item's picture in the media storage. Items that look alike share one."""
    return f"products/demo/{item.shape}-{item.palette}.webp".replace("_", "-")


def categories() -> list[ProductCategory]:
    """One unsaved row a shelf, in the shop's order."""
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
    """Every item with its shelf: first of each shelf, second of each, and so on."""
    columns = itertools.zip_longest(*(shelf.items for shelf in SHELVES))
    for row in columns:
        yield from ((s, item) for s, item in zip(SHELVES, row, strict=True) if item)


def product(item: Item, category: ProductCategory, number: int) -> Product:
    """An unsaved row; `number` counts products, the first is the newest."""
    return Product(
        category=category,
        name=item.name,
        slug=slugify(item.name),
        sku=item.sku,
        description=item.description,
        price=Decimal(item.price),
        image=picture_of(item),
        created_at=OPENED - timedelta(hours=number),
    )


def more_items(count: int) -> Iterator[tuple[Shelf, Item]]:
    """`count` further items, made from the catalogue's: same shapes, other names."""
    bases = itertools.cycle(items())
    for number, (shelf, base) in enumerate(itertools.islice(bases, count)):
        round_ = number // CATALOGUE_SIZE
        tone = TONES[round_ % len(TONES)]
        maker = MAKERS[round_ // len(TONES) % len(MAKERS)]
        series = round_ // (len(TONES) * len(MAKERS))
        head, comma, tail = base.name.partition(",")
        name = f"{tone} {head} by {maker}{comma}{tail}"
        name += f" No. {series}" if series else ""
        yield shelf, base._replace(
            name=name,
            sku=f"{base.sku}-{number:06d}",
            price=f"{Decimal(base.price) * (80 + number % 41) / 100:.2f}",
            stock=0 if number % 13 == 7 else number * 37 % 240,
        )


def stock(row: Product, units: int) -> Stock:
    """The stock of a new product, in step with `movement`."""
    return Stock(product=row, on_hand=units, version=1 if units else 0)


def movement(row: Product, units: int) -> StockMovement | None:
    """How the units came in, so that the books agree; None if there are none."""
    if not units:
        return None
    return StockMovement(
        product=row,
        version=1,
        kind=StockMovement.Kind.RECEIVED,
        d_on_hand=units,
        note=NOTE,
        created_at=OPENED,
    )
