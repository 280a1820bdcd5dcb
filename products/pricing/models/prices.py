"""The columns of what has a price."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from products.pricing.models.triggers import PriceTrigger


@dataclass(frozen=True, slots=True)
class Prices:
    """What something costs now, and before it was reduced; see `Priced`."""

    price: Decimal
    full_price: Decimal | None = None
    prior_price: Decimal | None = None
    price_until: datetime | None = None

    @property
    def facts(self) -> dict:
        """The facts that pages show, ready for JSON. Prices are decimal strings.

        If the price is reduced, `was` is the full price, `lowest` the lowest price in
        the 30 days before the reduction, and `until` its end.
        """
        facts = {"price": f"{self.price:.2f}"}
        if self.full_price is None:
            return facts
        lowest, until = self.prior_price, self.price_until
        return facts | {
            "was": f"{self.full_price:.2f}",
            "lowest": None if lowest is None else f"{lowest:.2f}",
            "until": until and until.isoformat(),
        }


def _price_field(name: Any, **options: Any) -> models.DecimalField:
    return models.DecimalField(name, max_digits=12, decimal_places=2, **options)


class Priced(models.Model):
    """Something that is sold at its base price, or at the reduced price of a sale.

    Owners edit `base_price`. `products.pricing.sales` sets what follows from it.
    """

    # The price in force: what pages show and what orders cost.
    price = _price_field(_("price"), validators=[MinValueValidator(Decimal("0.00"))])
    # The rest is for reduced prices: the price without the reduction, the lowest price
    # in the 30 days before it, and when the price will rise, if that is known.
    full_price = _price_field(_("full price"), null=True, editable=False)
    prior_price = _price_field(_("lowest price before"), null=True, editable=False)
    price_until = models.DateTimeField(_("reduced until"), null=True, editable=False)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(price__gte=0), name="%(class)s_price_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(full_price__gt=F("price"))
                | Q(full_price=None, prior_price=None, price_until=None),
                name="%(class)s_price_below_full_price",
            ),
            PriceTrigger(name="%(class)s_price_history"),
        ]

    @property
    def prices(self) -> Prices:
        return Prices(self.price, self.full_price, self.prior_price, self.price_until)

    @property
    def is_reduced(self) -> bool:
        return self.full_price is not None

    @property
    def base_price(self) -> Decimal:
        """The price without any sale."""
        return self.price if self.full_price is None else self.full_price

    @base_price.setter
    def base_price(self, amount: Decimal) -> None:
        """Set it; `products.pricing.sales.set_prices` then sets the price in force."""
        if self.full_price is None:
            self.price = amount
        else:
            self.full_price = amount
