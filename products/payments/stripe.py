"""Stripe Checkout: cards are entered at Stripe's pages, never at ours."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal

import requests
import stripe
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from products.models import Payment
from products.payments.interface import (
    BadSignature,
    Event,
    Kind,
    Refused,
    Session,
    Unreachable,
)

logger = logging.getLogger(__name__)

# Stripe counts in the smallest unit of a currency; most have a hundredth.
WHOLE = {
    *("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA"),
    *("PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"),
}
THOUSANDTHS = {"BHD", "JOD", "KWD", "OMR", "TND"}
# A session lives 30 minutes at least, counted from when Stripe hears of it; retries of
# an attempt must ask for the same time, so there is some to spare.
LIFETIME = timedelta(hours=2)
PAID_TYPES = {
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
}
FAILED_TYPES = {"checkout.session.async_payment_failed", "checkout.session.expired"}
KEPT = ("id", "client_reference_id", "amount_total", "currency", "payment_status")


def digits(currency: str) -> int:
    currency = currency.upper()
    return 0 if currency in WHOLE else 3 if currency in THOUSANDTHS else 2


def to_units(amount: Decimal, currency: str) -> int:
    """As Stripe counts: 1250 for 12.50 EUR. Raises `Refused` for half a yen."""
    units = amount.scaleb(digits(currency))
    if units != int(units):
        raise Refused(f"{amount} {currency} is no amount of money")
    return int(units)


def from_units(units: int, currency: str) -> Decimal:
    return Decimal(units).scaleb(-digits(currency))


class Stripe:
    """Does the part of `interface.Provider`."""

    @classmethod
    def is_configured(cls) -> bool:
        return bool(settings.STRIPE_SECRET_KEY and settings.STRIPE_WEBHOOK_SECRET)

    def open(self, payment: Payment, back: str) -> Session:
        order, key = payment.order, payment.idempotency_key
        with override(order.language):  # whoever asks again asks for the same
            title = _("Order %(number)s") % {"number": order.number}
        item = {
            "currency": payment.currency.lower(),
            "unit_amount": to_units(payment.amount, payment.currency),
            "product_data": {"name": f"{settings.SHOP_NAME}: {title}"},
        }
        params = {
            "mode": "payment",
            "client_reference_id": key,
            "customer_email": order.email,
            "line_items": [{"price_data": item, "quantity": 1}],
            "metadata": {"order": order.number},
            "success_url": back,
            "cancel_url": back,
            "expires_at": int((payment.created_at + LIFETIME).timestamp()),
        }
        with self.client() as client:
            session = client.v1.checkout.sessions.create(
                params, {"idempotency_key": key}
            )
        return Session(session.id, session.url)

    def close(self, reference: str) -> None:
        with self.client() as client:
            try:
                client.v1.checkout.sessions.expire(reference)
            except stripe.InvalidRequestError as refusal:
                # Paid or expired meanwhile (its event tells), or never there.
                logger.info("Session %s is not open: %s", reference, refusal)

    def refund(self, payment: Payment) -> None:
        params = {"payment_intent": payment.intent}
        options = {"idempotency_key": f"refund-{payment.idempotency_key}"}
        with self.client() as client:
            try:
                client.v1.refunds.create(params, options)
            except stripe.InvalidRequestError as refusal:
                if refusal.code != "charge_already_refunded":
                    raise

    @contextmanager
    def client(self) -> Iterator[stripe.StripeClient]:
        """Talks to Stripe; its errors become those of the interface."""
        base = settings.STRIPE_API_BASE
        with requests.Session() as session:
            http = stripe.RequestsClient(settings.STRIPE_TIMEOUT, session)
            try:
                yield stripe.StripeClient(
                    settings.STRIPE_SECRET_KEY,
                    base_addresses={"api": base} if base else {},
                    http_client=http,
                    max_network_retries=0,  # the shopper waits: they try again
                )
            except stripe.StripeError as error:
                is_unknown = isinstance(error, stripe.APIConnectionError)
                # 409: the same is being done right now; 429: too many at once
                if is_unknown or error.http_status in {409, 429}:
                    raise Unreachable(str(error)) from error
                raise Refused(str(error)) from error

    def event(self, body: bytes, signature: str) -> Event:
        try:
            told = stripe.Webhook.construct_event(
                body, signature, settings.STRIPE_WEBHOOK_SECRET
            ).to_dict()
        except (stripe.SignatureVerificationError, ValueError) as error:
            raise BadSignature(str(error)) from error
        return self.understood(told, told["data"]["object"])

    def understood(self, told: dict, session: dict) -> Event:
        event = {"provider": "stripe", "id": told["id"], "type": told["type"][:100]}
        if told["type"] not in PAID_TYPES | FAILED_TYPES:
            return Event(**event)
        currency = (session.get("currency") or "").upper()
        units = session.get("amount_total")
        return Event(
            **event,
            kind=self.kind(told["type"], session),
            key=session.get("client_reference_id") or "",
            reference=session["id"],
            intent=session.get("payment_intent") or "",
            amount=None if units is None else from_units(units, currency),
            currency=currency,
            payload={name: session.get(name) for name in KEPT},
        )

    def kind(self, name: str, session: dict) -> Kind:
        if name in FAILED_TYPES:
            return Kind.FAILED
        # Completed, but a bank's transfer is on its way: another event follows.
        is_paid = session.get("payment_status") in {"paid", "no_payment_required"}
        return Kind.PAID if is_paid else Kind.OTHER
