"""What templates say of an order's way."""

from django import template
from django.utils.translation import gettext as _

from products.orders.models import Order, Status

register = template.Library()

WAY = [Status.PENDING, Status.PAID, Status.PACKED, Status.SHIPPED, Status.DELIVERED]
ENDS = {Status.CANCELLED, Status.EXPIRED}


@register.filter
def way(order: dict) -> list[dict]:
    """The steps of an order (`Order.facts`): {"name", "state"}, where state is "done",
    "now" or "ahead". Of one that ended early, only how it began and ended."""
    status, unpaid = order["status"], order["method"] in ("delivery", "free")
    if status in ENDS:
        return [_step(_("Placed"), "done"), _step(_name(status), "now")]
    if order["method"] == "free" and status == Status.PAID:
        status = Status.PENDING  # it was never waited for
    steps = [s for s in WAY if not (s == Status.PAID and unpaid and status != s)]
    here = steps.index(status)
    return [
        _step(_name(step), "done" if at < here else "now" if at == here else "ahead")
        for at, step in enumerate(steps)
    ]


@register.filter
def standing(order: Order) -> str:
    """Where an order is, in a word for its shopper."""
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
