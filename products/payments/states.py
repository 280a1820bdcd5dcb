"""The states of payments, refunds and disputes, and the moves between them.

Services, the admin and sweeps read these tables and name no state themselves. What
a provider calls a state is translated in its own module (`stripe_events.py`).

    created ─close→ closing        created | closing ─end→ failed
    created | closing | failed ─receive→ paid | differs ─accept→ paid

Once money was received, a payment's state follows from its refunds and disputes.
"""

from collections.abc import Sequence, Set
from typing import Any, NamedTuple

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from products.orders import states as order_states
from products.orders.machine import Actor
from products.orders.on_hold import OnHold


class Status(TextChoices):
    """Of an attempt to pay an order."""

    CREATED = "created", _("begun")
    PAID = "paid", _("paid")
    CLOSING = "closing", _("to be closed")
    FAILED = "failed", _("failed")
    DIFFERS = "differs", _("another amount than asked for")
    REFUNDING = "refunding", _("to be refunded")
    REFUNDED = "refunded", _("refunded")
    STUCK = "stuck", _("refund failed")
    DISPUTED = "disputed", _("taken back by a dispute")


class RefundStatus(TextChoices):
    """Of a refund. Of two reports of the same moment, the later state here counts."""

    ASKED = "asked", _("to be asked for")
    PENDING = "pending", _("on its way")
    DONE = "done", _("refunded")
    FAILED = "failed", _("failed")


class DisputeStatus(TextChoices):
    """Of a dispute. Of two reports of the same moment, the later state here counts."""

    INQUIRY = "inquiry", _("the bank asks")
    OPEN = "open", _("open")
    WON = "won", _("decided for us")
    LOST = "lost", _("lost")


# --- Payments ---------------------------------------------------------------------

OPEN = (Status.CREATED, Status.CLOSING)  # somebody may still be paying
NOT_RECEIVED = (*OPEN, Status.FAILED)
UNFINISHED = (
    *OPEN,
    Status.REFUNDING,
)  # the provider is still to be asked for something
OWED = Status.REFUNDING  # the provider is to be asked for a refund
KEPT = (Status.PAID,)  # received, and the shop has it
RECEIVED = tuple(status for status in Status if status not in NOT_RECEIVED)


class Move(NamedTuple):
    """A way of a payment from one of `sources` to one of `targets`."""

    name: str
    sources: tuple[Status, ...]
    targets: tuple[Status, ...]
    by: tuple[Actor, ...]

    @property
    def to(self) -> Status:
        """The status that it leads to, if there is only one."""
        (target,) = self.targets
        return target


CLOSE = Move("close", (Status.CREATED,), (Status.CLOSING,), (Actor.SHOP, Actor.SHOPPER))
END = Move("end", OPEN, (Status.FAILED,), (Actor.SHOP, Actor.PAYMENT))
RECEIVE = Move("receive", NOT_RECEIVED, (Status.PAID, Status.DIFFERS), (Actor.PAYMENT,))
ACCEPT = Move("accept", (Status.DIFFERS,), (Status.PAID,), (Actor.STAFF,))
SETTLE = Move("settle", RECEIVED, RECEIVED, (Actor.PAYMENT, Actor.SHOP))
MOVES = (CLOSE, END, RECEIVE, ACCEPT, SETTLE)


def when_received(payment: Any) -> Status:
    """Return the state of a payment whose money has just arrived."""
    return Status.DIFFERS if payment.differs else Status.PAID


def when_settled(payment: Any, refunds: Sequence[Any]) -> Status:
    """Return the state of a payment that was received, after its refunds, oldest first.

    Its sums must be up to date.
    """
    if any(refund.status == RefundStatus.ASKED for refund in refunds):
        return Status.REFUNDING
    if payment.received and payment.left <= 0:
        return Status.DISPUTED if payment.disputed else Status.REFUNDED
    ours = [refund for refund in refunds if refund.is_ours]
    if ours and ours[-1].status == RefundStatus.FAILED:
        return Status.STUCK
    if payment.differs and not payment.is_accepted:
        return Status.DIFFERS
    return Status.PAID


# --- Refunds ----------------------------------------------------------------------

REFUNDED = (RefundStatus.PENDING, RefundStatus.DONE)  # these count as given back
REFUND_REFUSED = RefundStatus.FAILED  # what it is when the provider will not refund
_refund_steps = list(RefundStatus)


def refund_step(status: str) -> int:
    """Return how far a refund is; a greater number is further."""
    return _refund_steps.index(RefundStatus(status))


# --- Disputes ---------------------------------------------------------------------

PURSUED = (DisputeStatus.INQUIRY, DisputeStatus.OPEN)  # the bank has not decided
DISPUTE_NOTES = {
    DisputeStatus.INQUIRY: _(
        "The shopper’s bank has asked about %(amount)s (%(reason)s)."
    ),
    DisputeStatus.OPEN: _("The shopper’s bank disputes %(amount)s (%(reason)s)."),
    DisputeStatus.WON: _("The shop won the dispute about %(amount)s."),
    DisputeStatus.LOST: _("The shop lost the dispute about %(amount)s."),
}
_dispute_steps = list(DisputeStatus)


def dispute_step(status: str) -> int:
    """Return how far a dispute is; a greater number is further."""
    return _dispute_steps.index(DisputeStatus(status))


# --- Orders -----------------------------------------------------------------------


def reason_to_hold(order: Any, payments: Set[str], disputes: Set[str]) -> str:
    """Return why staff must check an order before it goes on, or "".

    `payments` and `disputes` are the states of what was received for the order and of
    its disputes.
    """
    if not disputes.isdisjoint(PURSUED):
        return OnHold.DISPUTED
    if DisputeStatus.LOST in disputes and not order.state.is_over:
        return OnHold.DISPUTED
    if Status.STUCK in payments:
        return OnHold.STUCK
    if Status.DIFFERS in payments and order_states.PAY.allows(order):
        return OnHold.DIFFERS
    is_refunded = payments and payments <= {Status.REFUNDED}
    if is_refunded and order.is_prepaid and order.status in order_states.UNSENT:
        return OnHold.REFUNDED
    return ""
