"""Requests to hear when a product is back in stock."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from products.sweeps.models import Swept, is_due, problem_index
from products.variants.models import Variant
from project.mail.fields import EmailField, shape_constraint


class WaitingQuerySet(models.QuerySet["Waiting"]):
    def open(self) -> "WaitingQuerySet":
        """Requests of people who were not told yet."""
        return self.filter(told_at=None)

    def due(self) -> "WaitingQuerySet":
        """Open requests whose mail may be tried now."""
        return self.open().filter(is_due())


class Waiting(Swept):
    """A request to be told once when a sold-out product is back.

    Only `products.waiting.services` writes it.
    """

    variant = models.ForeignKey(Variant, models.CASCADE, related_name="waiting")
    email = EmailField(_("email address"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="waiting",
    )
    language = models.CharField(_("language"), max_length=10)
    # The stock's version when they asked, and when they were told. Units that came back
    # are counted from there.
    asked_version = models.PositiveBigIntegerField(default=0)
    told_version = models.PositiveBigIntegerField(null=True, blank=True)
    # Set instead, if they saw it on the product's page and needed no mail.
    seen_version = models.PositiveBigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(_("requested"), auto_now_add=True)
    told_at = models.DateTimeField(_("notified"), null=True, blank=True)

    objects = WaitingQuerySet.as_manager()

    class Meta:
        verbose_name = _("back-in-stock request")
        verbose_name_plural = _("back-in-stock requests")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                "variant",
                Lower("email"),
                condition=Q(told_at=None),
                name="waiting_once_a_variant",
            ),
            shape_constraint("email", name="waiting_email_is_one_address"),
        ]
        indexes = [
            models.Index(Lower("email"), name="waiting_email"),
            problem_index("waiting_problem"),
        ]

    def __str__(self) -> str:
        return f"{self.variant_id}: {self.pk}"
