"""Zones of delivery, their methods, and the bands of prices of each method."""

from decimal import Decimal
from typing import Any

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import gettext_lazy as _
from django_countries.fields import Country, CountryField

from products.pricing.models.rules import RulesTrigger

NOT_NEGATIVE = MinValueValidator(Decimal(0))


class ShippingZone(models.Model):
    """A part of the world with its own methods of delivery.

    `products.shipping.offers.zone_of` decides which zone an address is in.
    """

    name = models.CharField(_("name"), max_length=80, unique=True)
    countries = CountryField(_("countries"), multiple=True, blank=True)
    postcodes = models.TextField(_("parts of countries"), blank=True)
    has_rest = models.BooleanField(_("all other countries"), default=False)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        ordering = ["position", "name"]
        verbose_name = _("shipping zone")
        verbose_name_plural = _("shipping zones")
        constraints = [RulesTrigger(name="shipping_zone_rules")]

    def __str__(self) -> str:
        return self.name

    @property
    def places(self) -> dict[str, str]:
        """The whole countries: name by code."""
        return {country.code: country.name for country in self._countries}

    @property
    def codes(self) -> list[str]:
        """The codes of the whole countries."""
        return [country.code for country in self._countries]

    @property
    def _countries(self) -> list[Country]:
        return list(self.countries)  # type: ignore[arg-type]  # a str for the stubs


class ShippingMethod(models.Model):
    """A way in which parcels get to a zone, or the shopper's way to the shop."""

    class Basis(models.TextChoices):
        WEIGHT = "weight", _("the weight in grams")
        VALUE = "value", _("the value of the goods")

    zone = models.ForeignKey(
        ShippingZone, models.CASCADE, related_name="methods", verbose_name=_("zone")
    )
    name = models.CharField(_("name"), max_length=80)
    carrier = models.CharField(_("carrier"), max_length=60, blank=True)
    days_from = models.PositiveSmallIntegerField(_("working days, from"), default=1)
    days_to = models.PositiveSmallIntegerField(_("to"), default=3)
    is_pickup = models.BooleanField(_("pick-up in the shop"), default=False)
    basis = models.CharField(
        _("the price depends on"),
        max_length=6,
        choices=Basis.choices,
        default=Basis.WEIGHT,
    )
    free_from = models.DecimalField(
        _("free from"),
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[NOT_NEGATIVE],
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        ordering = ["position", "pk"]
        verbose_name = _("shipping method")
        verbose_name_plural = _("shipping methods")
        constraints = [
            models.UniqueConstraint(
                fields=["zone", "name"], name="shipping_method_name"
            ),
            models.CheckConstraint(
                condition=Q(days_from__lte=F("days_to")),
                name="shipping_method_days_in_order",
                violation_error_message=_(
                    "The first number of days must not be above the second."
                ),
            ),
            models.CheckConstraint(
                condition=Q(free_from__isnull=True) | Q(free_from__gte=0),
                name="shipping_method_free_from_not_negative",
            ),
            RulesTrigger(name="shipping_method_rules"),
        ]

    def __str__(self) -> str:
        return self.name


class AgreedDelivery(models.Model):
    """How an order is delivered, as it was agreed. The price is the order's `shipping`.

    Orders of a shop without zones have no name here.
    """

    delivery_name = models.CharField(_("delivery"), max_length=80, blank=True)
    delivery_carrier = models.CharField(_("carrier"), max_length=60, blank=True)
    delivery_days_from = models.PositiveSmallIntegerField(
        _("working days, from"), null=True, blank=True
    )
    delivery_days_to = models.PositiveSmallIntegerField(_("to"), null=True, blank=True)
    is_pickup = models.BooleanField(_("pick-up in the shop"), default=False)

    class Meta:
        abstract = True

    @property
    def agreed_delivery(self) -> dict[str, Any]:
        """Name, carrier and days, as in the facts of an offer."""
        days = (self.delivery_days_from, self.delivery_days_to)
        return {
            "name": self.delivery_name,
            "carrier": self.delivery_carrier,
            "days": None if None in days else days,
        }


class ShippingRate(models.Model):
    """What a method costs in a band of weights or values: over one, up to another.

    A band that begins at 0 contains 0. Without `up_to` it has no end.
    """

    method = models.ForeignKey(ShippingMethod, models.CASCADE, related_name="rates")
    over = models.DecimalField(_("over"), max_digits=12, decimal_places=2, default=0)
    up_to = models.DecimalField(
        _("up to"), max_digits=12, decimal_places=2, null=True, blank=True
    )
    price = models.DecimalField(_("price"), max_digits=12, decimal_places=2)

    class Meta:
        ordering = ["over"]
        verbose_name = _("shipping rate")
        verbose_name_plural = _("shipping rates")
        constraints = [
            models.CheckConstraint(
                condition=Q(over__gte=0, price__gte=0),
                name="shipping_rate_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(up_to__isnull=True) | Q(up_to__gt=F("over")),
                name="shipping_rate_band_not_empty",
            ),
            # A range of one number stands for the method: comparing plain numbers here
            # would need the extension btree_gist.
            ExclusionConstraint(
                name="shipping_rate_bands_apart",
                expressions=[
                    (
                        Func("method", "method", Value("[]"), function="int8range"),
                        RangeOperators.OVERLAPS,
                    ),
                    (
                        Func("over", "up_to", Value("(]"), function="numrange"),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
            RulesTrigger(name="shipping_rate_rules"),
        ]

    def __str__(self) -> str:
        return f"{self.over}–{self.up_to or ''}: {self.price}"
