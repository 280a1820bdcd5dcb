"""Errors that the services of prices raise."""

from django.utils.translation import gettext as _

from products.exceptions import ShopError


class SaleHasBegun(ShopError):
    """A sale that has begun cannot be deleted, only ended."""

    def __init__(self, name: str) -> None:
        text = _("“%(name)s” has begun. End it instead of deleting it.")
        super().__init__(text % {"name": name})


class SaleIsNotRunning(ShopError):
    """A sale that has not begun, or is over, cannot be ended."""

    def __init__(self, name: str) -> None:
        super().__init__(_("“%(name)s” is not running.") % {"name": name})
