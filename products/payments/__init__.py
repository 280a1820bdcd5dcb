"""Ways to pay. Each provider is a module that does `Provider`'s part."""

from products.exceptions import PaymentUnavailable
from products.models import Order
from products.payments.interface import Event, Provider, Session
from products.payments.stripe import Stripe

__all__ = ["Event", "Provider", "Session", "available", "provider"]

PROVIDERS: dict[str, type[Provider]] = {Order.Method.STRIPE.value: Stripe}


def available() -> list[tuple[str, str]]:
    """(value, label) of each method that one can choose; on delivery is the first."""
    methods = [Order.Method.DELIVERY]
    methods += [Order.Method(m) for m, p in PROVIDERS.items() if p.is_configured()]
    return [(method.value, method.label) for method in methods]


def provider(method: str) -> Provider:
    """Who takes the money for it. Raises `PaymentUnavailable` if nobody does (any
    more): on delivery needs no provider."""
    if method not in PROVIDERS or not PROVIDERS[method].is_configured():
        raise PaymentUnavailable
    return PROVIDERS[method]()
