"""Filters for the pages of staff."""

from datetime import UTC, datetime, timedelta

from django import template
from django.contrib.auth.models import AbstractUser
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from products.models import Order
from products.orders import states
from products.orders.machine import Actor, Move
from products.orders.on_hold import HOLDS, OnHold
from products.staff import columns, moves

register = template.Library()

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
    seconds = (now - order.placed_at).total_seconds()
    return order.state.column.gets_late and seconds >= LATE_S


@register.filter
def unpacked(counts: dict[str, int]) -> int:
    """Return how many orders wait for payment or packing. `counts` is by status."""
    return sum(counts.get(status, 0) for status in states.UNPACKED)


@register.filter
def moves_of(order: Order) -> list[Move]:
    """Return the moves that staff may make with the order now."""
    return states.offers(order, Actor.STAFF)


@register.filter
def note_on(move: Move, order: Order) -> str:
    """Return what staff should know before they make the move, or ""."""
    is_release = move is states.RELEASE
    return str(HOLDS[OnHold(order.on_hold)].release_note) if is_release else ""


@register.simple_tag
def keyboard_moves() -> list[Move]:
    """Return the moves that have a key on the board."""
    return [move for move in states.MOVES if move.key]


@register.filter
def who(user: AbstractUser | None) -> str:
    """Return a colleague's first name or user name."""
    return (user.first_name or user.get_username()) if user else ""


@register.filter
def more_than(items: list, shown: int) -> int:
    """Return how many items are not among the first `shown`."""
    return max(0, len(items) - shown)
