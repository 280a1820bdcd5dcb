"""Writes products in the columns of Shopify's file, which an import reads again.

An import of what was exported changes nothing, as long as nobody else has. Texts are
guarded against formulas so that an import can undo it (`project.spreadsheets`).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import zip_longest
from typing import Any, NamedTuple

from django.core.files.storage import default_storage
from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from products.importing.shopify import NO_OPTION, NO_OPTION_NAME
from products.importing.texts import to_html
from products.models import Product, ProductImage, TaxClass, Variant
from products.variants.models import ORDER
from project.spreadsheets import PLAIN, Writer, reversible
from project.views import absolute

CHUNK = 200  # products in memory at once
OF_PRODUCT = ["Handle", "Title", "Body (HTML)", "Type", "Published"]
OF_OPTIONS = [f"Option{n} {part}" for n in (1, 2, 3) for part in ("Name", "Value")]
OF_VARIANT = [
    *("Variant SKU", "Variant Grams", "Variant Inventory Qty", "Variant Price"),
    "Variant Taxable",
]
OF_PICTURE = ["Image Src", "Image Position", "Image Alt Text"]
LAST = ["Variant Image", "Variant Weight Unit", "Variant Tax Code", "Variant Active"]
COLUMNS = [*OF_PRODUCT, *OF_OPTIONS, *OF_VARIANT, *OF_PICTURE, *LAST, "Status"]


class Page(NamedTuple):
    """A product's own values. Model instances would refer to each other in cycles."""

    id: int
    slug: str
    name: str
    description: str
    category__name: str
    is_active: bool
    option_names: list[str]
    tax_class_id: str


class Sold(NamedTuple):
    """A variant's values."""

    product_id: int
    sku: str
    option_values: list[str]
    weight: int
    on_hand: int
    base_price: Decimal
    is_active: bool
    picture: str


class Picture(NamedTuple):
    """A picture's values."""

    product_id: int
    file: str
    position: int
    alt: str


def rows(products: QuerySet[Product]) -> Iterator[str]:
    """Yield the text of the table, some hundred rows at a time."""
    writer = Writer(PLAIN, reversible)
    yield writer.head(COLUMNS)
    for chunk in _chunks(products):
        ids = [page.id for page in chunk]
        variants, pictures = _variants(ids), _pictures(ids)
        yield "".join(
            writer.row(row.get(name, "") for name in COLUMNS)
            for page in chunk
            for row in product_rows(page, variants[page.id], pictures[page.id])
        )


def _chunks(products: QuerySet[Product]) -> Iterator[list[Page]]:
    """Yield the products in short queries, each starting where the last one ended."""
    pages = products.order_by("pk").values_list(*Page._fields)
    last = 0
    while chunk := [Page(*row) for row in pages.filter(pk__gt=last)[:CHUNK]]:
        yield chunk
        last = chunk[-1].id


def _variants(ids: list[int]) -> dict[int, list[Sold]]:
    columns = dict(on_hand=Coalesce("stock__on_hand", 0))
    columns["base"] = Coalesce("full_price", "price")
    names = [name if name != "base_price" else "base" for name in Sold._fields]
    found = Variant.objects.filter(product__in=ids).annotate(**columns)
    return _by_product(Sold, found.order_by(*ORDER).values_list(*names))


def _pictures(ids: list[int]) -> dict[int, list[Picture]]:
    found = ProductImage.objects.filter(product__in=ids).order_by("position", "pk")
    return _by_product(Picture, found.values_list(*Picture._fields))


def _by_product(kind: Any, found: Iterable[tuple]) -> dict[int, list[Any]]:
    by_product = defaultdict(list)
    for values in found:
        by_product[values[0]].append(kind(*values))
    return by_product


# --- Rows -------------------------------------------------------------------------


def product_rows(
    page: Page, variants: list[Sold], pictures: list[Picture]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a product: a variant and a picture each, while there are."""
    own: dict[str, Any] = {
        "Title": page.name,
        "Body (HTML)": to_html(page.description),
        "Type": page.category__name,
        "Published": _flag(page.is_active),
        "Status": "active" if page.is_active else "draft",
    }
    names = page.option_names or [NO_OPTION_NAME]
    own |= {f"Option{n} Name": name for n, name in enumerate(names, start=1)}
    for variant, picture in zip_longest(variants, pictures):
        row = {"Handle": page.slug} | own
        if variant:
            row |= _variant_cells(variant, page)
        if picture:
            row |= _picture_cells(picture)
        yield row
        own = {}


def _variant_cells(variant: Sold, page: Page) -> dict[str, Any]:
    # An import removes the first apostrophe of a SKU, which Shopify adds to numbers.
    sku = f"'{variant.sku}" if variant.sku[:1] == "'" else variant.sku
    values = variant.option_values or [NO_OPTION]
    cells = {f"Option{n} Value": value for n, value in enumerate(values, start=1)}
    return cells | {
        "Variant SKU": sku,
        "Variant Grams": variant.weight,
        "Variant Inventory Qty": variant.on_hand,
        "Variant Price": variant.base_price,
        "Variant Taxable": _flag(page.tax_class_id != TaxClass.ZERO),
        "Variant Image": _address(variant.picture) if variant.picture else "",
        "Variant Weight Unit": "g",
        "Variant Tax Code": page.tax_class_id,
        "Variant Active": _flag(variant.is_active),
    }


def _picture_cells(picture: Picture) -> dict[str, Any]:
    return {
        "Image Src": _address(picture.file),
        "Image Position": picture.position,
        "Image Alt Text": picture.alt,
    }


def _address(file: str) -> str:
    return absolute(default_storage.url(file))


def _flag(value: bool) -> str:
    return "TRUE" if value else "FALSE"
