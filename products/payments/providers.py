"""Ways to pay. Each provider is a module that does `Provider`'s part."""

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
    """A way to pay some amount, or why it is none: `limits` that it is not within."""

    value: str
    label: str | Promise
    limits: Limits | None = None


def offers(total: Decimal, currency: str) -> list[Offer]:
    """Each way to pay in this shop; on delivery is the first. What costs nothing has
    one way of its own."""
    if not total:
        return [Offer(Method.FREE.value, Method.FREE.label)]
    methods = [Method.DELIVERY]
    methods += [Method(m) for m, p in PROVIDERS.items() if p.is_configured()]
    return [Offer(m.value, m.label, exceeded(m, total, currency)) for m in methods]


def available(total: Decimal, currency: str) -> list[tuple[str, str]]:
    """(value, label) of each method by which this amount can be paid."""
    found = offers(total, currency)
    return [(offer.value, offer.label) for offer in found if not offer.limits]


def exceeded(method: str, total: Decimal, currency: str) -> Limits | None:
    """The method's limits if the amount is not within them."""
    if method not in PROVIDERS:
        return None
    limits = PROVIDERS[method].limits(currency)
    return None if limits.least <= total <= limits.most else limits


def configured() -> list[Provider]:
    """Every provider of this shop."""
    return [kind() for kind in PROVIDERS.values() if kind.is_configured()]


def provider(method: str) -> Provider:
    """Who takes the money for it. Raises `PaymentUnavailable` if nobody does (any
    more): on delivery needs no provider."""
    if method not in PROVIDERS or not PROVIDERS[method].is_configured():
        raise PaymentUnavailable
    return PROVIDERS[method]()
