"""Tax classes, the rates of countries, and the columns of agreed prices."""

from typing import TYPE_CHECKING

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_countries.fields import CountryField

from products.pricing.models.rules import RulesTrigger

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


class TaxClass(models.Model):
    """How products are taxed. Classes are in the order of their rates, highest first.

    A product refers to its class by the code, so its class is known without a join.
    """

    STANDARD = "standard"
    REDUCED = "reduced"
    SECOND_REDUCED = "second_reduced"
    SUPER_REDUCED = "super_reduced"
    ZERO = "zero"

    code = models.SlugField(_("code"), max_length=20, primary_key=True)
    name = models.CharField(_("name"), max_length=60)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        ordering = ["position", "code"]
        verbose_name = _("tax class")
        verbose_name_plural = _("tax classes")
        constraints = [RulesTrigger(name="tax_class_rules")]

    def __str__(self) -> str:
        return self.name


class TaxRate(models.Model):
    """The rate of a tax class in a country, from a date until the next row's date."""

    country = CountryField(_("country"))
    tax_class = models.ForeignKey(
        TaxClass, models.PROTECT, related_name="rates", verbose_name=_("tax class")
    )
    since = models.DateField(_("since"))
    percent = models.DecimalField(
        _("percent"),
        max_digits=5,
        decimal_places=2,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )
    # `products.pricing.services` writes it. A row that staff have saved is theirs.
    is_loaded = models.BooleanField(_("loaded"), default=False, editable=False)

    class Meta:
        ordering = ["country", "tax_class__position", "-since"]
        verbose_name = _("tax rate")
        verbose_name_plural = _("tax rates")
        constraints = [
            models.UniqueConstraint(
                fields=["country", "tax_class", "since"], name="tax_rate_since"
            ),
            models.CheckConstraint(
                condition=Q(percent__gte=0, percent__lte=100),
                name="tax_rate_is_a_percentage",
            ),
            RulesTrigger(name="tax_rate_rules"),
        ]

    def __str__(self) -> str:
        return f"{self.country} {self.tax_class_id} {self.percent} %"


def amount_field(name: "_StrOrPromise", **options) -> models.DecimalField:
    """A sum of money. It has room for the fullest basket at the highest price."""
    return models.DecimalField(name, max_digits=20, decimal_places=2, **options)


class Taxed(models.Model):
    """An agreed amount and its tax. The amount includes it if the order's prices do."""

    amount = amount_field(_("amount"))
    tax = amount_field(_("tax"), default=0)
    tax_rate = models.DecimalField(
        _("tax rate"), max_digits=5, decimal_places=2, default=0
    )
    # `products.pricing.tax.Rate` explains the two.
    tax_code = models.CharField(_("tax code"), max_length=20, blank=True)
    tax_reason = models.CharField(_("reason"), max_length=200, blank=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(tax__gte=0, tax__lte=F("amount")),
                name="%(class)s_tax_within_amount",
            )
        ]


class Totals(models.Model):
    """What an order costs, as it was agreed.

    `goods` are the lines after their own discounts, `discount` is that of the order.
    """

    goods = amount_field(_("goods"))
    discount = amount_field(_("discount"), default=0)
    # Its code, or its name if it needs none.
    discount_name = models.CharField(_("discount"), max_length=80, blank=True)
    shipping = amount_field(_("shipping"), default=0)
    tax = amount_field(_("tax"), default=0)
    total = amount_field(_("total"))
    prices_include_tax = models.BooleanField(_("prices include tax"), default=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    discount__gte=0,
                    discount__lte=F("goods"),
                    shipping__gte=0,
                    tax__gte=0,
                    tax__lte=F("total"),
                ),
                name="%(class)s_amounts_in_bounds",
            ),
            models.CheckConstraint(
                condition=Q(
                    prices_include_tax=True,
                    total=F("goods") - F("discount") + F("shipping"),
                )
                | Q(
                    prices_include_tax=False,
                    total=F("goods") - F("discount") + F("shipping") + F("tax"),
                ),
                name="%(class)s_total_is_the_sum",
            ),
        ]
