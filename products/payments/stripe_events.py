"""What Stripe tells, read strictly: whatever is not as its documentation says is a
`BadEvent`, so nothing odd reaches the database."""

import json
from decimal import Decimal

from products.payments.interface import BadEvent, Event, Kind

# Stripe counts in the smallest unit of a currency; most have a hundredth.
WHOLE = {
    *("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA"),
    *("PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"),
}
THOUSANDTHS = {"BHD", "JOD", "KWD", "OMR", "TND"}
PAID_TYPES = {
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
}
FAILED_TYPES = {"checkout.session.async_payment_failed", "checkout.session.expired"}
KEPT = ("id", "client_reference_id", "amount_total", "currency", "payment_status")
MOST_UNITS = 10**14  # what our columns hold


def digits(currency: str) -> int:
    """How many decimal places Stripe's unit of a currency has."""
    currency = currency.upper()
    return 0 if currency in WHOLE else 3 if currency in THOUSANDTHS else 2


def from_units(units: int, currency: str) -> Decimal:
    """12.50 for 1250 of EUR."""
    return Decimal(units).scaleb(-digits(currency))


def parse(body: str) -> dict:
    """The event in a webhook's body. Raises `BadEvent` unless it is an object."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadEvent(f"not JSON: {error}") from error
    if not isinstance(told, dict):
        raise BadEvent("not an object")
    return told


def read(told: dict) -> Event:
    """What an event means to the shop. Raises `BadEvent`."""
    name = text(told, "type", required=True)
    common = {
        "provider": "stripe",
        "id": text(told, "id", required=True),
        "type": name[:100],
    }
    if name not in PAID_TYPES | FAILED_TYPES:
        return Event(**common)
    session = _object(told)
    currency = text(session, "currency", limit=3).upper()
    units = whole(session, "amount_total")
    return Event(
        **common,
        kind=_kind_of(name, session),
        key=text(session, "client_reference_id"),
        reference=text(session, "id", required=True),
        intent=identifier(session, "payment_intent"),
        amount=None if units is None else from_units(units, currency),
        currency=currency,
        payload={name: session.get(name) for name in KEPT},
    )


def _kind_of(name: str, session: dict) -> Kind:
    if name in FAILED_TYPES:
        return Kind.FAILED
    # Completed, but a bank transfer is on its way: another event follows.
    is_paid = session.get("payment_status") in ("paid", "no_payment_required")
    return Kind.PAID if is_paid else Kind.OTHER


def _object(told: dict) -> dict:
    data = told.get("data")
    found = data.get("object") if isinstance(data, dict) else None
    if not isinstance(found, dict):
        raise BadEvent("no object")
    return found


# --- One field --------------------------------------------------------------------


def text(source: dict, name: str, *, limit: int = 255, required: bool = False) -> str:
    """A field's text, "" for null. Raises `BadEvent` for what is none, or has control
    characters or lone surrogates."""
    value = source.get(name)
    if value is None and not required:
        return ""
    is_text = isinstance(value, str) and len(value) <= limit and value.isprintable()
    if not is_text or (required and not value):
        raise BadEvent(f"{name} is no text")
    return value


def identifier(source: dict, name: str) -> str:
    """The id of another object, which may stand there whole."""
    value = source.get(name)
    return text(value, "id") if isinstance(value, dict) else text(source, name)


def whole(source: dict, name: str) -> int | None:
    """An amount in units, None for null. Raises `BadEvent`."""
    value = source.get(name)
    if value is None:
        return None
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or not 0 <= value <= MOST_UNITS:
        raise BadEvent(f"{name} is no amount")
    return value
