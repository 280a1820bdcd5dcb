"""Moves orders from state to state. If two people try at once, one of them wins.

`products.orders.states` lists the moves. Locks are taken in the order order → stock by
variant.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _

from products.exceptions import MailRefused
from products.live import push
from products.models import Order, OrderEvent
from products.orders import emails, packing, states
from products.orders.exceptions import OrderOnHold, StatusConflict
from products.orders.machine import Actor, Move, OnHoldRule, Units
from products.orders.on_hold import HOLDS
from products.pricing import uses
from products.stock import services as stock
from products.sweeps import services as sweeps

Method = Order.Method
ALWAYS = Q()
SWEEP = 500
# What the stock does when a move changes where the units are.
UNIT_CHANGES = {
    (Units.RESERVED, Units.SENT): stock.ship,
    (Units.RESERVED, Units.RETURNED): stock.release,
    (Units.RETURNED, Units.RESERVED): stock.claim_again,
}
# What becomes of the use of the order's discount then.
USE_CHANGES = {
    (Units.RESERVED, Units.RETURNED): uses.give_back,
    (Units.RETURNED, Units.RESERVED): uses.take_again,
}


def deadline_of(method: str, user_id: int | None) -> datetime | None:
    """Return when an order must be paid or confirmed, or None if it need not be."""
    minutes = settings.PAYMENT_MINUTES
    if method in (Method.DELIVERY, Method.FREE):
        is_guests = method == Method.DELIVERY and not user_id
        if not is_guests or not settings.GUEST_CONFIRM_MINUTES:
            return None
        minutes = settings.GUEST_CONFIRM_MINUTES
    return timezone.now() + timedelta(minutes=minutes)


def pay(order: Order, *, actor: AbstractUser | None = None, note: str = "") -> Order:
    """Mark an order as paid. Raises `StatusConflict`."""
    return advance(order, states.PAY, actor=actor, note=note)


def pay_on_delivery(order: Order, *, actor: AbstractUser | None = None) -> Order:
    """Let the shopper pay when the parcel arrives.

    Raises `StatusConflict` unless the order waits for its payment.
    """
    deadline = deadline_of(Method.DELIVERY, order.user_id)
    fields = {"method": Method.DELIVERY, "expires_at": deadline}
    note = _("Changed to payment on delivery.")
    return advance(order, states.SWITCH, actor=actor, note=note, fields=fields)


def to_confirm(token: str) -> Order | None:
    """Return the order that a guest's link confirms, or None if the link is wrong."""
    return emails.order_to_confirm(token)


@transaction.atomic
def confirm(order: Order, *, actor: AbstractUser | None = None) -> Order:
    """Confirm a guest's order, so that it can be packed.

    The guest followed the link in their mail, claimed the order for their account or
    spoke with staff. Raises `StatusConflict` unless the order waits for confirmation.
    """
    now = timezone.now()
    fields = {"expires_at": None, "confirmed_at": now}
    note = _("Confirmed.") if actor else _("Confirmed with the link in the email.")
    order = advance(
        *(order, states.CONFIRM),
        condition=Q(expires_at__gt=now),
        actor=actor,
        note=note,
        fields=fields,
    )
    return mailed(order, emails.order_came_in)  # staff were not told before


def revive(order: Order, *, note: str = "") -> Order:
    """Reopen an order that was paid after it had expired, and reserve its units again.

    Raises `StatusConflict` and `NotEnoughStock`. Then nothing has changed.
    """
    return advance(order, states.REVIVE, note=note)


def pack(order: Order, *, actor: AbstractUser, note: str = "") -> Order:
    """Mark an order as packed.

    Raises `StatusConflict`, `OrderOnHold`, and `GoodsNotHere` for a preorder whose
    goods are not on hand. Then nothing has changed.
    """
    return advance(order, states.PACK, actor=actor, note=note)


def ship(order: Order, *, actor: AbstractUser, note: str = "") -> Order:
    """Mark an order as shipped, and take its units out of the stock.

    Raises `StatusConflict`, `OrderOnHold`.
    """
    return advance(order, states.SHIP, actor=actor, note=note)


def deliver(
    order: Order, *, actor: AbstractUser | None = None, note: str = ""
) -> Order:
    """Mark an order as delivered. Raises `StatusConflict`."""
    return advance(order, states.DELIVER, actor=actor, note=note)


def cancel(order: Order, *, actor: AbstractUser | None = None, note: str = "") -> Order:
    """Cancel an order and release its units. Raises `StatusConflict`."""
    return advance(order, states.CANCEL, actor=actor, note=note)


def cancel_by_shopper(order: Order, *, actor: AbstractUser | None = None) -> Order:
    """Cancel an order that is not packed yet. Raises `StatusConflict`."""
    return advance(order, states.CANCEL_BY_SHOPPER, actor=actor)


@transaction.atomic
def advance(
    order: Order,
    move: Move,
    *,
    condition: Q = ALWAYS,
    actor: AbstractUser | None = None,
    note: str = "",
    fields: dict[str, Any] | None = None,
) -> Order:
    """Make a move, change the stock and send the mail. Return the order as it is now.

    One `UPDATE` decides which of two attempts wins. `condition` must be true besides
    the move's own condition; `fields` change besides the status.

    Raises `StatusConflict` and `OrderOnHold`, `NotEnoughStock` if units must be
    reserved again, and `GoodsNotHere` if they must be packed and are not on hand.
    """
    changes = {
        "status": move.to,
        "version": F("version") + 1,
        "changed_at": timezone.now(),
    }
    if move.targets[0].is_over:
        changes["on_hold"] = _still_on_hold()
    if actor is not None and actor.is_staff:
        changes["handler"] = actor
    rows = Order.objects.filter(move.condition, condition, pk=order.pk)
    if not rows.update(**changes | (fields or {})):
        raise _conflict(order, move)
    order = Order.objects.get(pk=order.pk)
    if move is states.PACK:
        packing.check_goods(order)
    log_event(order, actor=actor, note=note)
    order = mailed(order)
    _move_units(order, move)
    if change := USE_CHANGES.get(move.units):
        change(order)
    return order


def _still_on_hold() -> Case:
    """Return on_hold for an order that ends: "" unless staff must still act."""
    reasons = [reason for reason, hold in HOLDS.items() if hold.ends_with_order]
    return Case(When(on_hold__in=reasons, then=Value("")), default=F("on_hold"))


def _move_units(order: Order, move: Move) -> None:
    change = UNIT_CHANGES.get(move.units)
    if change is not None:
        units = dict(order.lines.values_list("variant_id", "quantity"))
        levels = change(units, note=f"order {order.number}")
        if change is stock.claim_again:
            _promise(order, levels)


def _promise(order: Order, levels: Iterable[stock.Level]) -> None:
    """Note which lines are preorders now, after their units were reserved again."""
    for level in levels:
        lines = order.lines.filter(variant=level.variant_id)
        lines.update(ships_from=level.promised)


@transaction.atomic
def note(
    order: Order,
    *,
    actor: AbstractUser | None = None,
    note: str,
    on_hold: str | None = None,
) -> Order:
    """Add a note to the order's history; the order keeps its status.

    `on_hold` puts the order on hold for that reason; "" releases it.
    """
    fields = {} if on_hold is None else {"on_hold": on_hold}
    Order.objects.filter(pk=order.pk).update(version=F("version") + 1, **fields)
    order = Order.objects.get(pk=order.pk)
    log_event(order, actor=actor, note=note)
    return order


@transaction.atomic
def adopt(order: Order, user: AbstractUser) -> bool:
    """Add a guest's order to an account. Return False if it has an account already.

    The link in the guest's mail still works. The caller has checked that the order's
    address is the account's and verified. So an order that waits for confirmation is
    confirmed.
    """
    guests = Order.objects.filter(pk=order.pk, user=None, departed_at=None)
    if not guests.update(user=user, version=F("version") + 1):
        return False
    order = Order.objects.get(pk=order.pk)
    log_event(order, actor=user, note=_("Added to the shopper’s account."))
    if order.awaits_confirmation:
        with suppress(StatusConflict):  # it has expired
            confirm(order, actor=user)
    return True


def expire_overdue() -> int:
    """Expire orders that were not paid or confirmed in time. Return how many.

    Several of these may run at once.
    """
    return sweeps.one_by_one(_overdue, _expire, at_most=SWEEP)


def _overdue() -> QuerySet[Order]:
    return Order.objects.overdue().order_by("expires_at")


def _expire(order: Order) -> None:
    advance(order, states.EXPIRE)


def mailed(order: Order, tell: Callable[[Order], None] = emails.order_moved) -> Order:
    """Send a mail about the order with `tell`. Return the order as it is now.

    If the mail is refused, the order stays valid, and a note tells staff.
    """
    try:
        tell(order)
    except MailRefused as refusal:
        text = _("An email was not sent. %(reason)s")
        if tell is emails.order_moved:
            text = _("The shopper was not emailed. %(reason)s")
        return note(order, note=text % {"reason": refusal})
    return order


def _conflict(order: Order, move: Move) -> StatusConflict | OrderOnHold:
    """Return why the order cannot make the move. Only staff see who was first."""
    now = Order.objects.get(pk=order.pk)
    is_staffs = Actor.STAFF in move.by
    if now.on_hold and is_staffs and move.on_hold is OnHoldRule.REFUSED:
        return OrderOnHold(now.number, now.get_on_hold_display())
    who = _who_moved(now) if is_staffs else ""
    return StatusConflict(now.number, now.label, who)


def _who_moved(order: Order) -> str:
    """Return the name of the person who brought the order to its status, or ""."""
    events = order.events.filter(status=order.status).select_related("actor")
    move = events.order_by("version").first()  # later ones are notes
    return move.actor.get_username() if move and move.actor else ""


def log_event(
    order: Order, *, actor: AbstractUser | None = None, note: str = ""
) -> None:
    OrderEvent.objects.create(
        order=order,
        version=order.version,
        status=order.status,
        actor_id=actor.pk if actor else None,
        note=note,
    )
    push.order_changed(order)
