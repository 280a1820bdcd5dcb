"""Which column of the staff's board an order is in, and how many are in each."""

from collections import Counter

from django.db.models import Count, Q

from products.models import Order

Status = Order.Status
HOLD = "hold"
_WAITING = Q(status=Status.PENDING)
_CONFIRMED = Q(method=Order.Method.DELIVERY, expires_at=None)  # or need not be

# What each column holds; `column_of` says the same of one order.
HOLDS = {
    "pending": _WAITING & ~_CONFIRMED & Q(on_hold=""),
    "paid": (Q(status=Status.PAID) | (_WAITING & _CONFIRMED)) & Q(on_hold=""),
    "packed": Q(status=Status.PACKED, on_hold=""),
    "shipped": Q(status=Status.SHIPPED, on_hold=""),
    HOLD: ~Q(on_hold=""),
    "delivered": Q(status=Status.DELIVERED, on_hold=""),
    "cancelled": Q(status=Status.CANCELLED, on_hold=""),
    "expired": Q(status=Status.EXPIRED, on_hold=""),
}
IN_WORK = ("pending", "paid", "packed", "shipped", HOLD)
CARDS = 40  # that a board shows of a column beside others, the newest


def column_of(order: Order) -> str:
    is_confirmed = order.method == Order.Method.DELIVERY and order.expires_at is None
    return _column(order.status, order.on_hold, is_confirmed)


def _column(status: str, on_hold: str, is_confirmed: bool) -> str:
    if on_hold:
        return HOLD
    if status == Status.PENDING and is_confirmed:
        return "paid"
    return str(status)


def counted() -> list[list]:
    """The number of orders in work for each column, way to pay and handler, as
    [column, method, handler's key or None, number]: a board can add up those that its
    filters ask for."""
    in_work = Order.objects.active() | Order.objects.filter(HOLDS[HOLD])
    groups = in_work.annotate(is_confirmed=_CONFIRMED).values_list(
        "status", "on_hold", "is_confirmed", "method", "handler"
    )
    counts: Counter[tuple] = Counter()
    for status, hold, is_confirmed, *who, count in groups.annotate(
        Count("pk")
    ).order_by():
        counts[(_column(status, hold, is_confirmed), *who)] += count
    return [[*group, count] for group, count in counts.items()]
