"""Discounts on orders or on lines: codes, and those that need none."""

from decimal import Decimal

from django.core.validators import (
    MaxValueValidator,
    MinValueValidator,
    RegexValidator,
)
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from products.pricing.models.rules import RowsTrigger
from products.pricing.models.targets import Targeted
from products.pricing.models.tax import amount_field
from products.sweeps.models import problem_index

CENT = Decimal("0.01")
CODE_LENGTH = 40
POSITIVE = MinValueValidator(1)


class Discount(Targeted):
    """A percentage or an amount off orders, for all or for those who enter its code.

    One on lines takes it off each line of its goods, and its amount off each unit.
    `products.pricing.discounts` says which ones an order gets.
    """

    name = models.CharField(_("name"), max_length=80)
    code = models.CharField(
        _("code"),
        max_length=CODE_LENGTH,
        blank=True,
        validators=[
            RegexValidator(
                r"\A[A-Z0-9-]+\Z", _("Use capital letters, digits and hyphens.")
            )
        ],
    )
    is_on_lines = models.BooleanField(_("on lines"), default=False)
    percent = models.DecimalField(
        _("percent off"),
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(CENT), MaxValueValidator(100)],
    )
    amount = models.DecimalField(
        _("amount off"),
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(CENT)],
    )
    minimum = models.DecimalField(
        _("for goods from"),
        max_digits=12,
        decimal_places=2,
        default=0,
        validators=[MinValueValidator(0)],
    )
    uses_limit = models.PositiveIntegerField(
        _("uses in all"), null=True, blank=True, validators=[POSITIVE]
    )
    uses_each = models.PositiveIntegerField(
        _("uses for each person"), null=True, blank=True, validators=[POSITIVE]
    )
    # Orders that have it and are not over. `products.pricing.uses` counts.
    uses = models.PositiveIntegerField(_("uses"), default=0, editable=False)

    class Meta:
        ordering = ["-starts_at", "-id"]
        verbose_name = _("discount")
        verbose_name_plural = _("discounts")
        constraints = [
            *Targeted.Meta.constraints,
            models.UniqueConstraint(
                fields=["code"],
                condition=~Q(code=""),
                name="discount_code",
                violation_error_message=_("Another discount has this code."),
            ),
            models.CheckConstraint(
                condition=Q(percent__gt=0, percent__lte=100, amount=None)
                | Q(percent=None, amount__gt=0),
                name="discount_is_percent_or_amount",
            ),
            models.CheckConstraint(
                condition=Q(minimum__gte=0), name="discount_minimum_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(uses_each=None) | ~Q(code=""),
                name="discount_for_each_person_has_a_code",
            ),
            # Not with each use: orders would wait for one another.
            RowsTrigger(name="discount_rules"),
        ]
        indexes = [problem_index("discount_problem")]

    def __str__(self) -> str:
        return self.code or self.name

    @property
    def is_used_up(self) -> bool:
        return self.uses_limit is not None and self.uses >= self.uses_limit


class Discounted(models.Model):
    """The discounts of an order's line, as they were agreed."""

    line_discount = amount_field(_("discount"), default=0)
    discount = models.ForeignKey(
        Discount, models.PROTECT, null=True, blank=True, related_name="+"
    )
    # Its code, or its name if it needs none.
    discount_name = models.CharField(
        _("name of the discount"), max_length=80, blank=True
    )
    order_discount = amount_field(_("share of the order’s discount"), default=0)

    class Meta:
        abstract = True


class DiscountUse(models.Model):
    """A discount of an order. It counts until the order is cancelled or expires."""

    discount = models.ForeignKey(Discount, models.PROTECT, related_name="orders")
    order = models.ForeignKey(
        "products.Order", models.CASCADE, related_name="discount_uses"
    )
    # What it took off when the order was placed. Staff may change the discount later.
    percent = models.DecimalField(max_digits=5, decimal_places=2, null=True)
    amount = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    # `products.pricing.uses.person_of` names them.
    person = models.CharField(max_length=40)
    is_counted = models.BooleanField(default=True)

    class Meta:
        verbose_name = _("use of a discount")
        verbose_name_plural = _("uses of discounts")
        constraints = [
            models.UniqueConstraint(
                fields=["order", "discount"], name="discount_use_once_an_order"
            )
        ]
        indexes = [
            models.Index(
                fields=["discount", "person"],
                name="discount_use_person",
                condition=Q(is_counted=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.discount_id}"
