"""Do the books agree? Every stock row against the sum of its movements."""

from typing import NamedTuple

from django.db.models import Count, F, Max, Q, Sum, Value
from django.db.models.functions import Coalesce

from products.models import Stock


class Drift(NamedTuple):
    """A stock row that its movements don't explain: (row, books) for each figure."""

    product_id: int
    on_hand: tuple[int, int]
    reserved: tuple[int, int]
    version: tuple[int, int]

    def __str__(self) -> str:
        figures = {name: getattr(self, name) for name in self._fields[1:]}
        told = [
            f"{name} is {row}, its movements say {logged}"
            for name, (row, logged) in figures.items()
            if row != logged
        ]
        return f"product {self.product_id}: " + "; ".join(
            told or ["its movements skip a version"]
        )


def reconcile() -> list[Drift]:
    """Every row whose on hand, reserved or version is not what its movements add up
    to; empty when the books agree. One query, one snapshot."""
    total = {
        name: Coalesce(Sum(f"product__movements__{name}"), Value(0))
        for name in ("d_on_hand", "d_reserved")
    }
    rows = Stock.objects.annotate(
        **total,
        logged=Count("product__movements"),
        newest=Coalesce(Max("product__movements__version"), Value(0)),
    ).exclude(
        Q(on_hand=F("d_on_hand"))
        & Q(reserved=F("d_reserved"))
        & Q(version=F("logged"))
        & Q(version=F("newest"))
    )
    return [
        Drift(
            row.pk,
            (row.on_hand, row.d_on_hand),
            (row.reserved, row.d_reserved),
            (row.version, row.logged),
        )
        for row in rows.order_by("pk")
    ]
