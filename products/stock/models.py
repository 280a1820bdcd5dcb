"""Stock: units on hand and reserved, and every movement of them."""

from datetime import date

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from products.catalogue.offers import stock_facts
from products.pricing.models import Prices
from products.variants.models import Variant


class Stock(models.Model):
    """Units of one variant. Only `products.stock.services` writes it."""

    variant = models.OneToOneField(
        Variant, models.CASCADE, primary_key=True, related_name="stock"
    )
    on_hand = models.PositiveIntegerField(_("on hand"), default=0)
    reserved = models.PositiveIntegerField(_("reserved"), default=0)
    # Units that are sold before they are here, and when they are expected. The column
    # is wide enough for its sum with the units on hand.
    backorder_limit = models.PositiveBigIntegerField(_("preorder limit"), default=0)
    ships_from = models.DateField(_("ships from"), null=True, blank=True)
    version = models.PositiveBigIntegerField(_("version"), default=0)

    class Meta:
        verbose_name = _("stock")
        verbose_name_plural = _("stock")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(reserved__gte=0)
                & models.Q(
                    reserved__lte=models.F("on_hand") + models.F("backorder_limit")
                ),
                name="stock_reserved_within_limit",
            ),
            models.CheckConstraint(
                condition=models.Q(backorder_limit=0)
                | models.Q(ships_from__isnull=False),
                name="stock_preorders_have_a_date",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.variant_id}: {self.available}"

    @property
    def available(self) -> int:
        """Units that can still be claimed."""
        return self.unreserved + self.backorder_limit

    @property
    def unreserved(self) -> int:
        """Units on hand that nobody has reserved; negative if more are reserved."""
        return self.on_hand - self.reserved

    @property
    def shelf_facts(self) -> dict:
        """The facts of the live topic `shelf:<id>`, which only staff may see."""
        return {
            "variant": self.variant_id,
            "on_hand": self.on_hand,
            "reserved": self.reserved,
            "available": self.unreserved,
            **preorder_facts(self.backorder_limit, self.ships_from),
        }

    def facts(self, prices: Prices, *, is_for_sale: bool) -> dict:
        """Return the public facts of the live topic `stock:<id>`; see `stock_facts`."""
        return stock_facts(
            variant_id=self.variant_id,
            left=self.unreserved,
            backorder_limit=self.backorder_limit,
            ships_from=self.ships_from,
            prices=prices,
            is_for_sale=is_for_sale,
        )


def preorder_facts(limit: int, ships_from: date | None) -> dict:
    """Return what staff see of preorders, JSON-ready; nothing without a limit."""
    if not (limit and ships_from):
        return {}
    return {"limit": limit, "ships_from": ships_from.isoformat()}


class MovementKind(models.TextChoices):
    """Why a variant's stock changed."""

    RECEIVED = "received", _("received")
    COUNTED = "counted", _("counted")
    CLAIMED = "claimed", _("claimed")
    RELEASED = "released", _("released")
    SHIPPED = "shipped", _("shipped")
    # No units moved, but the price or "active" changed.
    OFFER = "offer", _("offer changed")


class StockMovement(models.Model):
    """One change of a stock row. Movements are never edited or deleted.

    The movements of a variant have its versions, without a gap. So `stock.version` is
    the number of movements, and `on_hand` and `reserved` are their sums.
    """

    # Variants with movements are deactivated, never deleted.
    variant = models.ForeignKey(Variant, models.PROTECT, related_name="movements")
    version = models.PositiveBigIntegerField(_("version"))
    kind = models.CharField(_("kind"), max_length=10, choices=MovementKind.choices)
    d_on_hand = models.IntegerField(_("on hand ±"), default=0)
    d_reserved = models.IntegerField(_("reserved ±"), default=0)
    note = models.CharField(_("note"), max_length=200, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    created_at = models.DateTimeField(_("at"), auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name = _("stock movement")
        verbose_name_plural = _("stock movements")
        constraints = [
            models.UniqueConstraint(
                fields=["variant", "version"], name="movement_variant_version"
            )
        ]

    def __str__(self) -> str:
        return f"{self.variant_id} v{self.version} {self.kind}"


def today() -> date:
    """Return the present day in UTC."""
    return timezone.now().date()


class StockAlert(models.Model):
    """A record that staff were mailed about a variant: at most one a day."""

    variant = models.ForeignKey(Variant, models.CASCADE, related_name="+")
    day = models.DateField(_("day"), default=today)
    available = models.PositiveIntegerField(_("available"))
    version = models.PositiveBigIntegerField(_("version"))  # the stock's

    class Meta:
        verbose_name = _("stock alert")
        verbose_name_plural = _("stock alerts")
        ordering = ["variant", "day"]
        constraints = [
            models.UniqueConstraint(
                fields=["variant", "day"], name="stock_alert_once_a_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.variant_id} {self.day}"
