"""Mails to staff about products that run out.

A periodic task looks for them, not the request that places an order. So shoppers don't
wait, and several orders cause one mail.
"""

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, IntegerField, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from products.models import BasketLine, Product, StockAlert, StockMovement
from products.stock import emails
from products.stock.models import today


@transaction.atomic
def warn_of_low_stock() -> int:
    """Mail staff the products that are low since the last mail; return how many.

    Units that a checkout holds count as left. A product is mentioned once after each
    delivery, and again when nothing is left, but at most once a day.
    """
    if not settings.STAFF_ALERTS["low"]:
        return 0
    products = [
        product
        for product in _low_products().order_by("pk")
        if _is_due(product) and _record_alert(product)
    ]
    if products:
        emails.low_stock([(product, product.left) for product in products])
    return len(products)


def _low_products() -> QuerySet[Product]:
    """Return active products that are low, with `left`, and not mentioned today."""
    lines = BasketLine.objects.filter(product=OuterRef("pk"), held__gt=0)
    held = lines.order_by().values("product").annotate(n=Sum("held")).values("n")
    on_hold = Coalesce(Subquery(held, output_field=IntegerField()), 0)
    left = F("stock__on_hand") - F("stock__reserved") + on_hold
    products = Product.objects.active().with_stock().annotate(left=left)
    mentioned = StockAlert.objects.filter(product=OuterRef("pk"), day=today())
    # A product that was never sold has not run out.
    sold = StockMovement.objects.filter(product=OuterRef("pk"), d_reserved__gt=0)
    low = products.filter(left__lte=settings.LOW_STOCK)
    return low.filter(Exists(sold)).exclude(Exists(mentioned))


def _is_due(product: Product) -> bool:
    """Return whether the last alert doesn't cover the present state of a product."""
    last = StockAlert.objects.filter(product=product).order_by("-day").first()
    if last is None:
        return True
    has_run_out = product.left == 0 and last.available > 0
    movements = StockMovement.objects.filter(product=product, version__gt=last.version)
    return has_run_out or movements.filter(d_on_hand__gt=0).exists()


def _record_alert(product: Product) -> bool:
    """Record today's alert; return False if another worker has recorded it already."""
    fields = {"available": product.left, "version": product.stock.version}
    _alert, is_new = StockAlert.objects.get_or_create(
        product=product, day=today(), defaults=fields
    )
    return is_new
