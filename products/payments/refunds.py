"""Asks for refunds, and stores those that providers report.

A refund is a row with a key of its own, and is asked for after the commit. It is never
more than what is left of the payment, in the currency that was received. The provider
is never called inside a transaction. Locks are taken in the order order → payment.
"""

import logging

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from products.models import Order, Payment, Refund
from products.orders import states as order_states
from products.orders.models import spelled
from products.payments import interface, providers, states
from products.payments.exceptions import PaymentUnavailable, RefundRefused
from products.payments.interface import RefundFacts
from products.payments.settling import locked, settle
from products.sweeps import services as sweeps
from products.sweeps.models import is_due

logger = logging.getLogger(__name__)
SWEEP = 100
FAILURES = (interface.Unreachable, interface.Misconfigured, PaymentUnavailable)


# --- Asking for refunds -----------------------------------------------------------


def give_back(order: Order, payment: Payment, *, note: str) -> None:
    """Refund all that is left of a payment. Both rows must be locked.

    `note` says why. The provider is asked after the commit.
    """
    refund = _owe(order, payment, note=note)
    if refund is None:
        return

    # Not partial(): if a callback fails, Django needs its __name__.
    def ask_for_it() -> None:
        ask(refund)

    transaction.on_commit(ask_for_it, robust=True)


def _owe(order: Order, payment: Payment, *, note: str) -> Refund | None:
    """Create the refund of what is left. Return None if there is nothing left."""
    if payment.left <= 0 or payment.refunds.asked().exists():
        return None
    refund = Refund.objects.create(
        payment=payment,
        amount=payment.left,
        currency=payment.received_currency,
        is_ours=True,
    )
    settle(order, payment, note=note)
    return refund


def ask(refund: Refund) -> bool:
    """Ask the provider for a refund. Return whether it was accepted.

    If the provider does not answer, `ask_all` asks again.
    """
    payment = refund.payment
    try:
        facts = providers.provider(payment.provider).refund(refund)
    except FAILURES as error:
        logger.error("Refund %s of payment %s: %s", refund.pk, payment.pk, error)
        # Other payments have their turn first.
        Payment.objects.filter(pk=payment.pk).update(changed_at=timezone.now())
        return False
    except interface.Refused as refusal:
        return _refused(refund, str(refusal))
    record(payment, [facts])
    return True


def _refused(refund: Refund, why: str) -> bool:
    """Deal with a refusal. Return whether the money was refunded anyway.

    Perhaps it was refunded in the provider's dashboard, at least in part. Then ask for
    the rest. Otherwise staff must deal with it.
    """
    if not look_up(refund.payment):
        sweeps.note(refund.payment, RefundRefused())  # it is asked again later
        return False
    with transaction.atomic():
        order, payment = locked(refund.payment)
        refund = payment.refunds.get(pk=refund.pk)
        if not refund.is_asked:  # it was refunded
            return True
        refund.status, refund.failure = states.REFUND_REFUSED, why[:300]
        refund.save()
        if refund.amount <= payment.left:
            logger.error("Refund %s of payment %s: %s", refund.pk, payment.pk, why)
            text = _("The payment service did not refund %(amount)s: %(why)s")
            text %= {"amount": _amount(refund), "why": why}
            settle(order, payment, note=text[:500])
            return False
        text = _("It has been refunded at the payment service.")
        settle(order, payment, note=text)
        give_back(order, payment, note=_("The rest of the payment is being refunded."))
    return True


def ask_all() -> int:
    """Ask for all refunds that are owed. Return how many were accepted.

    This includes payments of orders that ended after they were paid. Several of these
    may run at once.
    """
    sweeps.each(_to_be_owed().filter(is_due())[:SWEEP], _owe_late)
    due = Payment.objects.filter(is_due()).order_by("changed_at")
    sweeps.each(due.filter(is_outdated=True)[:SWEEP], look_up)
    owed = due.filter(status=states.OWED)
    return sweeps.each(owed[:SWEEP], _ask_of)


def _ask_of(payment: Payment) -> bool:
    """Ask for the refund of a payment."""
    refund = payment.refunds.asked().select_related("payment").first()
    return refund is not None and ask(refund)


def _to_be_owed() -> QuerySet[Payment]:
    """Return payments whose order is over, or was paid in another way."""
    is_over = Q(status__in=states.KEPT, order__status__in=order_states.OVER)
    waits_for_money = Q(order__status__in=order_states.PAY.statuses)
    is_odd = Q(status__in=states.ACCEPT.sources) & ~waits_for_money
    return Payment.objects.filter(is_over | is_odd).order_by("changed_at")


@transaction.atomic
def _owe_late(payment: Payment) -> None:
    order, payment = locked(payment)
    if _to_be_owed().filter(pk=payment.pk).exists():
        _owe(
            order, payment, note=_("The order was paid. The payment is being refunded.")
        )


# --- Storing refunds --------------------------------------------------------------


def look_up(payment: Payment) -> bool:
    """Ask the provider for a payment's refunds and store them.

    Return whether it answered.
    """
    try:
        facts = providers.provider(payment.provider).refunds(payment)
    except (interface.Refused, *FAILURES) as error:
        logger.warning("Refunds of payment %s: %s", payment.pk, error)
        outdated = Payment.objects.filter(pk=payment.pk, is_outdated=True)
        outdated.update(changed_at=timezone.now())
        return False
    Payment.objects.filter(pk=payment.pk).update(is_outdated=False)
    record(payment, facts)
    return True


@transaction.atomic
def record(payment: Payment, reports: list[RefundFacts]) -> bool:
    """Store refunds as the provider reports them. Return whether anything is new."""
    order, payment = locked(payment)
    notes = [note for facts in reports if (note := _store(payment, facts))]
    for note in notes:
        order = settle(order, payment, note=note)
    return bool(notes)


def _store(payment: Payment, facts: RefundFacts) -> str:
    """Store one refund. Return the note for its order, or "" if it is not new."""
    refund = _row_of(payment, facts)
    if refund is None:
        refund = Refund(payment=payment, reference=facts.reference)
    elif not _is_news(refund, facts):
        return ""
    is_new = refund.pk is None or refund.is_asked
    refund.reference, refund.told_at = facts.reference, facts.at
    refund.amount, refund.currency = facts.amount, facts.currency
    refund.status, refund.failure = facts.status, facts.failure
    refund.save()
    return _note_of(payment, refund, is_new=is_new)


def _row_of(payment: Payment, facts: RefundFacts) -> Refund | None:
    """Return the row of a refund, even if the provider never answered for it."""
    is_it = Q(reference=facts.reference)
    if facts.key:
        is_it |= Q(reference="", idempotency_key=facts.key)
    return payment.refunds.filter(is_it).first()


def _is_news(refund: Refund, facts: RefundFacts) -> bool:
    """Return whether the report is later than the row, or further in one moment."""
    if refund.told_at is None:  # the provider has not answered yet
        return True
    if refund.status == facts.status:
        return False
    if refund.told_at == facts.at:
        return states.refund_step(facts.status) > states.refund_step(refund.status)
    return facts.at > refund.told_at


def _note_of(payment: Payment, refund: Refund, *, is_new: bool) -> str:
    amount = {"amount": _amount(refund)}
    if refund.has_failed:
        text = _("A refund of %(amount)s failed. The money was returned to the shop.")
        return text % amount
    if not is_new:  # it was stored before
        return _("The refund of %(amount)s was paid out.") % amount
    if not refund.is_ours:
        return _("%(amount)s was refunded at the payment service.") % amount
    if refund.amount == payment.received:
        return _("The payment was refunded.")
    return _("%(amount)s of the payment was refunded.") % amount


def _amount(refund: Refund) -> str:
    return f"{spelled(refund.amount)} {refund.currency}"
