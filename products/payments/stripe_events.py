"""Reads Stripe's events strictly: what is not as documented raises `BadEvent`."""

import json
from dataclasses import replace
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

# Stripe counts in a currency's smallest unit, for most a hundredth.
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
# The fields that are stored and read. None is personal.
KEPT_TEXTS = (
    *("id", "client_reference_id", "currency", "payment_status", "status", "reason"),
    *("failure_reason",),
)
KEPT_WHOLES = ("amount", "amount_total", "amount_refunded", "created")
MOST_UNITS = 10**13  # the most that our columns hold
LATEST = 2**32  # seconds, in the year 2106
REFUND_STATUS = {
    "": RefundStatus.DONE,  # in old versions of the API
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
    """Return how many decimal places Stripe's unit of a currency has."""
    currency = currency.upper()
    return 0 if currency in WHOLE else 3 if currency in THOUSANDTHS else 2


def from_units(units: int, currency: str) -> Decimal:
    """Return an amount from Stripe's units, 12.50 for 1250 of EUR."""
    return Decimal(units).scaleb(-digits(currency))


def parse(body: str) -> dict:
    """Return the JSON object in a webhook's body. Raises `BadEvent`."""
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadEvent(f"not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise BadEvent("not an object")
    return raw


def read(raw: dict) -> Event:
    """Return the shop's event for one of Stripe's. Raises `BadEvent`."""
    name = text(raw, "type", required=True)
    event = Event("stripe", text(raw, "id", required=True), name[:100])
    readers = {
        **dict.fromkeys(PAID_TYPES | FAILED_TYPES, _session),
        **dict.fromkeys(REFUND_TYPES, _refund),
        **dict.fromkeys(CHARGE_TYPES, _charge),
        **dict.fromkeys(DISPUTE_TYPES, _dispute),
    }
    if name not in readers:
        return event
    stored = _stored(_object(raw))
    payload = {
        "id": event.id,
        "type": event.type,
        "created": _seconds(raw),
        "data": {"object": stored},
    }
    return replace(event, payload=payload, **readers[name](payload, stored))


def _session(raw: dict, session: dict) -> dict:
    units = session["amount_total"]
    currency = _currency(session)
    return {
        "kind": _kind_of(raw["type"], session),
        "key": session["client_reference_id"],
        "reference": text(session, "id", required=True),
        "intent": session["payment_intent"],
        "amount": None if units is None else from_units(units, currency),
        "currency": currency,
    }


def _kind_of(name: str, session: dict) -> EventKind:
    if name in FAILED_TYPES:
        return EventKind.FAILED
    # Completed, but a bank transfer takes days: another event follows.
    is_paid = session["payment_status"] in ("paid", "no_payment_required")
    return EventKind.PAID if is_paid else EventKind.OTHER


def _refund(raw: dict, refund: dict) -> dict:
    facts = refund_facts(refund, raw["created"])
    return {
        "kind": EventKind.REFUNDED,
        "intent": refund["payment_intent"],
        "refunds": (facts,),
    }


def _charge(raw: dict, charge: dict) -> dict:
    units = charge["amount_refunded"]
    if units is None:
        raise BadEvent("no amount_refunded")
    return {
        "kind": EventKind.REFUNDED,
        "intent": charge["payment_intent"],
        "refunds": tuple(
            refund_facts(r | {"payment_intent": ""}, raw["created"])
            for r in charge["refunds"]
        ),
        "refunded": from_units(units, _currency(charge)),
    }


def refund_facts(refund: dict, at: int | None = None) -> RefundFacts:
    """Return a refund of Stripe's at a moment, by default when it was created.

    Raises `BadEvent`.
    """
    stored = _stored(refund)
    currency = _currency(stored)
    return RefundFacts(
        reference=text(stored, "id", required=True),
        amount=_amount(stored, currency),
        currency=currency,
        status=REFUND_STATUS.get(stored["status"], RefundStatus.PENDING),
        at=_moment(stored["created"] if at is None else at),
        key=stored["metadata"]["refund"],
        failure=stored["failure_reason"],
    )


def _dispute(raw: dict, dispute: dict) -> dict:
    currency = _currency(dispute)
    facts = DisputeFacts(
        reference=text(dispute, "id", required=True),
        amount=_amount(dispute, currency),
        currency=currency,
        status=DISPUTE_STATUS.get(dispute["status"], DisputeStatus.OPEN),
        at=_moment(raw["created"]),
        reason=dispute["reason"][:100],
        is_withdrawn=_is_withdrawn(raw["type"], dispute),
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


def _stored(value: dict) -> dict:
    """Return the fields of an object that are stored, "" or None where it has none.

    For a stored object, return the same again.
    """
    metadata = value.get("metadata")
    key = text(metadata, "refund") if isinstance(metadata, dict) else ""
    return {
        **{name: text(value, name) for name in KEPT_TEXTS},
        **{name: whole(value, name) for name in KEPT_WHOLES},
        "payment_intent": identifier(value, "payment_intent"),
        "metadata": {"refund": key},
        "refunds": [_stored(refund) for refund in _listed(value.get("refunds"))],
        "balance_transactions": [
            transaction if isinstance(transaction, int) else _moved(transaction)
            for transaction in _listed(value.get("balance_transactions"), (dict, int))
        ],
    }


def _listed(value: object, kind: type | tuple[type, ...] = dict) -> list:
    """Return the items of a list, in Stripe's form or as stored."""
    items = value.get("data") if isinstance(value, dict) else value
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


def _seconds(raw: dict) -> int:
    created = whole(raw, "created") or 0
    if created > LATEST:
        raise BadEvent("created is no time")
    return created


def _moment(seconds: int | None) -> datetime:
    return datetime.fromtimestamp(min(seconds or 0, LATEST), UTC)


def _object(raw: dict) -> dict:
    data = raw.get("data")
    value = data.get("object") if isinstance(data, dict) else None
    if not isinstance(value, dict):
        raise BadEvent("no object")
    return value


# --- One field --------------------------------------------------------------------


def text(source: dict, name: str, *, limit: int = 255, required: bool = False) -> str:
    """Return a field's text, "" for null.

    Raises `BadEvent` if it is no text, or has control characters or lone surrogates.
    """
    value = source.get(name)
    if value is None and not required:
        return ""
    is_text = isinstance(value, str) and len(value) <= limit and value.isprintable()
    if not isinstance(value, str) or not is_text or (required and not value):
        raise BadEvent(f"{name} is no text")
    return value


def identifier(source: dict, name: str) -> str:
    """Return the id of another object, which may be included whole."""
    value = source.get(name)
    return text(value, "id") if isinstance(value, dict) else text(source, name)


def whole(source: dict, name: str) -> int | None:
    """Return an amount in units, None for null. Raises `BadEvent`."""
    value = source.get(name)
    if value is None:
        return None
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or not 0 <= value <= MOST_UNITS:
        raise BadEvent(f"{name} is no amount")
    return value
