"""Starts, switches and closes payments.

The provider is never called inside a transaction. A row with a key is committed before
each call, so that a call without an answer can be repeated with the same key. Locks are
taken in the order order → payment → stock.
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

Offer = providers.Offer
offers = providers.offers
logger = logging.getLogger(__name__)
SWEEP = 100
FRESH = timedelta(hours=1)  # an older attempt is replaced
MISCONFIGURED_S = 3600  # rejected keys are logged once in this time


def start(order: Order) -> str:
    """Return the address of the provider's page where the shopper pays the order.

    It is the same page each time, while it is open. Raises `StatusConflict` unless the
    order waits for payment, `PaymentUnavailable` if the provider does not answer, and
    `PaymentRefused` if it refuses the payment.
    """
    if not order.is_prepaid:
        raise StatusConflict(order.number, order.label)
    try:
        provider = providers.provider(order.method)
    except PaymentUnavailable as error:  # this shop no longer has the method
        raise PaymentRefused from error
    for _turn in range(2):
        payment = _attempt(order)
        if payment.address:
            return payment.address
        try:
            session = provider.open(payment, _back(order))
        except interface.Superseded as error:
            logger.warning("Payment of %s starts again: %s", order.number, error)
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
    """End the attempt and log why. Rejected keys are logged once an hour."""
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
    """Return the open attempt, or a new one. Raises `StatusConflict`."""
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
    """Mark an open attempt as failed. Return False if it was not open any more."""
    begun = Payment.objects.filter(pk=payment.pk, status__in=states.OPEN)
    return bool(begun.update(status=states.END.to, changed_at=timezone.now()))


def pay_on_delivery(order: Order, *, actor: AbstractUser | None = None) -> Order:
    """Change the order to payment on delivery, and close the provider's page.

    If somebody still pays there, the payment is refunded. Raises `PaymentUnderWay` if
    somebody has just paid, and `StatusConflict` unless the order waits for payment.
    """
    attempts = order.payments.filter(status__in=states.OPEN)
    for payment in attempts.select_related("order"):
        _close_unless_paid(payment)
    return _switch(order, actor=actor)


def _close_unless_paid(payment: Payment) -> None:
    """Close an attempt's page. Raises `PaymentUnderWay` if it was paid.

    If the provider does not answer, `close_all` closes the page later.
    """
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
    """Release an order that is on hold, after staff have checked it.

    If another amount was paid, the order counts as paid. Raises `StatusConflict` unless
    the order is on hold.
    """
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
    """Close the pages that nobody should pay at. Return how many.

    Several of these may run at once.
    """
    oldest_first = to_close().filter(is_due()).order_by("changed_at")
    attempts = oldest_first.select_related("order")[:SWEEP]
    return sweeps.each(attempts, close)


def to_close() -> QuerySet[Payment]:
    """Return attempts with an open page whose order is over or has a newer attempt."""
    waits_for_money = Q(order__status__in=order_states.PAY.statuses)
    is_pointless = Q(status__in=states.CLOSE.sources) & ~waits_for_money
    return Payment.objects.filter(Q(status=states.CLOSE.to) | is_pointless)


def close(payment: Payment) -> bool:
    """Close an attempt's page. Return whether the provider did it.

    If not, `close_all` tries again. What is paid there until then is refunded.
    """
    try:
        _shut(payment)
    except (interface.Refused, interface.Unreachable, PaymentUnavailable) as error:
        logger.warning("Closing payment %s: %s", payment.pk, error)
        # Other attempts have their turn first.
        waits = Payment.objects.filter(pk=payment.pk, status__in=states.OPEN)
        waits.update(changed_at=timezone.now())
        return False
    return end_attempt(payment)


def _shut(payment: Payment) -> bool:
    """Close the page at the provider. Return whether somebody has paid there."""
    provider = providers.provider(payment.provider)
    reference = payment.reference
    if not reference:  # its answer was lost: the same key gives the same page
        try:
            reference = provider.open(payment, _back(payment.order)).reference
        except interface.Misconfigured:
            raise
        except interface.Refused:  # there is no page
            return False
    return provider.close(reference)
