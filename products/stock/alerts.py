"""Staff hear by mail of what runs out.

Looked for by the beat, not while an order is placed: shoppers do not wait for it, and
what several orders did together is one mail.
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
    """Write to staff which products have run low or out since the last mail; how many.

    Units that a checkout only holds count as there. A product is told once after each
    delivery of goods, and again when nothing is left; at most once a day.
    """
    if not settings.STAFF_ALERTS["low"]:
        return 0
    due = [product for product in _low().order_by("pk") if _is_news(product)]
    told = [(p, p.left) for p in due if _note(p)]
    if told:
        emails.low_stock(told)
    return len(told)


def _low() -> QuerySet[Product]:
    """What is sold and low, with `left`."""
    lines = BasketLine.objects.filter(product=OuterRef("pk"), held__gt=0)
    held = lines.order_by().values("product").annotate(n=Sum("held")).values("n")
    on_hold = Coalesce(Subquery(held, output_field=IntegerField()), 0)
    left = F("stock__on_hand") - F("stock__reserved") + on_hold
    products = Product.objects.active().with_stock().annotate(left=left)
    told = StockAlert.objects.filter(product=OuterRef("pk"), day=today())
    # What never was sold has not run out.
    sold = StockMovement.objects.filter(product=OuterRef("pk"), d_reserved__gt=0)
    low = products.filter(left__lte=settings.LOW_STOCK)
    return low.filter(Exists(sold)).exclude(Exists(told))


def _is_news(product: Product) -> bool:
    last = StockAlert.objects.filter(product=product).order_by("-day").first()
    if last is None or product.left == 0 < last.available:
        return True
    came = StockMovement.objects.filter(product=product, version__gt=last.version)
    return came.filter(d_on_hand__gt=0).exists()


def _note(product: Product) -> bool:
    """Whether nobody has told it today."""
    fields = {"available": product.left, "version": product.stock.version}
    return StockAlert.objects.get_or_create(
        product=product, day=today(), defaults=fields
    )[1]
