"""Which orders can be packed: those whose goods are on hand.

Without preorders, all goods that are reserved are on hand. With them, units on hand go
to the orders that are packed first, then to those that were sold as in stock.
"""

from django.db.models import QuerySet, Sum

from products.models import BasketLine, Order, OrderLine, Stock
from products.orders import states
from products.orders.exceptions import GoodsNotHere

PACKED = states.SHIP.statuses  # until they are shipped


def check_goods(order: Order) -> None:
    """Raise `GoodsNotHere` if an order's goods are not on hand for it.

    It locks the stock of what is sold in advance, so that two orders cannot be packed
    with the same units. One query if nothing of the order is.
    """
    variants = order.lines.values("variant")
    stocks = Stock.objects.filter(pk__in=variants, backorder_limit__gt=0)
    rows = {row.pk: row for row in stocks.select_for_update().order_by("pk")}
    for line in order.lines.filter(variant__in=rows) if rows else ():
        if rows[line.variant_id].on_hand - _taken(line) < line.quantity:
            raise GoodsNotHere(order.number, line.name)


def _taken(line: OrderLine) -> int:
    """Return the units on hand that are for others than this line."""
    others = OrderLine.objects.filter(variant=line.variant_id).exclude(pk=line.pk)
    taken = _sum(others.filter(order__status__in=PACKED), "quantity")
    if line.ships_from:
        in_stock = others.filter(ships_from=None, order__status__in=states.UNPACKED)
        held = BasketLine.objects.filter(
            variant=line.variant_id, held__gt=0, ships_from=None
        )
        taken += _sum(in_stock, "quantity") + _sum(held, "held")
    return taken


def _sum(lines: QuerySet, column: str) -> int:
    return lines.aggregate(units=Sum(column))["units"] or 0
