"""Counts the orders that have a discount.

Discounts are locked last, after baskets, orders and stock.
"""

from collections.abc import Iterable

from django.db import connection, transaction

from products.models import Discount, DiscountUse, Order
from products.pricing import discount_flips, discounts
from products.pricing.exceptions import CodeUsedBefore

# One UPDATE decides who gets the last use. If the discount is used up then, baskets
# with it must follow. Whoever changes a discount gives it another version.
GUARD = "AND (uses_limit IS NULL OR uses < uses_limit)"
TAKE = """
UPDATE products_discount
SET uses = uses + 1,
    settled_at = CASE WHEN uses + 1 = uses_limit THEN NULL ELSE settled_at END
WHERE id = %s AND version = %s AND starts_at <= clock_timestamp()
    AND (ends_at IS NULL OR ends_at > clock_timestamp()) {guard}
RETURNING uses_each, settled_at
"""
CHANGE = """
UPDATE products_discount
SET uses = uses + %s,
    settled_at = CASE WHEN uses_limit IS NULL THEN settled_at END
WHERE id = %s
"""


@transaction.atomic
def take(order: Order, used: Iterable[Discount], person: str) -> bool:
    """Use discounts for an order. Return False if one does not hold any more.

    They are locked in the order of their keys. Raises `CodeUsedBefore` if the person
    has used one as often as one may.
    """
    in_order = sorted(used, key=lambda discount: discount.pk)
    return all(_take(order, discount, person) for discount in in_order)


def _take(order: Order, discount: Discount, person: str) -> bool:
    with connection.cursor() as cursor:
        sql = TAKE.format(guard=GUARD)
        cursor.execute(sql, [discount.pk, discount.version])
        row = cursor.fetchone()
    if row is None:
        return False
    uses_each, settled_at = row
    # The UPDATE has locked the discount, so nobody else counts now.
    if uses_each is not None and discounts.used_by(discount, person) >= uses_each:
        raise CodeUsedBefore(discount.code)
    DiscountUse.objects.create(
        discount=discount,
        order=order,
        person=person,
        percent=discount.percent,
        amount=discount.amount,
    )
    if settled_at is None:
        discount_flips.follow_later()
    return True


@transaction.atomic
def give_back(order: Order) -> None:
    """Stop counting the discounts of an order, because the order is over."""
    _count(order, False)


@transaction.atomic
def take_again(order: Order) -> None:
    """Count the discounts of an order that was reopened, even above the limit: the
    order was paid."""
    _count(order, True)


def _count(order: Order, is_counted: bool) -> None:
    uses = DiscountUse.objects.filter(order=order, is_counted=not is_counted)
    for pk, discount_id in uses.order_by("discount").values_list("pk", "discount"):
        if not uses.filter(pk=pk).update(is_counted=is_counted):
            continue  # another transaction has done it
        with connection.cursor() as cursor:
            cursor.execute(CHANGE, [1 if is_counted else -1, discount_id])
        discount_flips.follow_later()
