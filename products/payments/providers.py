"""Methods of payment. Each provider implements `interface.Provider`."""

from dataclasses import dataclass
from decimal import Decimal

from django.utils.functional import Promise

from products.models import Order
from products.payments.exceptions import PaymentUnavailable
from products.payments.interface import Limits, Provider
from products.payments.stripe import Stripe

Method = Order.Method
PROVIDERS: dict[str, type[Provider]] = {Method.STRIPE.value: Stripe}


@dataclass(frozen=True, slots=True)
class Offer:
    """A method of payment. `limits` is set if the amount is not within them."""

    value: str
    label: str | Promise
    limits: Limits | None = None


def offers(total: Decimal, currency: str) -> list[Offer]:
    """Return each method of this shop, payment on delivery first.

    An order that costs nothing has one method of its own.
    """
    if not total:
        return [Offer(Method.FREE.value, Method.FREE.label)]
    methods = [Method.DELIVERY]
    methods += [Method(m) for m, p in PROVIDERS.items() if p.is_configured()]
    return [Offer(m.value, m.label, exceeded(m, total, currency)) for m in methods]


def available(total: Decimal, currency: str) -> list[tuple[str, str | Promise]]:
    """Return (value, label) of each method that accepts this amount."""
    possible = offers(total, currency)
    return [(offer.value, offer.label) for offer in possible if not offer.limits]


def exceeded(method: str, total: Decimal, currency: str) -> Limits | None:
    """Return the method's limits if the amount is not within them."""
    if method not in PROVIDERS:
        return None
    limits = PROVIDERS[method].limits(currency)
    return None if limits.least <= total <= limits.most else limits


def configured() -> list[Provider]:
    """Return every provider of this shop."""
    return [kind() for kind in PROVIDERS.values() if kind.is_configured()]


def provider(method: str) -> Provider:
    """Return the provider of a method. Raises `PaymentUnavailable` if it has none."""
    if method not in PROVIDERS or not PROVIDERS[method].is_configured():
        raise PaymentUnavailable
    return PROVIDERS[method]()
