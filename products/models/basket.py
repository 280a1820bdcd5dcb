"""What a shopper means to buy. It holds no stock."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from products.models.catalogue import Product


class BasketQuerySet(models.QuerySet):
    def open(self) -> "BasketQuerySet":
        """Baskets that can still be changed."""
        return self.filter(status=Basket.Status.OPEN)

    def stale(self) -> "BasketQuerySet":
        """Anonymous baskets that nobody touched for `STALE_BASKET_DAYS`."""
        limit = timezone.now() - timedelta(days=settings.STALE_BASKET_DAYS)
        return self.filter(user=None, updated_at__lt=limit).exclude(
            status=Basket.Status.ORDERED
        )


class Basket(models.Model):
    """One open basket an owner: a user, or the bearer of a session's token."""

    class Status(models.TextChoices):
        OPEN = "open", _("open")
        MERGED = "merged", _("merged at sign-in")
        ORDERED = "ordered", _("ordered")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="baskets",
    )
    token = models.CharField(max_length=32, null=True, blank=True, editable=False)
    status = models.CharField(
        _("status"), max_length=8, choices=Status.choices, default=Status.OPEN
    )
    version = models.PositiveBigIntegerField(_("version"), default=0)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects = BasketQuerySet.as_manager()

    class Meta:
        verbose_name = _("basket")
        verbose_name_plural = _("baskets")
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=models.Q(status="open"),
                name="basket_one_open_a_user",
            ),
            models.UniqueConstraint(
                fields=["token"],
                condition=models.Q(status="open"),
                name="basket_one_open_a_token",
            ),
            models.CheckConstraint(
                condition=models.Q(user__isnull=False) | models.Q(token__isnull=False),
                name="basket_has_an_owner",
            ),
        ]
        indexes = [
            models.Index(
                fields=["updated_at"],
                name="basket_stale",
                condition=models.Q(status="open", user__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


class BasketLine(models.Model):
    """A product in a basket, with the price it had when it was put in."""

    basket = models.ForeignKey(Basket, models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, models.PROTECT, related_name="+")
    quantity = models.PositiveIntegerField(_("quantity"))
    price_when_added = models.DecimalField(
        _("price when added"), max_digits=12, decimal_places=2
    )

    class Meta:
        ordering = ["id"]
        verbose_name = _("basket line")
        verbose_name_plural = _("basket lines")
        constraints = [
            models.UniqueConstraint(
                fields=["basket", "product"], name="line_basket_product"
            ),
            models.CheckConstraint(
                condition=models.Q(quantity__gte=1), name="line_quantity_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product_id}"
