"""Sales: reduced prices for some time."""

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from products.pricing.models.targets import Targeted
from products.sweeps.models import problem_index

CENT = Decimal("0.01")


class Sale(Targeted):
    """A percentage off, or a reduced price, for products, categories and variants.

    Prices follow it when `products.pricing.flips` settles it.
    """

    name = models.CharField(_("name"), max_length=120)
    percent = models.DecimalField(
        _("percent off"),
        max_digits=4,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(CENT), MaxValueValidator(100 - CENT)],
    )
    reduced_price = models.DecimalField(
        _("reduced price"),
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(CENT)],
    )

    class Meta:
        ordering = ["-starts_at", "-id"]
        verbose_name = _("sale")
        verbose_name_plural = _("sales")
        constraints = [
            models.CheckConstraint(
                condition=Q(percent__gt=0, percent__lt=100, reduced_price=None)
                | Q(percent=None, reduced_price__gt=0),
                name="sale_has_one_reduction",
            ),
            *Targeted.Meta.constraints,
        ]
        indexes = [problem_index("sale_problem")]

    def __str__(self) -> str:
        return self.name
