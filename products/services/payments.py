"""Payments: begun here, heard of from the provider, given back when too late.

The provider is never called inside a transaction. What is to be called for is written
and committed before, so that a lost answer is asked for again under the same key.
Locks are taken in the order order → payment → stock.
"""

import logging
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from products import payments
from products.exceptions import (
    NotEnoughStock,
    PaymentRefused,
    PaymentUnavailable,
    PaymentUnderWay,
    RefundRefused,
    StatusConflict,
)
from products.models import Order, Payment, WebhookEvent
from products.models.sweeps import is_due
from products.payments import interface
from products.payments.interface import Event, Kind
from products.services import orders, sweeps

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
    return settings.DOMAIN_NAME + reverse("products:order", args=[order.number])


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
        row.outcome = _done(event)
        row.save(update_fields=["outcome"])


def _done(event: Event) -> str:
    """Do it; a word on what was done, for who looks into the table."""
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


def _failed(order: Order, payment: Payment) -> str:
    if not _end(payment):
        return "too late"
    orders.note(order, note=_("A payment failed, or was not finished in time."))
    return "failed"


def _paid(order: Order, payment: Payment, event: Event) -> str:
    if payment.status not in (*OPEN, Status.FAILED):
        return "known already"
    payment.reference, payment.intent = event.reference, event.intent
    asked = (payment.amount, payment.currency.upper())
    if (event.amount, event.currency) != asked:
        return _differs(order, payment, event)
    payment.status = Status.PAID
    payment.save()
    if _settles(order):
        return "paid"
    _owe(order, payment)
    return "to be refunded"


def _differs(order: Order, payment: Payment, event: Event) -> str:
    payment.status = Status.DIFFERS
    payment.save()
    got = f"{event.amount} {event.currency}"
    logger.error("Payment of %s: %s instead of its total", order.number, got)
    text = _("%(got)s was paid instead of %(total)s: please look into it.")
    total = f"{payment.amount} {payment.currency}"
    orders.note(order, note=text % {"got": got, "total": total})
    return "differs"


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


# --- Closing ----------------------------------------------------------------------


def close_all() -> int:
    """Close the pages of attempts that nobody should pay any more: their order is over,
    or another attempt took their place; how many. May run several at once."""
    no_more = Q(status=Status.CLOSING)
    no_more |= Q(status=Status.CREATED) & ~Q(order__status=Order.Status.PENDING)
    oldest_first = Payment.objects.filter(is_due(), no_more).order_by("changed_at")
    found = oldest_first.select_related("order")[:SWEEP]
    return sweeps.each(found, close)


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


# --- Giving it back ---------------------------------------------------------------


def _owe(order: Order, payment: Payment) -> None:
    """Note that the money goes back; asked for when this is committed."""
    payment.status = Status.REFUNDING
    payment.save()
    orders.note(order, note=_("The payment came too late: it is given back."))

    # Nested, not partial(): Django asks a failing callback for its name.
    def give_back() -> None:
        refund(payment)

    transaction.on_commit(give_back, robust=True)


def refund(payment: Payment) -> bool:
    """Ask the provider to give it back, once; whether it is given back now. If not,
    `refund_all` asks again."""
    try:
        payments.provider(payment.provider).refund(payment)
    except (interface.Refused, interface.Unreachable, PaymentUnavailable) as error:
        logger.error("Refund of payment %s: %s", payment.pk, error)
        # The others have their turn first.
        owed = Payment.objects.filter(pk=payment.pk, status=Status.REFUNDING)
        owed.update(changed_at=timezone.now())
        if type(error) is interface.Refused:  # asked again it would say the same
            sweeps.note(payment, RefundRefused())
        return False
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=payment.order_id)
        owed = Payment.objects.filter(pk=payment.pk, status=Status.REFUNDING)
        if owed.update(status=Status.REFUNDED, changed_at=timezone.now()):
            orders.note(order, note=_("The payment was given back."))
    return True


def refund_all() -> int:
    """Give back what is owed, also for paid orders that were cancelled since; how many
    payments. May run several at once."""
    cancelled = Payment.objects.filter(
        status=Status.PAID, order__status=Order.Status.CANCELLED
    )
    sweeps.each(cancelled.filter(is_due())[:SWEEP], _owe_cancelled)
    owed = Payment.objects.filter(status=Status.REFUNDING).order_by("changed_at")
    return sweeps.each(owed.filter(is_due())[:SWEEP], refund)


@transaction.atomic
def _owe_cancelled(payment: Payment) -> None:
    order = Order.objects.select_for_update().get(pk=payment.order_id)
    paid = Payment.objects.filter(pk=payment.pk, status=Status.PAID)
    if paid.update(status=Status.REFUNDING, changed_at=timezone.now()):
        orders.note(order, note=_("It was paid: the payment is given back."))
