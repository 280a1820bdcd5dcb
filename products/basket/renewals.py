"""Renews open baskets when something else changes what they cost.

Each gets its next version and is pushed, so pages that show it follow.
"""

from collections.abc import Collection, Iterable

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from products.live import push
from products.models import Basket, BasketLine, Discount

BATCH = 500  # baskets that one transaction writes


@transaction.atomic
def prices_changed(
    variant_ids: Collection[int], *, except_for: Iterable[Basket] = ()
) -> list[Basket]:
    """Give open baskets with one of these variants their next version; return them.

    Call it before the transaction locks stock, because baskets are locked first
    everywhere.
    """
    basket_ids = BasketLine.objects.filter(variant__in=variant_ids).values("basket")
    baskets = Basket.objects.open().filter(pk__in=basket_ids)
    return _next_versions(baskets.exclude(pk__in=[basket.pk for basket in except_for]))


def discount_changed(discount: Discount) -> None:
    """Give the open baskets that a discount may concern their next version: those with
    its code, or all with lines if it needs none."""
    baskets = _with_lines()
    if discount.code:
        baskets = Basket.objects.open().filter(discount=discount)
    _renew_in_batches(baskets)


def rules_changed() -> None:
    """Renew all open baskets with lines: taxes or prices of delivery have changed."""
    _renew_in_batches(_with_lines())


def _with_lines() -> QuerySet[Basket]:
    lines = BasketLine.objects.filter(basket=OuterRef("pk"))
    return Basket.objects.open().filter(Exists(lines))


def prices_changed_on_commit(
    variant_ids: Collection[int],
    *,
    except_for: Collection[Basket],
    robust: bool = False,
) -> None:
    """Call `prices_changed` after the commit, for all baskets but `except_for`.

    A basket that got a variant before our commit was pushed with the old price.
    `robust` is passed to Django's `on_commit`.
    """

    def push_other_baskets() -> None:
        prices_changed(variant_ids, except_for=except_for)

    transaction.on_commit(push_other_baskets, robust=robust)


@transaction.atomic
def vat_number_changed(user_id: int, vat_number: str) -> None:
    """Renew a user's open basket with this VAT number."""
    baskets = Basket.objects.open().filter(user=user_id, vat_number=vat_number)
    _next_versions(baskets)


def _renew_in_batches(baskets: QuerySet[Basket]) -> None:
    ids = list(baskets.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), BATCH):
        batch = Basket.objects.open().filter(pk__in=ids[start : start + BATCH])
        with transaction.atomic():
            _next_versions(batch)


def _next_versions(baskets: QuerySet[Basket]) -> list[Basket]:
    """Give open baskets their next version and push them; return them."""
    rows = list(baskets.select_for_update(of=["self"]).order_by("pk"))
    for basket in rows:
        basket.version += 1
        push.basket_changed(basket)
    Basket.objects.bulk_update(rows, ["version"], batch_size=1000)
    return rows
