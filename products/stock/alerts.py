"""Mails to staff about products that run out.

A periodic task looks for them, not the request that places an order. So shoppers don't
wait, and several orders cause one mail.
"""

from typing import TYPE_CHECKING, TypedDict

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, IntegerField, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Greatest

from products.models import BasketLine, StockAlert, StockMovement, Variant
from products.stock import emails
from products.stock.models import today

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    LowVariant = WithAnnotations[Variant, "Left"]


class Left(TypedDict):
    """What `_low_variants` adds to a variant."""

    left: int


@transaction.atomic
def warn_of_low_stock() -> int:
    """Mail staff the variants that are low since the last mail; return how many.

    Units that a checkout holds count as left. A variant is mentioned once after each
    delivery, and again when nothing is left, but at most once a day.
    """
    if not settings.STAFF_ALERTS["low"]:
        return 0
    variants = [
        variant
        for variant in _low_variants().order_by("pk")
        if _is_due(variant) and _record_alert(variant)
    ]
    if variants:
        emails.low_stock([(variant, variant.left) for variant in variants])
    return len(variants)


def _low_variants() -> "QuerySet[LowVariant]":
    """Return variants for sale that are low, with `left`, and not mentioned today."""
    lines = BasketLine.objects.filter(variant=OuterRef("pk"), held__gt=0)
    held = lines.order_by().values("variant").annotate(n=Sum("held")).values("n")
    on_hold = Coalesce(Subquery(held, output_field=IntegerField()), 0)
    left = Greatest(F("stock__on_hand") - F("stock__reserved") + on_hold, 0)
    variants = Variant.objects.for_sale().with_stock().annotate(left=left)
    mentioned = StockAlert.objects.filter(variant=OuterRef("pk"), day=today())
    # A variant that was never sold has not run out.
    sold = StockMovement.objects.filter(variant=OuterRef("pk"), d_reserved__gt=0)
    low = variants.filter(left__lte=settings.LOW_STOCK)
    return low.filter(Exists(sold)).exclude(Exists(mentioned))


def _is_due(variant: "LowVariant") -> bool:
    """Return whether the last alert doesn't cover the present state of a variant."""
    last = StockAlert.objects.filter(variant=variant).order_by("-day").first()
    if last is None:
        return True
    has_run_out = variant.left == 0 and last.available > 0
    movements = StockMovement.objects.filter(variant=variant, version__gt=last.version)
    return has_run_out or movements.filter(d_on_hand__gt=0).exists()


def _record_alert(variant: "LowVariant") -> bool:
    """Record today's alert; return False if another worker has recorded it already."""
    fields = {"available": variant.left, "version": variant.stock.version}
    _alert, is_new = StockAlert.objects.get_or_create(
        variant=variant, day=today(), defaults=fields
    )
    return is_new
