"""What the shop wants of a payment provider."""

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
    """A page of the provider's where one attempt is paid."""

    reference: str
    address: str


@dataclass(frozen=True, slots=True)
class RefundFacts:
    """A refund as the provider had it at some moment. `key` is ours, if it is ours."""

    reference: str
    amount: Decimal
    currency: str
    status: RefundStatus
    at: datetime
    key: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class DisputeFacts:
    """A dispute as the provider had it at some moment. `is_withdrawn` is whether its
    money was money withdrawn, None where that was not told."""

    reference: str
    amount: Decimal
    currency: str
    status: DisputeStatus
    at: datetime
    reason: str = ""
    is_withdrawn: bool | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """What a provider told, its signature checked. `key` names the attempt, or else
    `intent` the payment. `refunded` is the sum of all refunds, if it was told.
    `payload` is what is kept of it, and says all of this again."""

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
    """Whoever sent this is not the provider, or sent it too long ago."""


class BadEvent(Exception):
    """The provider signed it, but it is no event as its documentation has them. Telling
    it again does not help."""


class Refused(Exception):
    """The provider said no: the same attempt would be refused again."""


class Misconfigured(Refused):
    """The provider does not take the shop's keys, or does not allow it what it asks."""


class Superseded(Refused):
    """The attempt was asked for in other words before: only a new one can be made."""


class Unreachable(Exception):
    """No answer: it may have been done or not. The same key may be tried again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The smallest and the largest amount that a provider takes at once."""

    least: Decimal
    most: Decimal


class Provider(Protocol):
    @classmethod
    def is_configured(cls) -> bool: ...

    @classmethod
    def limits(cls, currency: str) -> Limits: ...

    def open(self, payment: Payment, back: str) -> Session:
        """A page to pay at; `back` is where it leads to in the end. Done twice, it
        gives the same. Raises `Refused`, `Unreachable`."""

    def close(self, reference: str) -> bool:
        """See that nobody can begin to pay there any more. Done twice, or too late, it
        does nothing. Out: whether somebody had paid there, or was about to. Raises
        `Refused`, `Unreachable`."""

    def refund(self, refund: Refund) -> RefundFacts:
        """Give its amount back, once. Raises `Refused`, `Unreachable`."""

    def refunds(self, payment: Payment) -> list[RefundFacts]:
        """All that was given back of it, by whomever. Raises `Refused`,
        `Unreachable`."""

    def event(self, body: bytes, signature: str) -> Event:
        """What it told. Raises `BadSignature`, `BadEvent`."""

    def told(self) -> list[Event]:
        """All that it told, as far back as it remembers, the oldest first. Raises
        `Refused`, `Unreachable`."""

    def again(self, payload: dict) -> Event:
        """The event that was kept so. Raises `BadEvent`."""
