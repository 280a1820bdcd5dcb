"""Filters for the status of an order."""

from django import template
from django.utils.translation import gettext as _

from products.orders.models import Order, Status

register = template.Library()

WAY = [Status.PENDING, Status.PAID, Status.PACKED, Status.SHIPPED, Status.DELIVERED]
ENDS = {Status.CANCELLED, Status.EXPIRED}


@register.filter
def way(order: dict) -> list[dict]:
    """Return the steps of an order as {"name", "state"}.

    `order` are the facts of an order. The state is "done", "now" or "ahead". An order
    that was cancelled or has expired has two steps only.
    """
    status, method = order["status"], order["method"]
    if status in ENDS:
        return [_step(_("Placed"), "done"), _step(_name(status), "now")]
    if method == "free" and status == Status.PAID:
        status = Status.PENDING  # nobody had to pay
    steps = list(WAY)
    if method in ("delivery", "free") and status != Status.PAID:
        steps.remove(Status.PAID)
    here = steps.index(status)
    states = ["done"] * here + ["now"] + ["ahead"] * (len(steps) - here - 1)
    return [
        _step(_name(step), state) for step, state in zip(steps, states, strict=True)
    ]


@register.filter
def standing(order: Order) -> str:
    """Return the status of an order in a few words for its shopper."""
    if order.on_hold in (Order.OnHold.DIFFERS, Order.OnHold.REFUNDED):
        return order.get_on_hold_display().capitalize()
    if order.status == Status.PENDING and order.is_prepaid:
        return _("Waiting for payment")
    if order.awaits_confirmation:
        return _("Waiting for your confirmation")
    return _name(order.status)


def _step(name: str, state: str) -> dict:
    return {"name": name, "state": state}


def _name(status: str) -> str:
    return {
        Status.PENDING: _("Placed"),
        Status.PAID: _("Paid"),
        Status.PACKED: _("Packed"),
        Status.SHIPPED: _("On its way"),
        Status.DELIVERED: _("Delivered"),
        Status.CANCELLED: _("Cancelled"),
        Status.EXPIRED: _("Expired"),
    }[status]
