"""Errors that the stock services raise."""

from django.utils.translation import ngettext

from products.exceptions import ShopError


class NotEnoughStock(ShopError):
    """Fewer units are available than the caller wants to claim."""

    def __init__(self, variant_id: int, wanted: int, available: int) -> None:
        self.variant_id, self.wanted, self.available = variant_id, wanted, available
        super().__init__(
            ngettext(
                "Only %(available)d is left.",
                "Only %(available)d are left.",
                available,
            )
            % {"available": available}
        )


class StockConflict(ShopError):
    """A change that would make the units on hand or reserved impossible."""
