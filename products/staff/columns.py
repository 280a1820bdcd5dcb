"""Tells which column of the board an order is in, and counts each column."""

from django.db.models import Case, Count, Q, Value, When

from products.models import Order
from products.orders import states
from products.orders.machine import any_of

CARDS = 40  # the newest ones of a column that is shown beside others
IN_WORK = tuple(column.key for column in states.COLUMNS if column.is_work)


def _condition(column: states.Column) -> Q:
    if column is states.HOLD_COLUMN:
        return ~Q(on_hold="")
    return any_of(s for s in states.STATES if s.column is column) & Q(on_hold="")


# The condition for each column's orders; `column_of` says the same for one order.
CONDITIONS = {column.key: _condition(column) for column in states.COLUMNS}


def column_of(order: Order) -> str:
    """Return the key of the column that the order is in."""
    return (states.HOLD_COLUMN if order.on_hold else order.state.column).key


def counted() -> list[list]:
    """Return how many orders are in work for each column, way to pay and handler, as
    [column, method, handler's key or None, number]. A board adds up those that its
    filters ask for."""
    held = CONDITIONS[states.HOLD_COLUMN.key]
    in_work = Order.objects.active() | Order.objects.filter(held)
    cases = [When(CONDITIONS[key], then=Value(key)) for key in CONDITIONS]
    groups = in_work.annotate(column=Case(*cases)).values_list(
        "column", "method", "handler"
    )
    return [list(group) for group in groups.annotate(Count("pk")).order_by()]
