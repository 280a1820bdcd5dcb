"""Do the books agree? Every stock row against its movements, and against who holds."""

from typing import NamedTuple

from django.db.models import (
    Count,
    F,
    IntegerField,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce

from products.models import BasketLine, OrderLine, Stock
from products.models.order import HOLDING


class Drift(NamedTuple):
    """A stock row that its movements or its holders don't explain: (row, books) for
    each figure; `held` is what is reserved against what baskets and orders hold."""

    product_id: int
    on_hand: tuple[int, int]
    reserved: tuple[int, int]
    version: tuple[int, int]
    held: tuple[int, int]

    def __str__(self) -> str:
        figures = {
            "on_hand": "its movements say",
            "reserved": "its movements say",
            "version": "its movements say",
            "held": "baskets and orders hold",
        }
        told = [
            f"{'reserved' if name == 'held' else name} is {row}, {says} {books}"
            for name, says in figures.items()
            for row, books in [getattr(self, name)]
            if row != books
        ]
        return f"product {self.product_id}: " + "; ".join(
            told or ["its movements skip a version"]
        )


def reconcile() -> list[Drift]:
    """Every row whose on hand, reserved or version is not what its movements add up
    to, or whose reserved units are not those that baskets and orders hold; empty when
    the books agree. One query, one snapshot."""
    moved = Stock.objects.filter(pk=OuterRef("pk")).order_by().values("pk")
    total = {
        name: Coalesce(Sum(f"product__movements__{name}"), Value(0))
        for name in ("d_on_hand", "d_reserved")
    }
    total["logged"] = Count("product__movements")
    total["newest"] = Coalesce(Max("product__movements__version"), Value(0))
    sums = {
        name: Subquery(moved.annotate(of=sum_).values("of"))
        for name, sum_ in total.items()
    }
    rows = Stock.objects.annotate(
        **sums, held=_baskets_hold() + _orders_hold()
    ).exclude(
        Q(on_hand=F("d_on_hand"))
        & Q(reserved=F("d_reserved"))
        & Q(reserved=F("held"))
        & Q(version=F("logged"))
        & Q(version=F("newest"))
    )
    return [
        Drift(
            row.pk,
            (row.on_hand, row.d_on_hand),
            (row.reserved, row.d_reserved),
            (row.version, row.logged),
            (row.reserved, row.held),
        )
        for row in rows.order_by("pk")
    ]


def _baskets_hold() -> Coalesce:
    return _units(BasketLine.objects.filter(held__gt=0), "held")


def _orders_hold() -> Coalesce:
    return _units(OrderLine.objects.filter(order__status__in=HOLDING), "quantity")


def _units(lines: QuerySet, column: str) -> Coalesce:
    of_this = lines.filter(product=OuterRef("pk")).order_by().values("product")
    found = of_this.annotate(units=Sum(column)).values("units")
    return Coalesce(Subquery(found, output_field=IntegerField()), Value(0))
