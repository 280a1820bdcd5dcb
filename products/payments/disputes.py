"""Disputes: a shopper's bank wants a payment back, and may withdraw it at once."""

from django.db import transaction
from django.utils.translation import gettext as _

from products.models import Dispute, Payment
from products.orders.models import spelled
from products.payments import states
from products.payments.interface import DisputeFacts
from products.payments.settling import locked, settle


@transaction.atomic
def record(payment: Payment, facts: DisputeFacts) -> bool:
    """Store a dispute as the provider reports it. Return whether anything is new."""
    order, payment = locked(payment)
    dispute = payment.disputes.filter(reference=facts.reference).first()
    if dispute is None:
        dispute = Dispute(payment=payment, reference=facts.reference)
    before = (dispute.status, dispute.is_withdrawn)
    _update_status(dispute, facts)
    _update_money(dispute, facts)
    dispute.save()
    if (dispute.status, dispute.is_withdrawn) == before:
        return False
    settle(order, payment, note=_note_of(dispute), is_about_dispute=True)
    return True


def _update_status(dispute: Dispute, facts: DisputeFacts) -> None:
    """Take the later report. Of two reports of one moment, take the further state."""
    if dispute.status:
        known = (dispute.told_at, states.dispute_step(dispute.status))
        if (facts.at, states.dispute_step(facts.status)) <= known:
            return
    dispute.status, dispute.told_at = facts.status, facts.at
    dispute.amount, dispute.currency = facts.amount, facts.currency
    dispute.reason = facts.reason


def _update_money(dispute: Dispute, facts: DisputeFacts) -> None:
    """Take the later report. A lost dispute without one counts as withdrawn."""
    is_withdrawn = facts.is_withdrawn
    if is_withdrawn is None:
        if dispute.is_lost and dispute.money_told_at is None:
            dispute.is_withdrawn = True
        return
    if dispute.money_told_at is not None:
        known = (dispute.money_told_at, not dispute.is_withdrawn)
        if (facts.at, not is_withdrawn) <= known:
            return
    dispute.is_withdrawn, dispute.money_told_at = is_withdrawn, facts.at


def _note_of(dispute: Dispute) -> str:
    text = states.DISPUTE_NOTES[states.DisputeStatus(dispute.status)]
    amount = f"{spelled(dispute.amount)} {dispute.currency}"
    money = (
        _("The money has been withdrawn from the shop.") if dispute.is_withdrawn else ""
    )
    note = text % {"amount": amount, "reason": dispute.reason or "–"}
    return f"{note} {money}".strip()
