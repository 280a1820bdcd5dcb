"""Errors that the catalogue's services raise."""

from django.utils.translation import gettext as _

from products.exceptions import ShopError


class UnknownProduct(ShopError):
    """The product does not exist, or is not active."""

    def __init__(self) -> None:
        super().__init__(_("We don’t sell this product."))
