"""Errors that the basket's services raise, each with a sentence for the shopper."""

from collections.abc import Mapping
from datetime import datetime
from math import ceil

from django.utils import timezone
from django.utils.translation import gettext as _

from products.exceptions import ShopError


class SoldOut(ShopError):
    """No unit of the product is available."""

    def __init__(self, name: str) -> None:
        super().__init__(_("%(name)s is sold out.") % {"name": name})


class BadQuantity(ShopError):
    """A quantity that is not a whole number from 1 to the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            _("The quantity must be a whole number from 1 to %(limit)d.")
            % {"limit": limit}
        )


class LineLimit(ShopError):
    """Too many units of one product for a basket."""

    def __init__(self, name: str, limit: int, present: int) -> None:
        super().__init__(
            _(
                "You can order at most %(limit)d of each product. You already have "
                "%(present)d × %(name)s in your basket."
            )
            % {"limit": limit, "name": name, "present": present}
        )


class BasketFull(ShopError):
    """Too many different products for a basket."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            _("Your basket can hold at most %(limit)d different products.")
            % {"limit": limit}
        )


class NotInBasket(ShopError):
    """The basket has no line with this product, or no longer."""

    def __init__(self) -> None:
        super().__init__(_("This product is no longer in your basket."))


class BasketClosed(ShopError):
    """The basket was ordered, merged or deleted in the meantime."""

    def __init__(self) -> None:
        super().__init__(_("Your basket has changed. Please check it again."))


class HoldPaused(ShopError):
    """The shopper has held these products for as long as allowed.

    They can still be ordered, and held again from `until` on.
    """

    def __init__(self, until: datetime) -> None:
        self.until = until
        super().__init__(_("We’ve reserved these products for as long as we can."))

    @property
    def minutes(self) -> int:
        """The minutes until then, at least 1."""
        return max(1, ceil((self.until - timezone.now()).total_seconds() / 60))


class BasketEmpty(ShopError):
    """The basket has no lines, so there is nothing to order."""

    def __init__(self) -> None:
        super().__init__(_("Your basket is empty."))


class Shortage(ShopError):
    """Fewer units of some products are available than the basket contains.

    `left` maps their ids to the units that are available.
    """

    def __init__(self, left: Mapping[int, int]) -> None:
        self.left = dict(left)
        super().__init__(
            _(
                "Some products in your basket are no longer available. Please "
                "check your basket."
            )
        )
