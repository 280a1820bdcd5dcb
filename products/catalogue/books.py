"""Checks that products agree with their variants."""

from decimal import Decimal

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, Min, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact

from products.models import Product, Variant
from products.variants.models import ORDER

NO_PRICE = Value(Decimal(-1))  # NULL equals nothing


def drifts() -> list[str]:
    """Return a sentence for each product whose lowest price or SKUs are not those of
    its variants. One query."""
    variants = Variant.objects.filter(product=OuterRef("pk"))
    active = variants.filter(is_active=True).order_by().values("product")
    products = Product.objects.annotate(
        price_rows=Subquery(active.annotate(lowest=Min("price")).values("lowest")),
        sku_rows=ArraySubquery(variants.order_by(*ORDER).values("sku")),
    )
    prices = (Coalesce(F(name), NO_PRICE) for name in ("lowest_price", "price_rows"))
    agree = Q(Exact(*prices), skus=F("sku_rows"))
    names = ("pk", "lowest_price", "price_rows", "skus", "sku_rows")
    odd = products.exclude(agree).order_by("pk").values_list(*names)
    return [_describe(*row) for row in odd]


def _describe(
    pk: int,
    price: Decimal | None,
    price_rows: Decimal | None,
    skus: list[str],
    sku_rows: list[str],
) -> str:
    pairs = {
        "lowest_price": (price, price_rows),
        "skus": (", ".join(skus), ", ".join(sku_rows)),
    }
    differences = "; ".join(
        f"{name} is {stored}, its variants say {computed}"
        for name, (stored, computed) in pairs.items()
        if stored != computed
    )
    return f"product {pk}: {differences}"
