"""Lets baskets follow discounts at the second when they begin or end.

It works as `products.pricing.flips` does for sales. A basket that may have another
discount now gets its next version and is pushed; what it costs is calculated when it is
shown.
"""

from collections.abc import Iterable
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Q

from products.basket import renewals
from products.models import Discount
from products.pricing import clock
from products.pricing.exceptions import DiscountIsNotRunning, DiscountWasUsed
from products.sweeps import services as sweeps
from products.sweeps.models import is_due
from project.celery import later

COUNTED = Count("orders", filter=Q(orders__is_counted=True))


@shared_task
def follow_discounts() -> int:
    """Let baskets follow discounts; return how many discounts were settled.

    Call the task again when the next one begins or ends, if the sweep would be late.
    """
    settled = settle_all()
    pause = Discount.objects.all().seconds_to_next(clock.now())
    if pause is not None and pause < 2 * settings.HOLD_SWEEP_S:
        later(follow_discounts, countdown=max(pause, 0.01))
    return settled


def settle_all() -> int:
    """Push the baskets of discounts that began, ended or changed; return how many."""
    due = Discount.objects.unsettled(clock.now()).filter(is_due()).order_by("pk")
    return sweeps.each(due, settle)


def settle(discount: Discount) -> bool:
    """Push the baskets that a discount concerns. Return False if it was changed
    meanwhile."""
    began = clock.now()
    renewals.discount_changed(discount)
    unchanged = Discount.objects.filter(
        Q(uses_limit=None) | Q(uses=discount.uses),
        pk=discount.pk,
        version=discount.version,
    )
    return bool(unchanged.update(settled_at=began))


def follow_later() -> None:
    transaction.on_commit(lambda: later(follow_discounts), robust=True)


# --- Changes of discounts ---------------------------------------------------------


@transaction.atomic
def save_discount(discount: Discount) -> Discount:
    """Save a discount as staff entered it. Orders that use it meanwhile count on."""
    fields = [f.attname for f in Discount._meta.concrete_fields if f.editable]
    if discount.pk:
        Discount.objects.filter(pk=discount.pk).update(
            **{name: getattr(discount, name) for name in fields if name != "id"},
            version=F("version") + 1,
            settled_at=None,
        )
        discount.refresh_from_db()
    else:
        discount.save()
    follow_later()
    return discount


@transaction.atomic
def end_discount(discount: Discount) -> Discount:
    """End a running discount now. Raises `DiscountIsNotRunning`."""
    discount = Discount.objects.select_for_update().get(pk=discount.pk)
    now = clock.now()
    if not Discount.objects.running(now).filter(pk=discount.pk).exists():
        raise DiscountIsNotRunning(str(discount))
    discount.ends_at = max(now, discount.starts_at + timedelta(microseconds=1))
    return save_discount(discount)


@transaction.atomic
def delete_discounts(discounts: Iterable[Discount]) -> None:
    """Delete discounts that no order has. Raises `DiscountWasUsed` for others."""
    for discount in discounts:
        if discount.orders.exists():
            raise DiscountWasUsed(str(discount))
        renewals.discount_changed(discount)
        discount.delete()
