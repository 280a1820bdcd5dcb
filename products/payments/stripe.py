"""Stripe Checkout: shoppers enter their cards on Stripe's pages, never on ours."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import requests
import stripe
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from products.models import Payment, Refund
from products.payments import stripe_events
from products.payments.interface import (
    BadEvent,
    BadSignature,
    Event,
    Limits,
    Misconfigured,
    RefundFacts,
    Refused,
    Session,
    Superseded,
    Unreachable,
)
from products.payments.stripe_events import digits, from_units

if TYPE_CHECKING:
    from stripe import RequestOptions
    from stripe.params import EventListParams, RefundCreateParams, RefundListParams
    from stripe.params.checkout import (
        SessionCreateParams,
        SessionCreateParamsLineItemPriceData,
    )

logger = logging.getLogger(__name__)

# Stripe wants a session to last at least 30 minutes from its request. Retries must send
# the same time, so there is some to spare.
LIFETIME = timedelta(hours=2)
LONGEST_SIGNATURE = 4096
# The least amount for accounts in that currency; in others about half a dollar. If
# Stripe wants more, it refuses the session.
LEAST = {
    **{"AED": "2", "AUD": "0.50", "BGN": "1", "BRL": "0.50", "CAD": "0.50"},
    **{"CHF": "0.50", "CZK": "15", "DKK": "2.50", "EUR": "0.50", "GBP": "0.30"},
    **{"HKD": "4", "HUF": "175", "INR": "0.50", "JPY": "50", "MXN": "10"},
    **{"MYR": "2", "NOK": "3", "NZD": "0.50", "PLN": "2", "RON": "2", "SEK": "3"},
    **{"SGD": "0.50", "THB": "10", "USD": "0.50"},
}
MOST_UNITS = 99_999_999  # eight digits, 999,999.99 EUR
MORE_DIGITS = {"COP": 10, "HUF": 10, "IDR": 12, "INR": 9, "JPY": 10}
MOST_LISTED = 100  # refunds or events in one answer
IN_USE = 409  # another request with this key is running


def to_units(amount: Decimal, currency: str) -> int:
    """Return an amount in Stripe's units, 1250 for 12.50 EUR. Raises `Refused`."""
    units = amount.scaleb(digits(currency))
    if units != int(units):
        raise Refused(f"{amount} {currency} is no amount of money")
    return int(units)


class Stripe:
    """Implements `interface.Provider`."""

    @classmethod
    def is_configured(cls) -> bool:
        return bool(settings.STRIPE_SECRET_KEY and settings.STRIPE_WEBHOOK_SECRET)

    @classmethod
    def limits(cls, currency: str) -> Limits:
        currency = currency.upper()
        most = (
            10 ** MORE_DIGITS[currency] - 1 if currency in MORE_DIGITS else MOST_UNITS
        )
        return Limits(
            least=Decimal(LEAST.get(currency, 0)) or from_units(1, currency),
            most=from_units(most, currency),
        )

    def open(self, payment: Payment, back: str) -> Session:
        params, key = page_params(payment, back), payment.idempotency_key
        with self.client() as client:
            create = client.v1.checkout.sessions.create
            try:
                session = create(params, {"idempotency_key": key})
            except stripe.InvalidRequestError as refusal:
                if refusal.param != "customer_email":
                    raise
                # Then Stripe's page asks for an address.
                del params["customer_email"]
                session = create(params, {"idempotency_key": f"{key}-no-email"})
        if session.url is None:
            raise Unreachable(f"Session {session.id} has no page")
        return Session(session.id, session.url)

    def close(self, reference: str) -> bool:
        with self.client() as client:
            sessions = client.v1.checkout.sessions
            try:
                sessions.expire(reference)
            except stripe.InvalidRequestError as refusal:
                # It was paid, has expired or never existed. An event reports payments.
                logger.info("Session %s is not open: %s", reference, refusal)
            else:
                return False
            try:
                return sessions.retrieve(reference).status == "complete"
            except stripe.InvalidRequestError:
                return False

    def refund(self, refund: Refund) -> RefundFacts:
        params: "RefundCreateParams" = {
            "payment_intent": refund.payment.intent,
            "amount": to_units(refund.amount, refund.currency),
            "metadata": {"refund": refund.idempotency_key},
        }
        options: "RequestOptions" = {
            "idempotency_key": f"refund-{refund.idempotency_key}"
        }
        with self.client() as client:
            created = client.v1.refunds.create(params, options)
        return understood(created)

    def refunds(self, payment: Payment) -> list[RefundFacts]:
        params: "RefundListParams" = {
            "payment_intent": payment.intent,
            "limit": MOST_LISTED,
        }
        with self.client() as client:
            listed = client.v1.refunds.list(params).auto_paging_iter()
            return [understood(refund) for refund in listed]

    def past_events(self) -> list[Event]:
        """Stripe keeps its events for 30 days."""
        params: "EventListParams" = {
            "types": sorted(stripe_events.TYPES),
            "limit": MOST_LISTED,
        }
        with self.client() as client:
            listed = list(client.v1.events.list(params).auto_paging_iter())
        events = []
        for event in reversed(listed):
            try:
                events.append(stripe_events.read(event.to_dict()))
            except BadEvent as error:
                logger.warning("Event %s cannot be read: %s", event.id, error)
        return events

    def stored_event(self, payload: dict) -> Event:
        return stripe_events.read(payload)

    @contextmanager
    def client(self) -> Iterator[stripe.StripeClient]:
        """Give a client for Stripe; turn its errors into those of the interface."""
        base = settings.STRIPE_API_BASE
        with requests.Session() as session:
            http = stripe.RequestsClient(settings.STRIPE_TIMEOUT, session)
            try:
                yield stripe.StripeClient(
                    settings.STRIPE_SECRET_KEY,
                    base_addresses={"api": base} if base else {},
                    http_client=http,
                    max_network_retries=0,  # the shopper waits and can try again
                )
            except stripe.StripeError as error:
                raise meant_by(error)(str(error)) from error

    def event(self, body: bytes, signature: str) -> Event:
        check_signature(body, signature)
        event = stripe_events.read(raw := stripe_events.parse(body.decode()))
        if raw.get("livemode") is False and is_live_key():
            logger.warning("Event %s is a test, but the shop's key is live", event.id)
            return Event(event.provider, event.id, event.type)
        return event


def page_params(payment: Payment, back: str) -> "SessionCreateParams":
    """Return the parameters of a session, the same for each use of a key."""
    order = payment.order
    with override(order.language):  # a repeated request must be the same
        title = _("Order %(number)s") % {"number": order.number}
    item: "SessionCreateParamsLineItemPriceData" = {
        "currency": payment.currency.lower(),
        "unit_amount": to_units(payment.amount, payment.currency),
        "product_data": {"name": f"{settings.SHOP_NAME}: {title}"},
    }
    return {
        "mode": "payment",
        "client_reference_id": payment.idempotency_key,
        "customer_email": order.email,
        "line_items": [{"price_data": item, "quantity": 1}],
        "metadata": {"order": order.number},
        "success_url": back,
        "cancel_url": back,
        "expires_at": int((payment.created_at + LIFETIME).timestamp()),
    }


def understood(refund: stripe.Refund) -> RefundFacts:
    """Return Stripe's answer about a refund. Raises `Unreachable` if it is odd."""
    try:
        return stripe_events.refund_facts(refund.to_dict())
    except BadEvent as error:
        raise Unreachable(str(error)) from error


def meant_by(error: stripe.StripeError) -> type[Exception]:
    """Return the interface's exception for one of Stripe's."""
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return Misconfigured
    if isinstance(error, stripe.APIConnectionError | stripe.RateLimitError):
        return Unreachable
    if error.code == "balance_insufficient":  # there will be more money later
        return Unreachable
    status = error.http_status or 500
    if status >= 500 or status == IN_USE or status < 400:
        return Unreachable
    return Superseded if isinstance(error, stripe.IdempotencyError) else Refused


def check_signature(body: bytes, signature: str) -> None:
    """Raise `BadSignature` unless Stripe signed it in the last five minutes."""
    # The library fails for anything but ASCII.
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
    """Return whether the shop's key moves real money."""
    return "_live_" in settings.STRIPE_SECRET_KEY[:8]
