"""Filters for the pages of staff."""

from datetime import UTC, datetime, timedelta

from django import template
from django.contrib.auth.models import AbstractUser
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from products.models import Order
from products.staff import columns, moves

register = template.Library()

# The next step for each status. `pending` is for orders that are paid on delivery.
NEXT = {"pending": "pack", "paid": "pack", "packed": "ship", "shipped": "deliver"}
LATE_S = 24 * 3600  # an order should be sent within a day


@register.filter
def age(moment: datetime, now: datetime) -> str:
    """Return how long ago a moment was, in the same words as board.js."""
    minutes = int((now - moment).total_seconds() // 60)
    if minutes < 1:
        return _("now")
    if minutes < 60:
        return _("%(count)s min") % {"count": minutes}
    if minutes < 48 * 60:
        return _("%(count)s h") % {"count": minutes // 60}
    return _("%(count)s d") % {"count": minutes // (24 * 60)}


@register.filter
def column(order: Order) -> str:
    """Return the column of the board that an order is in."""
    return columns.column_of(order)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@register.filter
def rank(order: Order) -> str:
    """Return a text by which the script sorts orders, the oldest first.

    It has microseconds, which browsers don't read from a time.
    """
    placed = (order.placed_at - EPOCH) // timedelta(microseconds=1)
    return f"{placed:017}-{order.pk:019}"


@register.filter
def card(order: Order, may_change: bool = True) -> SafeString:
    """Return an order's card on the board."""
    return moves.card(order, may_change=may_change)


@register.filter
def is_late(order: Order, now: datetime) -> bool:
    """Return whether an order should have been sent by now."""
    is_open = order.status in ("pending", "paid", "packed")
    return is_open and (now - order.placed_at).total_seconds() >= LATE_S


@register.filter
def next_step(order: Order) -> str:
    """Return the verb of the next step; "" if it waits for payment or is on hold."""
    if order.on_hold and order.status != "shipped":
        return ""
    if order.status == "pending" and order.is_prepaid:
        return ""
    if order.awaits_confirmation:
        return "confirm"
    return NEXT.get(order.status, "")


@register.filter
def can_cancel(order: Order) -> bool:
    """Return whether staff may cancel an order in its status."""
    return order.status in ("pending", "paid", "packed")


@register.filter
def who(user: AbstractUser | None) -> str:
    """Return a colleague's first name or user name."""
    return (user.first_name or user.get_username()) if user else ""


@register.filter
def more_than(items: list, shown: int) -> int:
    """Return how many items are not among the first `shown`."""
    return max(0, len(items) - shown)
