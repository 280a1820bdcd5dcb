"""The history of prices, which the database writes."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from products.variants.models import Variant


class PriceChange(models.Model):
    """A price that came into force. Rows are never edited; a trigger adds them."""

    variant = models.ForeignKey(Variant, models.CASCADE, related_name="price_changes")
    price = models.DecimalField(_("price in force"), max_digits=12, decimal_places=2)
    # The price without the reduction, if it was reduced.
    full_price = models.DecimalField(
        _("full price"), max_digits=12, decimal_places=2, null=True
    )
    since = models.DateTimeField(_("since"))

    class Meta:
        ordering = ["-since", "-id"]
        verbose_name = _("price change")
        verbose_name_plural = _("price history")
        indexes = [models.Index(fields=["variant", "-since"], name="price_change")]

    def __str__(self) -> str:
        return f"{self.variant_id} {self.price}"
