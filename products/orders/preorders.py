"""Preorders: orders of units that were not on hand when they were placed.

A line of an order is a preorder if it has `ships_from`.
"""

from datetime import date

from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from products.basket import renewals
from products.models import Order, OrderLine, Variant
from products.orders import emails
from products.orders import services as orders
from products.orders import states
from products.pagecache import invalidation
from products.stock import backorders
from products.stock.services import Level


@transaction.atomic
def offer(
    variant_id: int,
    limit: int,
    ships_from: date | None,
    *,
    actor: AbstractUser | None = None,
) -> Level:
    """Let units be sold before they are here, as `backorders.set_limit` does.

    Orders that wait for the variant get the new day. Open pages and baskets follow.

    Raises `StockConflict`.
    """
    # Lock baskets, orders, then stock, as everywhere.
    baskets = renewals.prices_changed([variant_id])
    if limit and ships_from:
        _postpone(variant_id, ships_from, actor)
    level = backorders.set_limit(variant_id, limit, ships_from, actor=actor)
    products = Variant.objects.filter(pk=variant_id).values_list("product", flat=True)
    invalidation.products_changed(invalidation.places(products))
    renewals.prices_changed_on_commit([variant_id], except_for=baskets)
    return level


def _postpone(variant_id: int, day: date, actor: AbstractUser | None) -> None:
    """Give the unpacked preorders of a variant another day, and mail it to shoppers."""
    lines = OrderLine.objects.filter(
        variant=variant_id,
        ships_from__isnull=False,
        order__status__in=states.UNPACKED,
    ).exclude(ships_from=day)
    waiting = Order.objects.filter(pk__in=lines.values("order")).order_by("pk")
    rows = list(waiting.select_for_update(of=["self"]))
    lines.filter(order__in=rows).update(ships_from=day)
    text = _("The preorder ships from %(day)s now.")
    text = text % {"day": date_format(day, "DATE_FORMAT")}
    for order in rows:
        order = orders.note(order, actor=actor, note=text)
        orders.mailed(order, emails.order_postponed)
