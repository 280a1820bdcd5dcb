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
from products.payments import stripe_events
from products.payments.interface import (
    BadSignature,
    Event,
    Refused,
    Session,
    Unreachable,
)
from products.payments.stripe_events import digits

logger = logging.getLogger(__name__)

# A session lives 30 minutes at least, counted from when Stripe hears of it; retries of
# an attempt must ask for the same time, so there is some to spare.
LIFETIME = timedelta(hours=2)
LONGEST_SIGNATURE = 4096


def to_units(amount: Decimal, currency: str) -> int:
    """As Stripe counts: 1250 for 12.50 EUR. Raises `Refused` for half a yen."""
    units = amount.scaleb(digits(currency))
    if units != int(units):
        raise Refused(f"{amount} {currency} is no amount of money")
    return int(units)


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
        check_signature(body, signature)
        event = stripe_events.read(told := stripe_events.parse(body.decode()))
        if told.get("livemode") is False and is_live_key():
            logger.warning("Event %s is a test, but the shop's key is live", event.id)
            return Event(event.provider, event.id, event.type)
        return event


def check_signature(body: bytes, signature: str) -> None:
    """Raises `BadSignature` unless Stripe signed it in the last five minutes."""
    # The library compares it with ASCII and fails for anything else.
    if not signature.isascii() or len(signature) > LONGEST_SIGNATURE:
        raise BadSignature("no signature of Stripe's")
    try:
        stripe.WebhookSignature.verify_header(
            body.decode(),
            signature,
            settings.STRIPE_WEBHOOK_SECRET,
            stripe.Webhook.DEFAULT_TOLERANCE,
        )
    except (stripe.SignatureVerificationError, ValueError) as error:
        raise BadSignature(str(error)) from error


def is_live_key() -> bool:
    """Whether the shop's key moves real money."""
    return "_live_" in settings.STRIPE_SECRET_KEY[:8]
