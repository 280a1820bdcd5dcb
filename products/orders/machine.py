"""The types of which the table of states (`products.orders.states`) is made."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from functools import cached_property, reduce
from operator import or_
from typing import Any, NamedTuple

from django.db.models import Q, TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise


class Method(TextChoices):
    """How the shopper pays."""

    DELIVERY = "delivery", _("on delivery")
    STRIPE = "stripe", _("card (Stripe)")
    FREE = "free", _("nothing to pay")


class OrderKind(Enum):
    """What the moves of an order depend on besides its status."""

    PREPAID = auto()  # a payment provider takes the money before the order is packed
    ON_DELIVERY = auto()
    UNCONFIRMED = auto()  # on delivery, but its guest has not confirmed it
    FREE = auto()

    @classmethod
    def of(cls, method: str, expires_at: datetime | str | None) -> "OrderKind":
        """Return the kind of an order with this method and deadline."""
        if method == Method.DELIVERY:
            return cls.UNCONFIRMED if expires_at else cls.ON_DELIVERY
        return cls.FREE if method == Method.FREE else cls.PREPAID


# The same as `OrderKind.of`, for queries.
KIND_CONDITIONS = {
    OrderKind.PREPAID: ~Q(method__in=[Method.DELIVERY, Method.FREE]),
    OrderKind.ON_DELIVERY: Q(method=Method.DELIVERY, expires_at=None),
    OrderKind.UNCONFIRMED: Q(method=Method.DELIVERY, expires_at__isnull=False),
    OrderKind.FREE: Q(method=Method.FREE),
}


class Units(Enum):
    """Where the units of an order are."""

    RESERVED = auto()  # in the stock, reserved for this order
    SENT = auto()  # sent to the shopper
    RETURNED = auto()  # back in the stock, for sale


class Mail(NamedTuple):
    """A mail to the shopper: its templates in `orders/email/`, and its subject."""

    template: str
    subject: Text


@dataclass(frozen=True, eq=False)
class Column:
    """A column of the board."""

    key: str
    title: Text
    hint: Text = ""  # shown while the column is empty
    title_with_guests: Text = ""  # the title where guests must confirm their orders
    is_work: bool = False  # always shown, because staff have work to do here
    gets_late: bool = False  # its orders should leave the house within a day
    tone: str = ""  # the colour of its orders' states: "good", "warn" or "bad"


@dataclass(frozen=True, eq=False, kw_only=True)
class State:
    """What the shop says about orders with this status, of these kinds."""

    status: str
    kinds: tuple[OrderKind, ...] = tuple(OrderKind)
    column: Column
    units: Units
    label: Text = ""  # for staff, if it is not the status's
    step: Text  # the name on the shopper's way from "Placed" to "Delivered"
    is_detour: bool = False  # the shopper's way shows it only while the order is here
    summary: Text = ""  # in the shopper's list of orders, if it is not the step's name
    tag: str = ""  # the colour of the summary: "good" or "warn"
    text: Text  # the sentence on the shopper's page
    text_without_deadline: Text = ""  # if it differs
    tells_of_refund: bool = False  # the page says that the payment is being refunded
    mail: Mail | None = None  # sent to the shopper when the order gets here

    @property
    def is_over(self) -> bool:
        """Whether the order ended before it was sent."""
        return self.units is Units.RETURNED


@dataclass(frozen=True, eq=False, kw_only=True)
class Hold:
    """What the shop says while an order is on hold for some reason."""

    text: Text = ""  # on the shopper's page, instead of the state's
    statuses: tuple[str, ...] | None = None  # where that text is shown; None: in all
    is_summary: bool = False  # the shopper's list of orders names it, too
    ends_with_order: bool = False  # the order is released when it is over
    shows_received: bool = False  # the shopper's page compares money and total
    release_note: Text = ""  # shown above the form that releases the order


class Actor(Enum):
    """Who makes a move."""

    SHOPPER = auto()  # on the page of their order
    GUEST = auto()  # with the link in their mail, which proves their address
    STAFF = auto()  # on the board
    PAYMENT = auto()  # a payment provider's report
    SHOP = auto()  # the shop itself, when it is time


class OnHoldRule(Enum):
    """Whether a move is possible while the order is on hold."""

    IGNORED = auto()
    REFUSED = auto()
    NEEDED = auto()


@dataclass(frozen=True, eq=False, kw_only=True)
class Move:
    """A change from one of some states to another, or within the same one."""

    name: str
    sources: tuple[State, ...]
    targets: tuple[State, ...] = ()  # of one status; () if the order stays in its state
    by: tuple[Actor, ...]
    on_hold: OnHoldRule = OnHoldRule.IGNORED
    button: Text = ""
    done: Text = ""  # the message when it is done
    reason: Text = ""  # the error without a reason; "" if none is needed
    submit: Text = ""  # the button below the reason
    is_harmful: bool = False  # it cannot be undone
    key: str = ""  # on the board's keyboard
    key_label: Text = ""

    @cached_property
    def statuses(self) -> tuple[str, ...]:
        """The statuses of its sources."""
        return statuses_of(self.sources)

    @property
    def to(self) -> str:
        """The status of its targets."""
        return self.targets[0].status

    @property
    def units(self) -> tuple[Units, Units]:
        """Where the order's units are before and after."""
        return self.sources[0].units, self.targets[0].units

    @cached_property
    def condition(self) -> Q:
        """The condition for orders that can make this move."""
        on_hold = {
            OnHoldRule.IGNORED: Q(),
            OnHoldRule.REFUSED: Q(on_hold=""),
            OnHoldRule.NEEDED: ~Q(on_hold=""),
        }[self.on_hold]
        return any_of(self.sources) & on_hold

    def allows(self, order: Any) -> bool:
        """Return whether the order can make this move, without a query."""
        if order.state not in self.sources:
            return False
        if self.on_hold is OnHoldRule.IGNORED:
            return True
        return bool(order.on_hold) == (self.on_hold is OnHoldRule.NEEDED)


def statuses_of(states: Iterable[State]) -> tuple[str, ...]:
    """Return the statuses of these states, each once."""
    return tuple(dict.fromkeys(state.status for state in states))


def any_of(states: Iterable[State]) -> Q:
    """Return the condition for orders that are in one of these states."""
    kinds: dict[str, set[OrderKind]] = {}
    for state in states:
        kinds.setdefault(state.status, set()).update(state.kinds)
    return reduce(or_, (_condition(status, kinds[status]) for status in kinds))


def _condition(status: str, kinds: set[OrderKind]) -> Q:
    if kinds == set(OrderKind):
        return Q(status=status)
    of_kinds = reduce(
        or_, (KIND_CONDITIONS[kind] for kind in OrderKind if kind in kinds)
    )
    return Q(status=status) & of_kinds
