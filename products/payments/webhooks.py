"""Handles what providers report about payments.

Each event takes effect once, however often it arrives. Locks are taken in the
order order → payment → stock.
"""

import logging
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from products.models import Order, Payment, WebhookEvent
from products.orders import services as orders
from products.orders import states as order_states
from products.orders.exceptions import StatusConflict
from products.orders.models import spelled
from products.payments import disputes, providers, refunds, states
from products.payments.interface import Event, EventKind
from products.payments.services import SWEEP, end_attempt
from products.payments.settling import settle
from products.stock.exceptions import NotEnoughStock

logger = logging.getLogger(__name__)


def hear(event: Event) -> None:
    """Handle an event, once however often it arrives."""
    with transaction.atomic():
        try:
            with transaction.atomic():  # waits for another insert of the same event
                row = WebhookEvent.objects.create(
                    provider=event.provider,
                    event_id=event.id,
                    type=event.type,
                    payload=event.payload,
                )
        except IntegrityError:
            return
        _store_outcome(row, event)


def _store_outcome(row: WebhookEvent, event: Event) -> None:
    """Handle the event, and store the outcome for people who look at the table."""
    try:
        row.outcome, row.awaits = _handle(event), ""
    except Payment.DoesNotExist:
        # Perhaps the payment is reported later, or belongs to another shop.
        row.outcome, row.awaits = "no such payment", event.intent
    row.save(update_fields=["outcome", "awaits"])


def _handle(event: Event) -> str:
    """Handle the event and return the outcome.

    Raises `Payment.DoesNotExist` if its payment is not known.
    """
    if event.kind == EventKind.REFUNDED:
        return _refunded(_by_intent(event), event)
    if event.kind == EventKind.DISPUTED and event.dispute is not None:
        is_news = disputes.record(_by_intent(event), event.dispute)
        return "dispute recorded" if is_news else "known already"
    if event.kind == EventKind.OTHER:
        return "nothing to do"
    attempt = Payment.objects.filter(
        provider=event.provider, idempotency_key=event.key
    ).first()
    if attempt is None or attempt.reference not in ("", event.reference):
        # Perhaps of another shop with the same account.
        logger.warning("Event %s is about no payment of ours", event.id)
        return "no such payment"
    order = Order.objects.select_for_update().get(pk=attempt.order_id)
    payment = Payment.objects.select_for_update().get(pk=attempt.pk)
    if event.kind == EventKind.FAILED:
        return _failed(order, payment)
    return _paid(order, payment, event)


def _by_intent(event: Event) -> Payment:
    if not event.intent:
        raise Payment.DoesNotExist
    received = Payment.objects.filter(received__isnull=False)
    payment = received.filter(provider=event.provider, intent=event.intent).first()
    if payment is None:
        raise Payment.DoesNotExist
    return payment


def _refunded(payment: Payment, event: Event) -> str:
    is_news = refunds.record(payment, list(event.refunds))
    payment.refresh_from_db()
    if event.refunded is not None and event.refunded != payment.refunded:
        Payment.objects.filter(pk=payment.pk).update(is_outdated=True)

        def look_up() -> None:
            refunds.look_up(payment)

        transaction.on_commit(look_up, robust=True)
        return "refunds to be looked up"
    return "refund recorded" if is_news else "known already"


def _failed(order: Order, payment: Payment) -> str:
    if not end_attempt(payment):
        return "too late"
    orders.note(order, note=_("A payment failed or was not completed in time."))
    return "failed"


def _paid(order: Order, payment: Payment, event: Event) -> str:
    if payment.status not in states.RECEIVE.sources:
        return "known already"
    payment.reference, payment.intent = event.reference, event.intent
    payment.received = event.amount or Decimal(0)
    payment.received_currency = event.currency
    payment.status = states.when_received(payment)
    payment.save()
    outcome = _use_payment(order, payment)
    _catch_up(payment)
    return outcome


def _use_payment(order: Order, payment: Payment) -> str:
    """Pay the order, put it on hold, or refund the payment. Return the outcome."""
    if payment.differs:
        logger.error("Payment of %s: %s", order.number, _difference(payment))
    if payment.differs and order.is_prepaid and order_states.PAY.allows(order):
        settle(order, payment, note=_difference(payment))
        return "differs"
    if not payment.differs and _pay_order(order):
        return "paid"
    text = _("The payment arrived too late. It is being refunded.")
    refunds.give_back(order, payment, note=text)
    return "to be refunded"


def _difference(payment: Payment) -> str:
    got = f"{spelled(payment.received or Decimal(0))} {payment.received_currency}"
    text = _("%(got)s was paid, but the total is %(total)s. Please check this.")
    return text % {"got": got, "total": f"{payment.amount} {payment.currency}"}


def _catch_up(payment: Payment) -> None:
    """Handle events about the payment that arrived before it was known."""
    if not payment.intent:
        return
    waiting = WebhookEvent.objects.filter(awaits=payment.intent)
    for row in waiting.filter(provider=payment.provider).order_by("pk"):
        event = providers.provider(row.provider).stored_event(row.payload)
        _store_outcome(row, event)


def catch_up_all() -> int:
    """Handle events that waited for a payment which is known now.

    Both may have arrived at the same moment. Return how many payments there were.
    Several of these may run at once.
    """
    waiting = WebhookEvent.objects.waiting().values("awaits")
    known = Payment.objects.filter(intent__in=waiting, received__isnull=False)
    payments = list(known[:SWEEP])
    for payment in payments:
        with transaction.atomic():
            Order.objects.select_for_update().get(pk=payment.order_id)
            _catch_up(payment)
    return len(payments)


def _pay_order(order: Order) -> bool:
    """Mark the order as paid, if it waits for payment or can be reopened.

    Return whether that was possible.
    """
    if not order.is_prepaid:  # the shopper has changed the method
        return False
    try:
        if order_states.REVIVE.allows(order):
            orders.revive(order, note=_("Paid after it expired."))
        else:
            orders.pay(order)
    except (StatusConflict, NotEnoughStock):
        return False
    return True
