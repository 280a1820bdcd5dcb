"""Moves orders from state to state. Of two people who try at once, one wins.

    pending ─pay→ paid ─pack→ packed ─ship→ shipped ─deliver→ delivered
       └─timeout→ expired ─revive→ paid     pending | paid | packed ─cancel→ cancelled

What is paid on delivery is packed without having been paid; what costs nothing is
paid as soon as it is placed. Locks are taken in the order order → stock by product.
"""

from collections.abc import Callable
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
from products.orders import emails
from products.orders.exceptions import OrderOnHold, StatusConflict
from products.stock import services as stock
from products.sweeps import services as sweeps

Status, Method, OnHold = Order.Status, Order.Method, Order.OnHold
SWEEP = 500


def deadline_of(method: str, user_id: int | None) -> datetime | None:
    """Until when it must be paid, or confirmed by its guest, before it is packed."""
    minutes = settings.PAYMENT_MINUTES
    if method in (Method.DELIVERY, Method.FREE):
        is_guests = method == Method.DELIVERY and not user_id
        if not is_guests or not settings.GUEST_CONFIRM_MINUTES:
            return None
        minutes = settings.GUEST_CONFIRM_MINUTES
    return timezone.now() + timedelta(minutes=minutes)


UNPAID_ON_DELIVERY = Q(status=Status.PENDING, method=Method.DELIVERY, expires_at=None)
PACKABLE = Q(on_hold="") & (Q(status=Status.PAID) | UNPAID_ON_DELIVERY)
SHIPPABLE = Q(on_hold="", status=Status.PACKED)
CANCELLABLE = Q(status__in=[Status.PENDING, Status.PAID, Status.PACKED])


def pay(order: Order, *, actor: AbstractUser | None = None, note: str = "") -> Order:
    """The money is there. Raises `StatusConflict`."""
    waits = Q(status=Status.PENDING)
    return _move(order, Status.PAID, waits, actor=actor, note=note)


def pay_on_delivery(order: Order, *, actor: AbstractUser | None = None) -> Order:
    """It is paid when it arrives, and not before. Raises `StatusConflict` unless it
    waits for its payment."""
    waits = Q(status=Status.PENDING) & ~Q(method=Method.DELIVERY)
    deadline = deadline_of(Method.DELIVERY, order.user_id)
    fields = {"method": Method.DELIVERY, "expires_at": deadline}
    note = _("Changed to payment on delivery.")
    return _move(order, Status.PENDING, waits, actor=actor, note=note, fields=fields)


def to_confirm(token: str) -> Order | None:
    """Which order the link in a guest's mail is about; None for no link of ours."""
    return emails.order_to_confirm(token)


@transaction.atomic
def confirm(order: Order, *, actor: AbstractUser | None = None) -> Order:
    """Its guest followed the link in the mail or claimed it into their account, or
    staff spoke with them: it is packed now. Raises `StatusConflict` unless it waits for
    that."""
    now = timezone.now()
    waits = Q(status=Status.PENDING, method=Method.DELIVERY, expires_at__gt=now)
    fields = {"expires_at": None, "confirmed_at": now}
    note = _("Confirmed.") if actor else _("Confirmed with the link in the email.")
    order = _move(order, Status.PENDING, waits, actor=actor, note=note, fields=fields)
    return mailed(order, emails.order_came_in)  # staff hear of it now


@transaction.atomic
def revive(order: Order, *, note: str = "") -> Order:
    """Paid after it expired: its units are claimed again, or nothing has changed.
    Raises `StatusConflict` and `NotEnoughStock`."""
    order = _move(order, Status.PAID, Q(status=Status.EXPIRED), note=note)
    stock.claim(_units(order), note=f"order {order.number}")
    return order


def pack(order: Order, *, actor: AbstractUser, note: str = "") -> Order:
    """Its parcel is packed. Raises `StatusConflict`, `OrderOnHold`."""
    return _move(order, Status.PACKED, PACKABLE, actor=actor, note=note)


@transaction.atomic
def ship(order: Order, *, actor: AbstractUser, note: str = "") -> Order:
    """The parcel left the house, and its units with it. Raises `StatusConflict`,
    `OrderOnHold`."""
    order = _move(order, Status.SHIPPED, SHIPPABLE, actor=actor, note=note)
    stock.ship(_units(order), note=f"order {order.number}")
    return order


def deliver(
    order: Order, *, actor: AbstractUser | None = None, note: str = ""
) -> Order:
    """The parcel has arrived. Raises `StatusConflict`."""
    return _move(
        order, Status.DELIVERED, Q(status=Status.SHIPPED), actor=actor, note=note
    )


def cancel(order: Order, *, actor: AbstractUser | None = None, note: str = "") -> Order:
    """It is not wanted any more: its units go back. Raises `StatusConflict`."""
    return _give_back(order, Status.CANCELLED, CANCELLABLE, actor=actor, note=note)


def cancel_by_shopper(order: Order, *, actor: AbstractUser | None = None) -> Order:
    """As `cancel`, as long as nobody has packed it. Raises `StatusConflict`, without
    the name of who has: it is none of a shopper's business."""
    early = Q(status__in=[Status.PENDING, Status.PAID])
    try:
        return _give_back(order, Status.CANCELLED, early, actor=actor)
    except StatusConflict as conflict:
        raise StatusConflict(conflict.number, conflict.status) from None


@transaction.atomic
def note(
    order: Order,
    *,
    actor: AbstractUser | None = None,
    note: str,
    on_hold: str | None = None,
) -> Order:
    """Write something beside an order, for staff to read; it stays where it is.
    `on_hold` says why nobody may pack or send it, "" that they may."""
    fields = {} if on_hold is None else {"on_hold": on_hold}
    Order.objects.filter(pk=order.pk).update(version=F("version") + 1, **fields)
    order = Order.objects.get(pk=order.pk)
    log_event(order, actor=actor, note=note)
    return order


@transaction.atomic
def adopt(order: Order, user: AbstractUser) -> bool:
    """Make a guest's order one of the account's; `False` if it is someone's already.
    The link in the guest's mail goes on working.

    Whoever calls knows that the order's address is theirs and verified, so an order
    that waits for its confirmation has it now."""
    guests = Order.objects.filter(pk=order.pk, user=None, departed_at=None)
    if not guests.update(user=user, version=F("version") + 1):
        return False
    order = Order.objects.get(pk=order.pk)
    log_event(order, actor=user, note=_("Added to the customer’s account."))
    if order.awaits_confirmation:
        with suppress(StatusConflict):  # its time is over
            confirm(order, actor=user)
    return True


def expire_overdue() -> int:
    """Expire orders that were not paid or confirmed in time; how many.

    May run several at once.
    """
    return sweeps.one_by_one(_overdue, _expire, at_most=SWEEP)


def _overdue() -> QuerySet[Order]:
    return Order.objects.overdue().order_by("expires_at")


def _expire(order: Order) -> None:
    _give_back(order, Status.EXPIRED, Q(status=Status.PENDING))


@transaction.atomic
def _give_back(
    order: Order,
    to: str,
    allowed: Q,
    *,
    actor: AbstractUser | None = None,
    note: str = "",
) -> Order:
    fields = {"on_hold": _still_on_hold()}
    order = _move(order, to, allowed, actor=actor, note=note, fields=fields)
    stock.release(_units(order), note=f"order {order.number}")
    return order


def _still_on_hold() -> Case:
    """Of an order that is over: what was paid goes back, and nothing is sent; a dispute
    and a refund that failed are still somebody's work."""
    done = When(on_hold__in=[OnHold.DIFFERS, OnHold.REFUNDED], then=Value(""))
    return Case(done, default=F("on_hold"))


@transaction.atomic
def _move(
    order: Order,
    to: str,
    allowed: Q,
    *,
    actor: AbstractUser | None = None,
    note: str = "",
    fields: dict[str, Any] | None = None,
) -> Order:
    """The one statement that decides who wins; its loser hears who has won. `fields`
    are what else changes."""
    moved = {"status": to, "version": F("version") + 1, "changed_at": timezone.now()}
    fields = moved | (fields or {})
    if actor is not None and actor.is_staff:
        fields["handler"] = actor
    if not Order.objects.filter(allowed, pk=order.pk).update(**fields):
        raise _conflict(order, to)
    order = Order.objects.get(pk=order.pk)
    log_event(order, actor=actor, note=note)
    return mailed(order)


def mailed(order: Order, tell: Callable[[Order], None] = emails.order_moved) -> Order:
    """Mail the shopper, or whomever `tell` mails. The order stands even if the mail is
    refused: then staff read so beside it."""
    try:
        tell(order)
    except MailRefused as refusal:
        text = _("An email was not sent. %(reason)s")
        if tell is emails.order_moved:
            text = _("The customer was not emailed. %(reason)s")
        return note(order, note=text % {"reason": refusal})
    return order


def _conflict(order: Order, to: str) -> StatusConflict | OrderOnHold:
    now = Order.objects.get(pk=order.pk)
    if now.on_hold and to in (Status.PACKED, Status.SHIPPED):
        return OrderOnHold(now.number, now.get_on_hold_display())
    steps = now.events.filter(status=now.status).select_related("actor")
    won = steps.order_by("version").first()  # those after it are notes
    who = won.actor.get_username() if won and won.actor else ""
    status = now.get_status_display()
    if now.awaits_confirmation:
        status = _("waiting for confirmation")
    return StatusConflict(now.number, status, who)


def log_event(
    order: Order, *, actor: AbstractUser | None = None, note: str = ""
) -> None:
    OrderEvent.objects.create(
        order=order, version=order.version, status=order.status, actor=actor, note=note
    )
    push.order_changed(order)


def _units(order: Order) -> dict[int, int]:
    return dict(order.lines.values_list("product_id", "quantity"))
