"""Payments: begun here, heard of from the provider, given back when too late.

The provider is never called inside a transaction. What is to be called for is written
and committed before, so that a lost answer is asked for again under the same key.
Locks are taken in the order order → payment → stock.
"""

import logging
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urljoin

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from products import payments
from products.exceptions import (
    NotEnoughStock,
    PaymentRefused,
    PaymentUnavailable,
    PaymentUnderWay,
    StatusConflict,
)
from products.models import Order, Payment, WebhookEvent
from products.models.order import spelled
from products.models.sweeps import is_due
from products.payments import interface
from products.payments.interface import Event, Kind
from products.services import disputes, orders, refunds, sweeps
from products.services.settling import settle

Offer, offers = payments.Offer, payments.offers
Status = Payment.Status
logger = logging.getLogger(__name__)
OPEN = (Status.CREATED, Status.CLOSING)  # one may still be paying there
SWEEP = 100
FRESH = timedelta(hours=1)  # an attempt is gone on with so long
MISCONFIGURED_S = 3600  # that the provider does not take our keys is logged so rarely


# --- Paying -----------------------------------------------------------------------


def start(order: Order) -> str:
    """Where the shopper pays the order: an address of the provider's.

    Done again, it gives the same page while that can be paid at. Raises
    `StatusConflict` unless the order waits for payment, `PaymentUnavailable` if the
    provider does not answer, which may be tried again, and `PaymentRefused` if it will
    not take the payment.
    """
    if not order.is_prepaid:
        raise StatusConflict(order.number, order.get_status_display())
    try:
        provider = payments.provider(order.method)
    except PaymentUnavailable as error:  # not in this shop any more
        raise PaymentRefused from error
    for _turn in range(2):
        payment = _attempt(order)
        if payment.address:
            return payment.address
        try:
            session = provider.open(payment, _back(order))
        except interface.Superseded as error:
            logger.warning("Payment of %s begins anew: %s", order.number, error)
            _end(payment)
        except interface.Unreachable as error:
            logger.warning("Payment of %s: no answer: %s", order.number, error)
            raise PaymentUnavailable from error
        except interface.Refused as error:
            _refused(order, payment, error)
            raise PaymentRefused from error
        else:
            return _opened(payment, session)
    raise PaymentRefused


def _refused(order: Order, payment: Payment, error: interface.Refused) -> None:
    """Nobody pays there; staff read in the log why, of bad keys once in an hour."""
    is_known = isinstance(error, interface.Misconfigured) and not cache.add(
        f"payments:misconfigured:{payment.provider}", True, MISCONFIGURED_S
    )
    if not is_known:
        logger.error("Payment of %s was refused: %s", order.number, error)
    _end(payment)


def _opened(payment: Payment, session: interface.Session) -> str:
    Payment.objects.filter(pk=payment.pk).update(
        reference=session.reference, address=session.address, changed_at=timezone.now()
    )
    return session.address


def _back(order: Order) -> str:
    path = reverse("products:order", args=[order.number])
    return urljoin(f"{settings.DOMAIN_NAME}/", path)


@transaction.atomic
def _attempt(order: Order) -> Payment:
    """The attempt that is under way, or a new one. Raises `StatusConflict`."""
    order = Order.objects.select_for_update().get(pk=order.pk)
    if "pay" not in order.may:
        raise StatusConflict(order.number, order.get_status_display())
    under_way = order.payments.filter(status=Status.CREATED).first()
    if under_way and under_way.created_at > timezone.now() - FRESH:
        return under_way
    if under_way:
        order.payments.filter(pk=under_way.pk).update(status=Status.CLOSING)
    return Payment.objects.create(
        order=order,
        provider=order.method,
        amount=order.total,
        currency=order.currency,
    )


def _end(payment: Payment) -> bool:
    """It leads nowhere any more, unless it did meanwhile. Whether it was under way."""
    begun = Payment.objects.filter(pk=payment.pk, status__in=OPEN)
    return bool(begun.update(status=Status.FAILED, changed_at=timezone.now()))


# --- Paying another way -----------------------------------------------------------


def pay_on_delivery(order: Order, *, actor: AbstractUser | None = None) -> Order:
    """Let the order be paid when it arrives, and close the page to pay at.

    Who finds a way to pay there all the same gets their money back. Raises
    `PaymentUnderWay` if somebody has just paid, `StatusConflict` unless the order waits
    for payment.
    """
    for payment in order.payments.filter(status__in=OPEN).select_related("order"):
        _close_unless_paid(payment)
    return _switch(order, actor=actor)


def _close_unless_paid(payment: Payment) -> None:
    """Raises `PaymentUnderWay`. A provider that does not answer keeps nobody from
    paying another way: `close_all` asks it again."""
    try:
        is_paid = _shut(payment)
    except (interface.Refused, interface.Unreachable, PaymentUnavailable) as error:
        logger.warning("Closing payment %s: %s", payment.pk, error)
        return
    if is_paid:
        raise PaymentUnderWay
    _end(payment)


@transaction.atomic
def _switch(order: Order, *, actor: AbstractUser | None) -> Order:
    order = Order.objects.select_for_update().get(pk=order.pk)
    if "switch" not in order.may:
        raise StatusConflict(order.number, order.get_status_display())
    order.payments.filter(status=Status.CREATED).update(status=Status.CLOSING)
    return orders.pay_on_delivery(order, actor=actor)


# --- Hearing of it ----------------------------------------------------------------


def hear(event: Event) -> None:
    """Do what an event means, once however often it is told."""
    with transaction.atomic():
        try:
            with transaction.atomic():  # waits for who inserts the same right now
                row = WebhookEvent.objects.create(
                    provider=event.provider,
                    event_id=event.id,
                    type=event.type,
                    payload=event.payload,
                )
        except IntegrityError:
            return
        _note_outcome(row, event)


def _note_outcome(row: WebhookEvent, event: Event) -> None:
    """Do it; a word on what was done, for who looks into the table."""
    try:
        row.outcome, row.awaits = _done(event), ""
    except Payment.DoesNotExist:
        # Perhaps that it was paid is told later; or it is another shop's.
        row.outcome, row.awaits = "no such payment", event.intent
    row.save(update_fields=["outcome", "awaits"])


def _done(event: Event) -> str:
    """Raises `Payment.DoesNotExist` if it is about a payment that we don't know."""
    if event.kind == Kind.REFUNDED:
        return _refunded(_by_intent(event), event)
    if event.kind == Kind.DISPUTED:
        is_news = disputes.record(_by_intent(event), event.dispute)
        return "dispute recorded" if is_news else "known already"
    if event.kind == Kind.OTHER:
        return "nothing to do"
    found = Payment.objects.filter(
        provider=event.provider, idempotency_key=event.key
    ).first()
    if found is None or found.reference not in ("", event.reference):
        # Of another shop with the same account, perhaps.
        logger.warning("Event %s is about no payment of ours", event.id)
        return "no such payment"
    order = Order.objects.select_for_update().get(pk=found.order_id)
    payment = Payment.objects.select_for_update().get(pk=found.pk)
    if event.kind == Kind.FAILED:
        return _failed(order, payment)
    return _paid(order, payment, event)


def _by_intent(event: Event) -> Payment:
    if not event.intent:
        raise Payment.DoesNotExist
    payments_of_it = Payment.objects.filter(provider=event.provider)
    found = payments_of_it.filter(intent=event.intent, received__isnull=False).first()
    if found is None:
        raise Payment.DoesNotExist
    return found


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
    if not _end(payment):
        return "too late"
    orders.note(order, note=_("A payment failed, or was not finished in time."))
    return "failed"


def _paid(order: Order, payment: Payment, event: Event) -> str:
    if payment.status not in (*OPEN, Status.FAILED):
        return "known already"
    payment.reference, payment.intent = event.reference, event.intent
    payment.received = event.amount or Decimal(0)
    payment.received_currency = event.currency
    payment.status = Status.DIFFERS if payment.differs else Status.PAID
    payment.save()
    outcome = _taken_in(order, payment)
    _catch_up(payment)
    return outcome


def _taken_in(order: Order, payment: Payment) -> str:
    """Pay the order with it, put the order on hold, or give it back."""
    if payment.differs:
        logger.error("Payment of %s: %s", order.number, _difference(payment))
    if payment.differs and order.status == Order.Status.PENDING and order.is_prepaid:
        settle(order, payment, note=_difference(payment))
        return "differs"
    if not payment.differs and _settles(order):
        return "paid"
    text = _("The payment came too late. It is being refunded.")
    refunds.give_back(order, payment, note=text)
    return "to be refunded"


def _difference(payment: Payment) -> str:
    got = f"{spelled(payment.received)} {payment.received_currency}"
    text = _("%(got)s was paid instead of the total of %(total)s. Please check this.")
    return text % {"got": got, "total": f"{payment.amount} {payment.currency}"}


def _catch_up(payment: Payment) -> None:
    """Do what was told of this payment before it was told that it was paid."""
    if not payment.intent:
        return
    waiting = WebhookEvent.objects.filter(awaits=payment.intent)
    for row in waiting.filter(provider=payment.provider).order_by("pk"):
        event = payments.provider(row.provider).again(row.payload)
        _note_outcome(row, event)


def catch_up_all() -> int:
    """Do what was told of payments that are known by now, as both may have come at the
    same moment; how many payments. May run several at once."""
    waiting = WebhookEvent.objects.waiting().values("awaits")
    known = Payment.objects.filter(intent__in=waiting, received__isnull=False)
    found = list(known[:SWEEP])
    for payment in found:
        with transaction.atomic():
            Order.objects.select_for_update().get(pk=payment.order_id)
            _catch_up(payment)
    return len(found)


def _settles(order: Order) -> bool:
    """Whether the money makes the order paid: if it waits for it, or expired and its
    units are still to be had."""
    if not order.is_prepaid:  # the shopper chose another way meanwhile
        return False
    try:
        if order.status == Order.Status.EXPIRED:
            orders.revive(order, note=_("Paid after it expired."))
        else:
            orders.pay(order)
    except (StatusConflict, NotEnoughStock):
        return False
    return True


# --- By staff ---------------------------------------------------------------------


@transaction.atomic
def go_on(order: Order, *, actor: AbstractUser, note: str) -> Order:
    """Staff have looked at an order that is on hold: it goes on. One that was paid
    differently counts as paid. Raises `StatusConflict` unless it is on hold."""
    order = Order.objects.select_for_update().get(pk=order.pk)
    if not order.on_hold:
        raise StatusConflict(order.number, order.get_status_display())
    if order.on_hold != Order.OnHold.DIFFERS:
        return orders.note(order, actor=actor, note=note, on_hold="")
    differing = order.payments.filter(status=Status.DIFFERS)
    differing.update(status=Status.PAID, is_accepted=True, changed_at=timezone.now())
    orders.note(order, actor=actor, note=note, on_hold="")
    return orders.pay(order, actor=actor)


# --- Closing ----------------------------------------------------------------------


def close_all() -> int:
    """Close the pages of attempts that nobody should pay any more: their order is over,
    or another attempt took their place; how many. May run several at once."""
    oldest_first = to_close().filter(is_due()).order_by("changed_at")
    found = oldest_first.select_related("order")[:SWEEP]
    return sweeps.each(found, close)


def to_close() -> QuerySet[Payment]:
    """Attempts whose page is open and that nobody should pay any more."""
    no_more = Q(status=Status.CLOSING)
    no_more |= Q(status=Status.CREATED) & ~Q(order__status=Order.Status.PENDING)
    return Payment.objects.filter(no_more)


def close(payment: Payment) -> bool:
    """Ask the provider to close the attempt's page; whether it was done now. If not,
    `close_all` asks again. Who pays meanwhile gets their money back."""
    try:
        _shut(payment)
    except (interface.Refused, interface.Unreachable, PaymentUnavailable) as error:
        logger.warning("Closing payment %s: %s", payment.pk, error)
        # The others have their turn first.
        waits = Payment.objects.filter(pk=payment.pk, status__in=OPEN)
        waits.update(changed_at=timezone.now())
        return False
    return _end(payment)


def _shut(payment: Payment) -> bool:
    """Close the page at the provider; whether somebody had paid there."""
    provider = payments.provider(payment.provider)
    reference = payment.reference
    if not reference:  # its answer was lost: asked again, it is the same page
        try:
            reference = provider.open(payment, _back(payment.order)).reference
        except interface.Misconfigured:
            raise
        except interface.Refused:  # there is none
            return False
    return provider.close(reference)
