"""The fixture `demo.json`, which is the catalogue for `manage.py loaddata demo`."""

from pathlib import Path

from django.core import serializers

from products.demo import rows
from products.models import ProductImage

PATH = Path(__file__).resolve().parents[1] / "fixtures" / "demo.json"


def text() -> str:
    """Return the text of the fixture. Its keys begin at 1, for an empty database."""
    shelves = {category.slug: category for category in rows.categories()}
    for key, category in enumerate(shelves.values(), start=1):
        category.pk = key
    products, stocks, movements = [], [], []
    images: list[ProductImage] = []
    for number, (shelf, item) in enumerate(rows.items()):
        product = rows.product(item, shelves[shelf.slug], number)
        product.pk = number + 1
        products.append(product)
        for image in rows.images(product, item):
            image.pk = len(images) + 1
            images.append(image)
        stocks.append(rows.stock(product, item.stock))
        if movement := rows.movement(product, item.stock):
            movement.pk = number + 1
            movements.append(movement)
    objects = [*shelves.values(), *products, *images, *stocks, *movements]
    return serializers.serialize("json", objects, indent=1) + "\n"


def write() -> Path:
    """Write the fixture into the repository; return its path."""
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(text())
    return PATH
