"""Tax classes, and the rates that countries have for them."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_countries.fields import CountryField


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
                condition=models.Q(percent__gte=0, percent__lte=100),
                name="tax_rate_is_a_percentage",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.country} {self.tax_class_id} {self.percent} %"
