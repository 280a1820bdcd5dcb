"""Errors that the services for variants raise."""

from products.exceptions import ShopError


class RowRefused(ShopError):
    """A change of one of several variants is not possible, so none was saved."""

    def __init__(self, variant_id: int, text: str) -> None:
        super().__init__(text)
        self.variant_id = variant_id
