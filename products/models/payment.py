"""Attempts to pay an order, and what providers have told of them."""

import secrets
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from products.models.order import Order
from products.models.sweeps import Swept


def new_key() -> str:
    """Names one attempt, here and at the provider."""
    return secrets.token_hex(16)


class Payment(Swept):
    """One attempt to pay an order. Only `products.services.payments` writes it."""

    class Status(models.TextChoices):
        CREATED = "created", _("begun")
        PAID = "paid", _("paid")
        CLOSING = "closing", _("to be closed")
        FAILED = "failed", _("failed")
        DIFFERS = "differs", _("another amount than asked for")
        REFUNDING = "refunding", _("to be refunded")
        REFUNDED = "refunded", _("refunded")

    order = models.ForeignKey(Order, models.PROTECT, related_name="payments")
    provider = models.CharField(_("provider"), max_length=10)
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.CREATED
    )
    amount = models.DecimalField(_("amount"), max_digits=20, decimal_places=2)
    currency = models.CharField(_("currency"), max_length=3)
    # The same for each try of this attempt: the provider does it once.
    idempotency_key = models.CharField(
        max_length=32, default=new_key, unique=True, editable=False
    )
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
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.status}"


class WebhookEventQuerySet(models.QuerySet):
    def old(self) -> "WebhookEventQuerySet":
        """What no provider tells again, and nobody looks into any more."""
        kept = timedelta(days=settings.WEBHOOK_EVENT_DAYS)
        return self.filter(received_at__lt=timezone.now() - kept)


class WebhookEvent(models.Model):
    """Something a provider told, once. Of its contents what is needed to look into it,
    and nothing of a person."""

    provider = models.CharField(_("provider"), max_length=10)
    event_id = models.CharField(_("event"), max_length=255)
    type = models.CharField(_("type"), max_length=100)
    payload = models.JSONField(_("contents"), default=dict)
    outcome = models.CharField(_("what came of it"), max_length=200, blank=True)
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
        indexes = [models.Index(fields=["received_at"], name="webhook_event_age")]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"
