"""The states of an order and the moves between them, as one table.

Services, pages, the board, mails and scripts read this table and name no state
themselves. To add a state, add its `Status`, its row in `STATES`, and the moves that
lead there and away. To add a move for staff, add its row in `MOVES`. A move for
shoppers also needs a form in `templates/orders/moves/`.

    pending ─pay→ paid ─pack→ packed ─ship→ shipped ─deliver→ delivered
       └─expire→ expired ─revive→ paid      pending | paid | packed ─cancel→ cancelled

An order that is paid on delivery is packed without having been paid.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from products.orders.machine import (
    Actor,
    Column,
    Mail,
    Move,
    OnHoldRule,
    OrderKind,
    State,
    Units,
    statuses_of,
)


class Status(TextChoices):
    """The value in an order's row, and how staff read it."""

    PENDING = "pending", _("waiting for payment")
    PAID = "paid", _("to be packed")
    PACKED = "packed", _("packed")
    SHIPPED = "shipped", _("on its way")
    DELIVERED = "delivered", _("delivered")
    CANCELLED = "cancelled", _("cancelled")
    EXPIRED = "expired", _("expired")


# --- Columns of the board ---------------------------------------------------------

PAYMENT_COLUMN = Column(
    "pending",
    _("Waiting for payment"),
    _("No orders are waiting for payment."),
    title_with_guests=_("Waiting for payment or confirmation"),
    is_work=True,
    gets_late=True,
    tone="warn",
)
PACKING_COLUMN = Column(
    *("paid", _("To be packed"), _("Everything is packed.")),
    is_work=True,
    gets_late=True,
    tone="warn",
)
SHIPPING_COLUMN = Column(
    *("packed", _("Packed"), _("No parcels are waiting for the carrier.")),
    is_work=True,
    gets_late=True,
)
TRANSIT_COLUMN = Column(
    *("shipped", _("On its way"), _("No parcels are on their way.")), is_work=True
)
HOLD_COLUMN = Column("hold", _("On hold"), _("No orders are on hold."), is_work=True)
DELIVERED_COLUMN = Column("delivered", _("Delivered"), tone="good")
CANCELLED_COLUMN = Column("cancelled", _("Cancelled"), tone="bad")
EXPIRED_COLUMN = Column("expired", _("Expired"), tone="bad")
COLUMNS = (
    *(PAYMENT_COLUMN, PACKING_COLUMN, SHIPPING_COLUMN, TRANSIT_COLUMN, HOLD_COLUMN),
    *(DELIVERED_COLUMN, CANCELLED_COLUMN, EXPIRED_COLUMN),
)

# --- States -----------------------------------------------------------------------

UNPAID = State(
    status=Status.PENDING,
    kinds=(OrderKind.PREPAID, OrderKind.FREE),
    column=PAYMENT_COLUMN,
    units=Units.RESERVED,
    step=_("Placed"),
    summary=_("Waiting for payment"),
    tag="warn",
    text=_("Waiting for your payment until %(time)s %(zone)s."),
    text_without_deadline=_("Waiting for your payment."),
    mail=Mail("placed", _("Your order %(number)s")),
)
UNCONFIRMED = State(
    status=Status.PENDING,
    kinds=(OrderKind.UNCONFIRMED,),
    column=PAYMENT_COLUMN,
    units=Units.RESERVED,
    label=_("waiting for confirmation"),
    step=_("Placed"),
    summary=_("Waiting for your confirmation"),
    text=_(
        "Please confirm your order with the link in our email before %(time)s %(zone)s."
        " Then we’ll pack it."
    ),
    mail=Mail("confirm", _("Please confirm your order %(number)s")),
)
UNPAID_TO_PACK = State(
    status=Status.PENDING,
    kinds=(OrderKind.ON_DELIVERY,),
    column=PACKING_COLUMN,
    units=Units.RESERVED,
    label=_("to be packed"),
    step=_("Placed"),
    text=_("We have your order and will pack it next. You pay on delivery."),
    mail=UNPAID.mail,
)
PAID = State(
    status=Status.PAID,
    kinds=(OrderKind.PREPAID,),
    column=PACKING_COLUMN,
    units=Units.RESERVED,
    step=_("Paid"),
    tag="good",
    text=_("We’ve received your payment. We’ll pack your order next."),
    mail=Mail("paid", _("We’ve received your payment for order %(number)s")),
)
PAID_BEFORE_DELIVERY = replace(
    PAID, kinds=(OrderKind.ON_DELIVERY, OrderKind.UNCONFIRMED), is_detour=True
)
NOTHING_TO_PAY = State(  # no mail, because nobody had to pay
    status=Status.PAID,
    kinds=(OrderKind.FREE,),
    column=PACKING_COLUMN,
    units=Units.RESERVED,
    step=_("Placed"),
    summary=_("Paid"),
    tag="good",
    text=_("We have your order and will pack it next. There’s nothing to pay."),
)
PACKED = State(
    status=Status.PACKED,
    column=SHIPPING_COLUMN,
    units=Units.RESERVED,
    step=_("Packed"),
    tag="good",
    text=_("Your parcel is packed and waiting for the carrier."),
)
SHIPPED = State(
    status=Status.SHIPPED,
    column=TRANSIT_COLUMN,
    units=Units.SENT,
    step=_("On its way"),
    tag="good",
    text=_("Your parcel is on its way."),
    mail=Mail("shipped", _("Order %(number)s is on its way")),
)
DELIVERED = State(
    status=Status.DELIVERED,
    column=DELIVERED_COLUMN,
    units=Units.SENT,
    step=_("Delivered"),
    tag="good",
    text=_("Your parcel has been delivered. Enjoy!"),
)
CANCELLED = State(
    status=Status.CANCELLED,
    column=CANCELLED_COLUMN,
    units=Units.RETURNED,
    step=_("Cancelled"),
    text=_("This order has been cancelled. We won’t send anything."),
    tells_of_refund=True,
    mail=Mail("cancelled", _("Order %(number)s has been cancelled")),
)
EXPIRED = State(
    status=Status.EXPIRED,
    kinds=(OrderKind.PREPAID, OrderKind.FREE),
    column=EXPIRED_COLUMN,
    units=Units.RETURNED,
    step=_("Expired"),
    text=_("This order wasn’t paid in time and has expired. We won’t send anything."),
    mail=Mail("expired", _("Order %(number)s has expired")),
)
EXPIRED_UNCONFIRMED = replace(
    EXPIRED,
    kinds=(OrderKind.ON_DELIVERY, OrderKind.UNCONFIRMED),
    text=_(
        "This order wasn’t confirmed in time and has expired. We won’t send anything."
    ),
)
PENDING_STATES = (UNPAID, UNCONFIRMED, UNPAID_TO_PACK)
PAID_STATES = (PAID, PAID_BEFORE_DELIVERY, NOTHING_TO_PAY)
EXPIRED_STATES = (EXPIRED, EXPIRED_UNCONFIRMED)
STATES = (
    *(*PENDING_STATES, *PAID_STATES),
    *(PACKED, SHIPPED, DELIVERED, CANCELLED, *EXPIRED_STATES),
)
_states = {(state.status, kind): state for state in STATES for kind in state.kinds}

# Groups of statuses, for queries.
RESERVING = statuses_of(s for s in STATES if s.units is Units.RESERVED)
SENT = statuses_of(s for s in STATES if s.units is Units.SENT)
OVER = statuses_of(s for s in STATES if s.is_over)
ACTIVE = statuses_of(s for s in STATES if s.column.is_work)
UNPACKED = statuses_of((*PENDING_STATES, *PAID_STATES))
UNSENT = statuses_of((*PAID_STATES, PACKED))
PAID_OR_LATER = (*UNSENT, *SENT)

# --- Moves ------------------------------------------------------------------------

START_PAYMENT = Move(
    name="pay",
    sources=(UNPAID,),
    by=(Actor.SHOPPER,),
    on_hold=OnHoldRule.REFUSED,
)
SWITCH = Move(
    name="switch",  # to payment on delivery
    sources=(UNPAID,),
    targets=(UNCONFIRMED, UNPAID_TO_PACK),
    by=(Actor.SHOPPER,),
    on_hold=OnHoldRule.REFUSED,
)
CANCEL_BY_SHOPPER = Move(
    name="cancel",
    sources=(*PENDING_STATES, *PAID_STATES),
    targets=(CANCELLED,),
    by=(Actor.SHOPPER,),
)
PAY = Move(
    name="pay",
    sources=PENDING_STATES,
    targets=PAID_STATES,
    by=(Actor.PAYMENT, Actor.SHOP),
)
EXPIRE = Move(
    name="expire",
    sources=(UNPAID, UNCONFIRMED),
    targets=EXPIRED_STATES,
    by=(Actor.SHOP,),
    on_hold=OnHoldRule.REFUSED,
)
REVIVE = Move(
    name="revive", sources=EXPIRED_STATES, targets=PAID_STATES, by=(Actor.PAYMENT,)
)
CONFIRM = Move(
    name="confirm",
    sources=(UNCONFIRMED,),
    targets=(UNPAID_TO_PACK,),
    by=(Actor.GUEST, Actor.STAFF),
    button=_("Confirm"),
    done=_("%(number)s is confirmed."),
)
PACK = Move(
    name="pack",
    sources=(UNPAID_TO_PACK, *PAID_STATES),
    targets=(PACKED,),
    by=(Actor.STAFF,),
    on_hold=OnHoldRule.REFUSED,
    button=_("Pack"),
    done=_("%(number)s is packed."),
    key="p",
    key_label=_("packed"),
)
SHIP = Move(
    name="ship",
    sources=(PACKED,),
    targets=(SHIPPED,),
    by=(Actor.STAFF,),
    on_hold=OnHoldRule.REFUSED,
    button=_("Ship"),
    done=_("%(number)s is on its way."),
    key="s",
    key_label=_("shipped"),
)
DELIVER = Move(
    name="deliver",
    sources=(SHIPPED,),
    targets=(DELIVERED,),
    by=(Actor.STAFF,),
    button=_("Delivered"),
    done=_("%(number)s is delivered."),
    key="d",
    key_label=_("delivered"),
)
RELEASE = Move(
    name="go-on",
    sources=STATES,
    by=(Actor.STAFF,),
    on_hold=OnHoldRule.NEEDED,
    button=_("Release"),
    done=_("%(number)s is no longer on hold."),
    reason=_("Enter a reason for the release."),
    submit=_("Release"),
)
CANCEL = Move(
    name="cancel",
    sources=(*PENDING_STATES, *PAID_STATES, PACKED),
    targets=(CANCELLED,),
    by=(Actor.STAFF,),
    button=_("Cancel"),
    done=_("%(number)s is cancelled."),
    reason=_("Enter a reason for the cancellation."),
    submit=_("Cancel the order"),
    is_harmful=True,
)
MOVES = (
    *(START_PAYMENT, SWITCH, CANCEL_BY_SHOPPER, PAY, EXPIRE, REVIVE, CONFIRM),
    *(PACK, SHIP, DELIVER, RELEASE, CANCEL),
)

# --- Questions --------------------------------------------------------------------


def find(status: str, method: str, expires_at: datetime | str | None) -> State:
    """Return the state of an order with these values."""
    return _states[status, OrderKind.of(method, expires_at)]


def way(status: str, method: str, expires_at: datetime | str | None) -> list[State]:
    """Return the states that an order with these values passes, the first one first.

    For an order that was cancelled or has expired, return its first and its last state.
    """
    kind, here = OrderKind.of(method, expires_at), find(status, method, expires_at)
    first, *others = (_states[each, kind] for each in Status)
    if here.is_over:
        return [first, here]
    passed = [s for s in others if not s.is_over and (s is here or not s.is_detour)]
    return [first, *(s for s in passed if s.step != first.step)]


def mail_of(order: Any) -> Mail | None:
    """Return the mail that tells the shopper of the order's state, if there is one.

    An address that nobody confirmed may be a stranger's. It gets only one mail.
    """
    if order.is_unconfirmed and order.state is not UNCONFIRMED:
        return None
    return order.state.mail


def moves_by(actor: Actor) -> dict[str, Move]:
    """Return the moves of an actor by their names."""
    return {move.name: move for move in MOVES if actor in move.by}


def offers(order: Any, actor: Actor) -> list[Move]:
    """Return the moves that an actor may make with the order as it is now."""
    return [move for move in moves_by(actor).values() if move.allows(order)]
