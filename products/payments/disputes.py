"""Disputes: a shopper's bank asks for a payment back, and takes it meanwhile."""

from django.db import transaction
from django.utils.translation import gettext as _

from products.models import Dispute, Payment
from products.orders.models import spelled
from products.payments import states
from products.payments.interface import DisputeFacts
from products.payments.settling import locked, settle


@transaction.atomic
def record(payment: Payment, facts: DisputeFacts) -> bool:
    """Write down a dispute as the provider has it; whether anything was new."""
    order, payment = locked(payment)
    dispute = payment.disputes.filter(reference=facts.reference).first()
    if dispute is None:
        dispute = Dispute(payment=payment, reference=facts.reference)
    before = (dispute.status, dispute.is_withdrawn)
    _take_status(dispute, facts)
    _take_money(dispute, facts)
    dispute.save()
    if (dispute.status, dispute.is_withdrawn) == before:
        return False
    settle(order, payment, note=_note_of(dispute), is_about_dispute=True)
    return True


def _take_status(dispute: Dispute, facts: DisputeFacts) -> None:
    """What was told of a later moment counts, of one moment the further step."""
    if dispute.status:
        known = (dispute.told_at, states.dispute_step(dispute.status))
        if (facts.at, states.dispute_step(facts.status)) <= known:
            return
    dispute.status, dispute.told_at = facts.status, facts.at
    dispute.amount, dispute.currency = facts.amount, facts.currency
    dispute.reason = facts.reason


def _take_money(dispute: Dispute, facts: DisputeFacts) -> None:
    """Where it was never told that the money was taken, a lost dispute says so."""
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
    text = states.DISPUTE_NOTES[dispute.status]
    amount = f"{spelled(dispute.amount)} {dispute.currency}"
    money = (
        _("The money has been withdrawn from the shop.") if dispute.is_withdrawn else ""
    )
    told = text % {"amount": amount, "reason": dispute.reason or "–"}
    return f"{told} {money}".strip()
