"""Sales: reduced prices for some time."""

from datetime import datetime
from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from products.catalogue.models import Product, ProductCategory
from products.sweeps.models import Swept, problem_index

CENT = Decimal("0.01")


class SaleQuerySet(models.QuerySet):
    """Ways to find sales."""

    def unsettled(self, at: datetime) -> "SaleQuerySet":
        """Return sales that began, ended or changed since prices followed them."""
        began = Q(starts_at__lte=at, settled_at__lt=F("starts_at"))
        ended = Q(ends_at__lte=at, settled_at__lt=F("ends_at"))
        return self.filter(Q(settled_at=None) | began | ended)

    def unended(self, at: datetime) -> "SaleQuerySet":
        """Return sales that run, or will."""
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=at))

    def running(self, at: datetime) -> "SaleQuerySet":
        return self.unended(at).filter(starts_at__lte=at)


class Sale(Swept):
    """A percentage off, or a reduced price, for products and whole categories.

    It holds from its first moment until before its last, by the database's clock.
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
    starts_at = models.DateTimeField(_("starts"))
    ends_at = models.DateTimeField(_("ends"), null=True, blank=True)
    products = models.ManyToManyField(
        Product, blank=True, related_name="+", verbose_name=_("products")
    )
    categories = models.ManyToManyField(
        ProductCategory,
        blank=True,
        related_name="+",
        verbose_name=_("categories"),
    )
    version = models.PositiveIntegerField(default=1, editable=False)
    # Prices follow the sale as it was at this moment; None: as it was before a change.
    settled_at = models.DateTimeField(null=True, editable=False)

    objects = SaleQuerySet.as_manager()

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
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")),
                name="sale_ends_after_its_start",
            ),
        ]
        indexes = [problem_index("sale_problem")]

    def __str__(self) -> str:
        return self.name
