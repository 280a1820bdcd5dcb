"""Filters for the state of an order. `facts` is what `Order.facts` gives."""

from django import template
from django.utils import dateformat

from products.orders import states
from products.orders.machine import Hold, State
from products.orders.models import Order
from products.orders.on_hold import HOLDS, OnHold
from products.templatetags.shop import moment

register = template.Library()

NOT_HELD = Hold()


@register.filter
def state(facts: dict) -> State:
    """Return the state of the order with these facts."""
    return states.find(facts["status"], facts["method"], facts["expires_at"])


@register.filter
def hold(facts: dict) -> Hold:
    """Return what the shop says while the order is on hold."""
    return HOLDS.get(facts["on_hold"], NOT_HELD)


@register.filter
def sentence(facts: dict) -> str:
    """Return what the shopper reads about the order."""
    held = hold(facts)
    if held.text and (held.statuses is None or facts["status"] in held.statuses):
        return str(held.text)
    now = state(facts)
    if not facts["expires_at"]:
        return str(now.text_without_deadline or now.text)
    until = moment(facts["expires_at"])
    return now.text % {
        "time": dateformat.format(until, "H:i"),
        "zone": dateformat.format(until, "e"),
    }


@register.filter
def way(facts: dict) -> list[dict]:
    """Return the steps of an order as {"name", "state"}.

    The state is "done", "now" or "ahead". An order that was cancelled or has expired
    has two steps only.
    """
    values = facts["status"], facts["method"], facts["expires_at"]
    names = [step.step for step in states.way(*values)]
    here = names.index(states.find(*values).step)
    return [
        {"name": name, "state": "done" if n < here else "now" if n == here else "ahead"}
        for n, name in enumerate(names)
    ]


@register.filter
def summary(order: Order) -> str:
    """Return the state of an order in a few words for its shopper."""
    if order.on_hold and HOLDS[OnHold(order.on_hold)].is_summary:
        return order.get_on_hold_display().capitalize()
    return str(order.state.summary or order.state.step)
