"""The interface of a payment provider."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from products.models import Payment, Refund
from products.payments.states import DisputeStatus, RefundStatus


class EventKind(StrEnum):
    """What an event means to the shop."""

    PAID = "paid"
    FAILED = "failed"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Session:
    """The provider's page for one attempt to pay."""

    reference: str
    address: str


@dataclass(frozen=True, slots=True)
class RefundFacts:
    """A refund at a moment, as the provider reports it. `key` is set if we asked."""

    reference: str
    amount: Decimal
    currency: str
    status: RefundStatus
    at: datetime
    key: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class DisputeFacts:
    """A dispute at a moment, as the provider reports it.

    `is_withdrawn` is None if the report does not say whether money was withdrawn.
    """

    reference: str
    amount: Decimal
    currency: str
    status: DisputeStatus
    at: datetime
    reason: str = ""
    is_withdrawn: bool | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A report by a provider, with a valid signature.

    `key` names the attempt to pay, or else `intent` names the payment. `refunded` is
    the sum of all refunds, if the report says so. `payload` is what the shop stores: it
    is enough to make the same event again.
    """

    provider: str
    id: str
    type: str
    kind: EventKind = EventKind.OTHER
    key: str = ""
    reference: str = ""
    intent: str = ""
    amount: Decimal | None = None
    currency: str = ""
    refunds: tuple[RefundFacts, ...] = ()
    refunded: Decimal | None = None
    dispute: DisputeFacts | None = None
    payload: dict = field(default_factory=dict)


class BadSignature(Exception):
    """The provider did not send this, or sent it too long ago."""


class BadEvent(Exception):
    """The provider signed it, but it is not an event as documented."""


class Refused(Exception):
    """The provider refused. It would refuse the same request again."""


class Misconfigured(Refused):
    """The provider rejects the shop's keys, or does not give it permission."""


class Superseded(Refused):
    """The key was used with other parameters. Only a new attempt helps."""


class Unreachable(Exception):
    """No answer: it was done or not. The same key may be tried again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The smallest and the largest amount that a provider accepts."""

    least: Decimal
    most: Decimal


class Provider(Protocol):
    @classmethod
    def is_configured(cls) -> bool: ...

    @classmethod
    def limits(cls, currency: str) -> Limits: ...

    def open(self, payment: Payment, back: str) -> Session:
        """Return a page to pay at, the same one each time.

        It leads to `back` in the end. Raises `Refused`, `Unreachable`.
        """

    def close(self, reference: str) -> bool:
        """Close the page, so that nobody can start to pay there.

        Return whether somebody has paid there or is paying. Closing a closed page does
        nothing. Raises `Refused`, `Unreachable`.
        """

    def refund(self, refund: Refund) -> RefundFacts:
        """Refund its amount, once. Raises `Refused`, `Unreachable`."""

    def refunds(self, payment: Payment) -> list[RefundFacts]:
        """Return all refunds of the payment, ours and others.

        Raises `Refused`, `Unreachable`.
        """

    def event(self, body: bytes, signature: str) -> Event:
        """Return the event in a webhook's body. Raises `BadSignature`, `BadEvent`."""

    def past_events(self) -> list[Event]:
        """Return all events that the provider still has, the oldest first.

        Raises `Refused`, `Unreachable`.
        """

    def stored_event(self, payload: dict) -> Event:
        """Return the event that was stored as `payload`. Raises `BadEvent`."""
