"""Errors that the stock services raise."""

from django.utils.translation import ngettext

from products.exceptions import ShopError


class NotEnoughStock(ShopError):
    """Fewer units can be claimed than were asked for."""

    def __init__(self, product_id: int, asked: int, available: int) -> None:
        self.product_id, self.asked, self.available = product_id, asked, available
        super().__init__(
            ngettext(
                "Only %(available)d is left.",
                "Only %(available)d are left.",
                available,
            )
            % {"available": available}
        )


class StockConflict(ShopError):
    """A staff change that would contradict what is reserved or on hand."""
