"""The fixture `demo.json`: the same catalogue for `manage.py loaddata demo`."""

from pathlib import Path

from django.core import serializers

from products.demo import rows

PATH = Path(__file__).resolve().parents[1] / "fixtures" / "demo.json"


def text() -> str:
    """The fixture as it should be. It is for an empty database: keys count from 1."""
    shelves = {category.slug: category for category in rows.categories()}
    for key, category in enumerate(shelves.values(), start=1):
        category.pk = key
    products, stocks, movements = [], [], []
    for number, (shelf, item) in enumerate(rows.items()):
        product = rows.product(item, shelves[shelf.slug], number)
        product.pk = number + 1
        products.append(product)
        stocks.append(rows.stock(product, item.stock))
        if movement := rows.movement(product, item.stock):
            movement.pk = number + 1
            movements.append(movement)
    found = [*shelves.values(), *products, *stocks, *movements]
    return serializers.serialize("json", found, indent=1) + "\n"


def write() -> Path:
    """Write the fixture into the tree; where it is."""
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(text())
    return PATH
