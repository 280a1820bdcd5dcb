"""The fixture `demo.json`, which is the catalogue for `manage.py loaddata demo`."""

from collections import Counter
from pathlib import Path

from django.core import serializers
from django.db.models import Model

from products.demo import rows
from products.models import ProductImage, Variant
from products.shipping import defaults

COUNTRY = "DE"  # of the shop
PATH = Path(__file__).resolve().parents[1] / "fixtures" / "demo.json"


def text() -> str:
    """Return the text of the fixture. Its keys begin at 1, for an empty database."""
    shelves = {category.slug: category for category in rows.categories()}
    for key, category in enumerate(shelves.values(), start=1):
        category.pk = key
    products, stocks, movements = [], [], []
    variants: list[Variant] = []
    images: list[ProductImage] = []
    for number, (shelf, item) in enumerate(rows.items()):
        product = rows.product(item, shelves[shelf.slug], number)
        product.pk = number + 1
        products.append(product)
        own = rows.variants(item, product)
        for variant, sold in zip(own, item.sold, strict=True):
            variant.pk = len(variants) + 1
            variants.append(variant)
            stocks.append(rows.stock(variant, sold.stock))
            if movement := rows.movement(variant, sold.stock):
                movement.pk = variant.pk
                movements.append(movement)
        for image in rows.images(product, item, own):
            image.pk = len(images) + 1
            images.append(image)
    shipping = _numbered(defaults.rows(COUNTRY))
    objects = [*shelves.values(), *products, *variants, *images]
    objects += [*stocks, *movements, *shipping]
    return serializers.serialize("json", objects, indent=1) + "\n"


def _numbered(objects: list[Model]) -> list[Model]:
    """Give each row a key, and its references those of the rows before it."""
    last: Counter[type[Model]] = Counter()
    for row in objects:
        last[type(row)] += 1
        row.pk = last[type(row)]
        for field in row._meta.concrete_fields:
            if field.is_relation:
                setattr(row, field.name, getattr(row, field.name))
    return objects


def write() -> Path:
    """Write the fixture into the repository; return its path."""
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(text())
    return PATH
