"""Attempts to pay an order, and what providers reported about them."""

import secrets
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from products.orders.models import Order
from products.payments import states
from products.sweeps.models import Swept, problem_index


def new_key() -> str:
    """Return a key that names one attempt, here and at the provider."""
    return secrets.token_hex(16)


class Payment(Swept):
    """One attempt to pay an order. Only `products.payments.services` writes it."""

    Status = states.Status

    order = models.ForeignKey(Order, models.PROTECT, related_name="payments")
    provider = models.CharField(_("provider"), max_length=10)
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.CREATED
    )
    amount = models.DecimalField(_("amount"), max_digits=20, decimal_places=2)
    currency = models.CharField(_("currency"), max_length=3)
    # The same for each try of this attempt, so that the provider does it once.
    idempotency_key = models.CharField(
        max_length=32, default=new_key, unique=True, editable=False
    )
    # What was received, and the sums of `refunds` and `disputes`.
    received = models.DecimalField(
        _("received"), max_digits=17, decimal_places=3, null=True, blank=True
    )
    received_currency = models.CharField(_("in"), max_length=3, blank=True)
    refunded = models.DecimalField(
        _("refunded"), max_digits=17, decimal_places=3, default=0
    )
    disputed = models.DecimalField(
        _("disputed"), max_digits=17, decimal_places=3, default=0
    )
    is_accepted = models.BooleanField(_("accepted as it is"), default=False)
    # The provider reported refunds that have no rows yet: it must be asked.
    is_outdated = models.BooleanField(default=False)
    reference = models.CharField(_("session"), max_length=255, blank=True)
    intent = models.CharField(_("payment at the provider"), max_length=255, blank=True)
    address = models.TextField(_("page to pay at"), blank=True)
    created_at = models.DateTimeField(_("begun"), auto_now_add=True)
    changed_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        constraints = [
            # Two clicks on "pay" are one attempt.
            models.UniqueConstraint(
                fields=["order"],
                condition=Q(status="created"),
                name="payment_one_open_attempt",
            ),
            models.UniqueConstraint(
                fields=["provider", "reference"],
                condition=~Q(reference=""),
                name="payment_reference",
            ),
            models.CheckConstraint(
                condition=Q(refunded__gte=0) & Q(disputed__gte=0),
                name="payment_sums_not_negative",
            ),
        ]
        indexes = [
            models.Index(
                fields=["changed_at"],
                name="payment_to_refund",
                condition=Q(status="refunding"),
            ),
            models.Index(
                fields=["changed_at"],
                name="payment_to_close",
                condition=Q(status__in=["created", "closing"]),
            ),
            models.Index(
                fields=["intent"], name="payment_intent", condition=~Q(intent="")
            ),
            models.Index(
                fields=["changed_at"],
                name="payment_outdated",
                condition=Q(is_outdated=True),
            ),
            problem_index("payment_problem"),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.status}"

    @property
    def differs(self) -> bool:
        """Whether another amount was received than the order asks for."""
        expected = (self.amount, self.currency.upper())
        return (self.received, self.received_currency) != expected

    @property
    def left(self) -> Decimal:
        """How much the shop still has, in the currency that was received."""
        return (self.received or 0) - self.refunded - self.disputed


class RefundQuerySet(models.QuerySet):
    def asked(self) -> "RefundQuerySet":
        """Refunds that the provider has not accepted yet."""
        return self.filter(status=Refund.Status.ASKED)


class Refund(models.Model):
    """One refund, made by the shop or in the provider's dashboard.

    Only `products.payments.refunds` writes it.
    """

    Status = states.RefundStatus

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds")
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.ASKED
    )
    amount = models.DecimalField(_("amount"), max_digits=17, decimal_places=3)
    currency = models.CharField(_("currency"), max_length=3)
    is_ours = models.BooleanField(_("by the shop"), default=False)
    # The same for each try, so that the provider does it once and names it in reports.
    idempotency_key = models.CharField(
        max_length=32, default=new_key, unique=True, editable=False
    )
    reference = models.CharField(
        _("refund at the provider"), max_length=255, blank=True
    )
    failure = models.CharField(_("why it failed"), max_length=300, blank=True)
    told_at = models.DateTimeField(_("as of"), null=True, blank=True)
    created_at = models.DateTimeField(_("begun"), auto_now_add=True)
    changed_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = RefundQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        constraints = [
            models.UniqueConstraint(
                fields=["reference"],
                condition=~Q(reference=""),
                name="refund_reference",
            ),
            # Only one refund of a payment is asked for at a time.
            models.UniqueConstraint(
                fields=["payment"],
                condition=Q(status="asked"),
                name="refund_one_asked",
            ),
        ]
        indexes = [
            models.Index(
                fields=["changed_at"],
                name="refund_to_ask",
                condition=Q(status="asked"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} {self.status}"

    @property
    def is_asked(self) -> bool:
        """Whether the provider has not accepted it yet."""
        return self.status == self.Status.ASKED

    @property
    def has_failed(self) -> bool:
        return self.status == self.Status.FAILED


class Dispute(models.Model):
    """A shopper's bank wants a payment back.

    Only `products.payments.disputes` writes it.
    """

    Status = states.DisputeStatus

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="disputes")
    reference = models.CharField(
        _("dispute at the provider"), max_length=255, unique=True
    )
    status = models.CharField(_("status"), max_length=10, choices=Status.choices)
    amount = models.DecimalField(_("amount"), max_digits=17, decimal_places=3)
    currency = models.CharField(_("currency"), max_length=3)
    reason = models.CharField(_("reason"), max_length=100, blank=True)
    is_withdrawn = models.BooleanField(_("money withdrawn"), default=False)
    told_at = models.DateTimeField(_("as of"))
    money_told_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(_("begun"), auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} {self.status}"

    @property
    def is_lost(self) -> bool:
        return self.status == self.Status.LOST


class WebhookEventQuerySet(models.QuerySet):
    def old(self) -> "WebhookEventQuerySet":
        """Events that no provider sends again and nobody needs any more."""
        lifetime = timedelta(days=settings.WEBHOOK_EVENT_DAYS)
        return self.filter(received_at__lt=timezone.now() - lifetime)

    def waiting(self) -> "WebhookEventQuerySet":
        """Events about payments that the shop does not know yet."""
        return self.exclude(awaits="")


class WebhookEvent(models.Model):
    """An event that a provider sent, stored once, without personal data."""

    provider = models.CharField(_("provider"), max_length=10)
    event_id = models.CharField(_("event"), max_length=255)
    type = models.CharField(_("type"), max_length=100)
    payload = models.JSONField(_("contents"), default=dict)
    outcome = models.CharField(_("what came of it"), max_length=200, blank=True)
    # The provider's id of a payment that the shop does not know yet.
    awaits = models.CharField(max_length=255, blank=True, editable=False)
    received_at = models.DateTimeField(_("received"), auto_now_add=True)

    objects = WebhookEventQuerySet.as_manager()

    class Meta:
        ordering = ["-received_at", "-pk"]
        verbose_name = _("webhook event")
        verbose_name_plural = _("webhook events")
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "event_id"], name="webhook_event_once"
            )
        ]
        indexes = [
            models.Index(fields=["received_at"], name="webhook_event_age"),
            models.Index(
                fields=["awaits"], name="webhook_event_awaits", condition=~Q(awaits="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"
