"""Flips: prices change at the second when a sale begins or ends.

A task looks for sales that prices do not follow yet, and calls itself at the next
second when one begins or ends. A sweep calls it too, so a task that is lost costs a few
seconds. What a flip does depends on the rows alone: it can be run at any time, twice,
and by several workers at once.
"""

from collections.abc import Collection, Iterable
from copy import copy
from datetime import datetime, timedelta
from functools import partial

from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from products.basket import renewals
from products.catalogue import services as catalogue
from products.live import push
from products.models import MovementKind, Product, Sale, Stock, Variant
from products.pagecache import invalidation
from products.pricing import clock, sales
from products.pricing.exceptions import SaleHasBegun, SaleIsNotRunning
from products.stock import services as stock
from products.stock.services import Move
from products.sweeps import services as sweeps
from products.sweeps.models import is_due
from project.celery import later

BATCH = 500  # products that one transaction writes


@shared_task
def flip_prices() -> int:
    """Let prices follow the sales; return how many sales were settled.

    Call the task again when the next sale begins or ends, if the sweep would be late.
    """
    settled = settle_all()
    pause = seconds_to_next()
    if pause is not None and pause < 2 * settings.HOLD_SWEEP_S:
        later(flip_prices, countdown=max(pause, 0.01))
    return settled


def settle_all(at: datetime | None = None) -> int:
    """Let prices follow the sales that began, ended or changed; return how many."""
    due = Sale.objects.unsettled(at or clock.now()).filter(is_due()).order_by("pk")
    return sweeps.each(due, partial(settle, at=at))


def settle(sale: Sale, at: datetime | None = None) -> bool:
    """Let prices follow a sale. Return False if it was changed meanwhile."""
    began = at or clock.now()
    ids = _affected(sale)
    for start in range(0, len(ids), BATCH):
        reprice(ids[start : start + BATCH], at=at)
    unchanged = Sale.objects.filter(pk=sale.pk, version=sale.version)
    return bool(unchanged.update(settled_at=began))


def seconds_to_next() -> float | None:
    """Return how long it is until the next sale begins or ends; None without one."""
    return Sale.objects.all().seconds_to_next(clock.now())


def reprice(product_ids: Collection[int], *, at: datetime | None = None) -> None:
    """Bring the prices in force of products up to date. Products that are right
    already are not locked."""
    variants = Variant.objects.filter(product__in=product_ids)
    changes = _changes(variants.select_related("product"), at)
    if changes:
        _reprice({after.product_id for _before, after in changes}, at)


@transaction.atomic
def _reprice(product_ids: Collection[int], at: datetime | None) -> None:
    products = Product.objects.filter(pk__in=product_ids).order_by("pk")
    list(products.select_for_update(no_key=True))
    variants = Variant.objects.filter(product__in=product_ids).order_by("pk")
    changes = _changes(variants.select_related("product"), at)
    ids = [after.pk for _before, after in changes]
    # Lock baskets, then stock, as everywhere.
    baskets = renewals.prices_changed(ids)
    list(Stock.objects.select_for_update().filter(pk__in=ids).order_by("pk"))
    sales.write_prices([after for _before, after in changes])
    catalogue.summarise_all({after.product_id for _before, after in changes})
    moves = [Move(b.pk, 0, catalogue.offer_note(b, a)) for b, a in changes]
    for level in stock.move_all(MovementKind.OFFER, moves):
        push.stock_changed(**level._asdict())
    invalidation.products_changed(invalidation.places(product_ids))
    renewals.prices_changed_on_commit(ids, except_for=baskets)


def _changes(
    rows: Iterable[Variant], at: datetime | None
) -> list[tuple[Variant, Variant]]:
    """Return the variants whose prices are to change, as they are and will be."""
    before = {variant.pk: variant for variant in rows}
    after = [copy(variant) for variant in before.values()]
    sales.set_prices(after, before, at=at)
    pairs = [(before[variant.pk], variant) for variant in after]
    return [(was, now) for was, now in pairs if now.prices != was.prices]


def _affected(sale: Sale) -> list[int]:
    """Return the products that a sale may concern: its own and those of its
    variants, and all reduced ones.

    Some of those may have been its own before it was changed.
    """
    is_own = Q(pk__in=sale.products.all()) | Q(category__in=sale.categories.all())
    is_own |= Q(pk__in=sale.variants.values("product"))
    reduced = Variant.objects.exclude(full_price=None).values("product")
    products = Product.objects.filter(is_own | Q(pk__in=reduced)).order_by("pk")
    return list(products.values_list("pk", flat=True))


# --- Changes of sales -------------------------------------------------------------


@transaction.atomic
def save_sale(sale: Sale) -> Sale:
    """Save a sale. Its targets may be saved later in the same transaction: prices
    follow after the commit."""
    sale.version = F("version") + 1 if sale.pk else 1
    sale.settled_at = None
    sale.save()
    sale.refresh_from_db(fields=["version"])
    _flip_later()
    return sale


@transaction.atomic
def end_sale(sale: Sale) -> Sale:
    """End a running sale now. Raises `SaleIsNotRunning`."""
    sale = Sale.objects.select_for_update().get(pk=sale.pk)
    now = clock.now()
    if not Sale.objects.running(now).filter(pk=sale.pk).exists():
        raise SaleIsNotRunning(sale.name)
    sale.ends_at = max(now, sale.starts_at + timedelta(microseconds=1))
    return save_sale(sale)


@transaction.atomic
def delete_sales(sales_: Iterable[Sale]) -> None:
    """Delete sales that have not begun. Raises `SaleHasBegun` for others."""
    for sale in sales_:
        if sale.starts_at <= clock.now():
            raise SaleHasBegun(sale.name)
        sale.delete()
    # A reduction that it would have followed may end sooner now.
    Sale.objects.running(clock.now()).update(settled_at=None, version=F("version") + 1)
    _flip_later()


def _flip_later() -> None:
    transaction.on_commit(lambda: later(flip_prices), robust=True)
