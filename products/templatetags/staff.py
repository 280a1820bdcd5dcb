"""Filters of the staff's pages."""

from datetime import UTC, datetime, timedelta

from django import template
from django.contrib.auth.models import AbstractUser
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from products.models import Order
from products.staff import columns, moves

register = template.Library()

# The one next step of an order in a status; `pending` is for those paid on delivery.
NEXT = {"pending": "pack", "paid": "pack", "packed": "ship", "shipped": "deliver"}
LATE_S = 24 * 3600  # an order that nobody has sent in a day


@register.filter
def age(moment: datetime, now: datetime) -> str:
    """How long ago, short; board.js says it in the same words."""
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
    return columns.column_of(order)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@register.filter
def rank(order: Order) -> str:
    """A text that sorts as the board does, oldest first; to the microsecond, which
    browsers do not read from a time."""
    placed = (order.placed_at - EPOCH) // timedelta(microseconds=1)
    return f"{placed:017}-{order.pk:019}"


@register.filter
def card(order: Order, may_change: bool = True) -> SafeString:
    """Its card as the script takes it, rendered once for all."""
    return moves.card(order, may_change=may_change)


@register.filter
def is_late(order: Order, now: datetime) -> bool:
    """Whether it should have left the house by now."""
    waits = order.status in ("pending", "paid", "packed")
    return waits and (now - order.placed_at).total_seconds() >= LATE_S


@register.filter
def next_step(order: Order) -> str:
    """The verb that moves it on; none while it waits for its payment, or is on hold."""
    if order.on_hold and order.status != "shipped":
        return ""
    if order.status == "pending" and order.is_prepaid:
        return ""
    if order.awaits_confirmation:
        return "confirm"
    return NEXT.get(order.status, "")


@register.filter
def can_cancel(order: Order) -> bool:
    return order.status in ("pending", "paid", "packed")


@register.filter
def who(user: AbstractUser | None) -> str:
    """How colleagues call somebody."""
    return (user.first_name or user.get_username()) if user else ""


@register.filter
def more_than(items: list, shown: int) -> int:
    """How many of them are not among the first so many."""
    return max(0, len(items) - shown)
