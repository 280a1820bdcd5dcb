"""Starts, switches and closes payments.

The provider is never called inside a transaction. What it is to be asked for is
written and committed before, so that a lost answer is asked for again under the
same key. Locks are taken in the order order → payment → stock.
"""

import logging
from datetime import timedelta
from urllib.parse import urljoin

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.cache import cache
from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from products.models import Order, Payment
from products.orders import services as orders
from products.orders import states as order_states
from products.orders.exceptions import StatusConflict
from products.payments import interface, providers, states
from products.payments.exceptions import (
    PaymentRefused,
    PaymentUnavailable,
    PaymentUnderWay,
)
from products.sweeps import services as sweeps
from products.sweeps.models import is_due

Offer, offers = providers.Offer, providers.offers
logger = logging.getLogger(__name__)
SWEEP = 100
FRESH = timedelta(hours=1)  # an attempt is gone on with so long
MISCONFIGURED_S = 3600  # that the provider does not take our keys is logged so rarely


def start(order: Order) -> str:
    """Where the shopper pays the order: an address of the provider's.

    Done again, it gives the same page while that can be paid at. Raises
    `StatusConflict` unless the order waits for payment, `PaymentUnavailable` if the
    provider does not answer, which may be tried again, and `PaymentRefused` if it will
    not take the payment.
    """
    if not order.is_prepaid:
        raise StatusConflict(order.number, order.label)
    try:
        provider = providers.provider(order.method)
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
            end_attempt(payment)
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
    end_attempt(payment)


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
    if not order_states.START_PAYMENT.allows(order):
        raise StatusConflict(order.number, order.label)
    under_way = order.payments.filter(status__in=states.CLOSE.sources).first()
    if under_way and under_way.created_at > timezone.now() - FRESH:
        return under_way
    if under_way:
        order.payments.filter(pk=under_way.pk).update(status=states.CLOSE.to)
    return Payment.objects.create(
        order=order,
        provider=order.method,
        amount=order.total,
        currency=order.currency,
    )


def end_attempt(payment: Payment) -> bool:
    """It leads nowhere any more, unless it did meanwhile. Whether it was under way."""
    begun = Payment.objects.filter(pk=payment.pk, status__in=states.OPEN)
    return bool(begun.update(status=states.END.to, changed_at=timezone.now()))


def pay_on_delivery(order: Order, *, actor: AbstractUser | None = None) -> Order:
    """Let the order be paid when it arrives, and close the page to pay at.

    Who finds a way to pay there all the same gets their money back. Raises
    `PaymentUnderWay` if somebody has just paid, `StatusConflict` unless the order waits
    for payment.
    """
    attempts = order.payments.filter(status__in=states.OPEN)
    for payment in attempts.select_related("order"):
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
    end_attempt(payment)


@transaction.atomic
def _switch(order: Order, *, actor: AbstractUser | None) -> Order:
    order = Order.objects.select_for_update().get(pk=order.pk)
    if not order_states.SWITCH.allows(order):
        raise StatusConflict(order.number, order.label)
    attempts = order.payments.filter(status__in=states.CLOSE.sources)
    attempts.update(status=states.CLOSE.to)
    return orders.pay_on_delivery(order, actor=actor)


@transaction.atomic
def go_on(order: Order, *, actor: AbstractUser, note: str) -> Order:
    """Staff have looked at an order that is on hold: it goes on. One that was paid
    differently counts as paid. Raises `StatusConflict` unless it is on hold."""
    order = Order.objects.select_for_update().get(pk=order.pk)
    if not order.on_hold:
        raise StatusConflict(order.number, order.label)
    if order.on_hold != Order.OnHold.DIFFERS:
        return orders.note(order, actor=actor, note=note, on_hold="")
    differing = order.payments.filter(status__in=states.ACCEPT.sources)
    differing.update(
        status=states.ACCEPT.to, is_accepted=True, changed_at=timezone.now()
    )
    orders.note(order, actor=actor, note=note, on_hold="")
    return orders.pay(order, actor=actor)


def close_all() -> int:
    """Close the pages of attempts that nobody should pay any more: their order is over,
    or another attempt took their place; how many. May run several at once."""
    oldest_first = to_close().filter(is_due()).order_by("changed_at")
    found = oldest_first.select_related("order")[:SWEEP]
    return sweeps.each(found, close)


def to_close() -> QuerySet[Payment]:
    """Attempts whose page is open and that nobody should pay any more."""
    waits_for_money = Q(order__status__in=order_states.PAY.statuses)
    is_pointless = Q(status__in=states.CLOSE.sources) & ~waits_for_money
    return Payment.objects.filter(Q(status=states.CLOSE.to) | is_pointless)


def close(payment: Payment) -> bool:
    """Ask the provider to close the attempt's page; whether it was done now. If not,
    `close_all` asks again. Who pays meanwhile gets their money back."""
    try:
        _shut(payment)
    except (interface.Refused, interface.Unreachable, PaymentUnavailable) as error:
        logger.warning("Closing payment %s: %s", payment.pk, error)
        # The others have their turn first.
        waits = Payment.objects.filter(pk=payment.pk, status__in=states.OPEN)
        waits.update(changed_at=timezone.now())
        return False
    return end_attempt(payment)


def _shut(payment: Payment) -> bool:
    """Close the page at the provider; whether somebody had paid there."""
    provider = providers.provider(payment.provider)
    reference = payment.reference
    if not reference:  # its answer was lost: asked again, it is the same page
        try:
            reference = provider.open(payment, _back(payment.order)).reference
        except interface.Misconfigured:
            raise
        except interface.Refused:  # there is none
            return False
    return provider.close(reference)
