"""What Stripe tells, read strictly: whatever is not as its documentation says is a
`BadEvent`, so nothing odd reaches the database."""

import json
from datetime import UTC, datetime
from decimal import Decimal

from products.payments.interface import (
    BadEvent,
    DisputeFacts,
    Event,
    EventKind,
    RefundFacts,
)
from products.payments.states import DisputeStatus, RefundStatus

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
REFUND_TYPES = {
    *("refund.created", "refund.updated", "refund.failed", "charge.refund.updated"),
}
CHARGE_TYPES = {"charge.refunded"}
DISPUTE_TYPES = {
    f"charge.dispute.{what}"
    for what in (
        *("created", "updated", "closed"),
        *("funds_withdrawn", "funds_reinstated"),
    )
}
TYPES = PAID_TYPES | FAILED_TYPES | REFUND_TYPES | CHARGE_TYPES | DISPUTE_TYPES
# What is kept of an object, and read: nothing of a person.
KEPT_TEXTS = (
    *("id", "client_reference_id", "currency", "payment_status", "status", "reason"),
    *("failure_reason",),
)
KEPT_WHOLES = ("amount", "amount_total", "amount_refunded", "created")
MOST_UNITS = 10**13  # what our columns hold
LATEST = 2**32  # in 2106
REFUND_STATUS = {
    "": RefundStatus.DONE,  # of old versions
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "succeeded": RefundStatus.DONE,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}
DISPUTE_STATUS = {
    "warning_needs_response": DisputeStatus.INQUIRY,
    "warning_under_review": DisputeStatus.INQUIRY,
    "warning_closed": DisputeStatus.WON,
    "needs_response": DisputeStatus.OPEN,
    "under_review": DisputeStatus.OPEN,
    "prevented": DisputeStatus.WON,
    "won": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
}


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
    readers = {
        **dict.fromkeys(PAID_TYPES | FAILED_TYPES, _session),
        **dict.fromkeys(REFUND_TYPES, _refund),
        **dict.fromkeys(CHARGE_TYPES, _charge),
        **dict.fromkeys(DISPUTE_TYPES, _dispute),
    }
    if name not in readers:
        return Event(**common)
    kept = _kept(_object(told))
    payload = common | {"created": _seconds(told), "data": {"object": kept}}
    del payload["provider"]
    return Event(**common, payload=payload, **readers[name](payload, kept))


def _session(told: dict, session: dict) -> dict:
    units = session["amount_total"]
    currency = _currency(session)
    return {
        "kind": _kind_of(told["type"], session),
        "key": session["client_reference_id"],
        "reference": text(session, "id", required=True),
        "intent": session["payment_intent"],
        "amount": None if units is None else from_units(units, currency),
        "currency": currency,
    }


def _kind_of(name: str, session: dict) -> EventKind:
    if name in FAILED_TYPES:
        return EventKind.FAILED
    # Completed, but a bank transfer is on its way: another event follows.
    is_paid = session["payment_status"] in ("paid", "no_payment_required")
    return EventKind.PAID if is_paid else EventKind.OTHER


def _refund(told: dict, refund: dict) -> dict:
    facts = refund_facts(refund, told["created"])
    return {
        "kind": EventKind.REFUNDED,
        "intent": refund["payment_intent"],
        "refunds": (facts,),
    }


def _charge(told: dict, charge: dict) -> dict:
    units = charge["amount_refunded"]
    if units is None:
        raise BadEvent("no amount_refunded")
    return {
        "kind": EventKind.REFUNDED,
        "intent": charge["payment_intent"],
        "refunds": tuple(
            refund_facts(r | {"payment_intent": ""}, told["created"])
            for r in charge["refunds"]
        ),
        "refunded": from_units(units, _currency(charge)),
    }


def refund_facts(refund: dict, at: int | None = None) -> RefundFacts:
    """A refund of Stripe's as it was at that moment, by default when it was made.
    Raises `BadEvent`."""
    kept = _kept(refund)
    currency = _currency(kept)
    return RefundFacts(
        reference=text(kept, "id", required=True),
        amount=_amount(kept, currency),
        currency=currency,
        status=REFUND_STATUS.get(kept["status"], RefundStatus.PENDING),
        at=_moment(kept["created"] if at is None else at),
        key=kept["metadata"]["refund"],
        failure=kept["failure_reason"],
    )


def _dispute(told: dict, dispute: dict) -> dict:
    currency = _currency(dispute)
    facts = DisputeFacts(
        reference=text(dispute, "id", required=True),
        amount=_amount(dispute, currency),
        currency=currency,
        status=DISPUTE_STATUS.get(dispute["status"], DisputeStatus.OPEN),
        at=_moment(told["created"]),
        reason=dispute["reason"][:100],
        is_withdrawn=_is_withdrawn(told["type"], dispute),
    )
    return {
        "kind": EventKind.DISPUTED,
        "intent": dispute["payment_intent"],
        "dispute": facts,
    }


def _is_withdrawn(name: str, dispute: dict) -> bool | None:
    if name == "charge.dispute.funds_withdrawn":
        return True
    if name == "charge.dispute.funds_reinstated":
        return False
    moved = dispute["balance_transactions"]
    return sum(moved) < 0 if moved else None


def _kept(found: dict) -> dict:
    """What is kept of an object: each field of its kind, "" or None where it has none;
    of what was kept before it is the same."""
    metadata = found.get("metadata")
    key = text(metadata, "refund") if isinstance(metadata, dict) else ""
    return {
        **{name: text(found, name) for name in KEPT_TEXTS},
        **{name: whole(found, name) for name in KEPT_WHOLES},
        "payment_intent": identifier(found, "payment_intent"),
        "metadata": {"refund": key},
        "refunds": [_kept(refund) for refund in _listed(found.get("refunds"))],
        "balance_transactions": [
            transaction if isinstance(transaction, int) else _moved(transaction)
            for transaction in _listed(found.get("balance_transactions"), (dict, int))
        ],
    }


def _listed(found: object, kind: type | tuple[type, ...] = dict) -> list:
    """The items of a list, as Stripe has it or as it was kept."""
    items = found.get("data") if isinstance(found, dict) else found
    return [i for i in items if isinstance(i, kind)] if isinstance(items, list) else []


def _moved(transaction: dict) -> int:
    amount = transaction.get("amount")
    if not isinstance(amount, int) or abs(amount) > MOST_UNITS:
        raise BadEvent("a balance transaction has no amount")
    return int(amount)


def _currency(source: dict) -> str:
    return text(source, "currency", limit=3).upper()


def _amount(source: dict, currency: str) -> Decimal:
    units = source["amount"]
    if units is None or not currency:
        raise BadEvent("no amount")
    return from_units(units, currency)


def _seconds(told: dict) -> int:
    created = whole(told, "created") or 0
    if created > LATEST:
        raise BadEvent("created is no time")
    return created


def _moment(seconds: int | None) -> datetime:
    return datetime.fromtimestamp(min(seconds or 0, LATEST), UTC)


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
