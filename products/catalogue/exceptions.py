"""Errors that the catalogue's services raise."""

from django.utils.translation import gettext as _

from products.exceptions import ShopError


class UnknownProduct(ShopError):
    """The product does not exist, or is not active."""

    def __init__(self) -> None:
        super().__init__(_("We don’t sell this product."))


class WrongOptions(ShopError):
    """A product's options and the values of its variants don't fit together.

    `variant` is the one with the wrong values; None if the options themselves are.
    """

    def __init__(self, text: str, variant: object = None) -> None:
        super().__init__(text)
        self.variant = variant
