"""What the services refuse, each with a sentence for the shopper."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext


class ShopError(Exception):
    """A refusal: nothing was changed. `str()` is a sentence to show."""


class UnknownProduct(ShopError):
    """No such product, or it is not sold any more."""

    def __init__(self) -> None:
        super().__init__(_("This product is not sold here (any more)."))


class SoldOut(ShopError):
    """Nothing of the product is left to put in a basket."""

    def __init__(self, name: str) -> None:
        super().__init__(_("%(name)s is sold out.") % {"name": name})


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


class BadQuantity(ShopError):
    """A quantity that is not a whole number from 1 to the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            _("The quantity must be a whole number from 1 to %(limit)d.")
            % {"limit": limit}
        )


class LineLimit(ShopError):
    """More of one product than a basket takes."""

    def __init__(self, name: str, limit: int, present: int) -> None:
        super().__init__(
            _(
                "A basket takes at most %(limit)d of one product;"
                " you have %(present)d × %(name)s in it."
            )
            % {"limit": limit, "name": name, "present": present}
        )


class BasketFull(ShopError):
    """More different products than a basket takes."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            _("A basket takes at most %(limit)d different products.") % {"limit": limit}
        )


class NotInBasket(ShopError):
    """The line meant is not in the basket (any more)."""

    def __init__(self) -> None:
        super().__init__(_("This product is not in your basket any more."))


class BasketClosed(ShopError):
    """The basket was ordered or merged meanwhile."""

    def __init__(self) -> None:
        super().__init__(_("This basket was closed meanwhile. Please look again."))


class HoldPaused(ShopError):
    """The shopper has held these for as long as they may; `until` says when they may
    hold them again. They can still be ordered."""

    def __init__(self, until: datetime) -> None:
        self.until = until
        super().__init__(_("We have reserved this for you for as long as we can."))

    @property
    def minutes(self) -> int:
        """How long until then, at least 1."""
        return max(1, ceil((self.until - timezone.now()).total_seconds() / 60))


class TooManyOrders(ShopError):
    """A guest's order is one too many for its e-mail address, postal address, session
    or network. `wait` says for how long; None: until one of the others is closed."""

    def __init__(self, wait: timedelta | None) -> None:
        self.wait = wait
        super().__init__(_("There are too many orders like this one right now."))


class BasketEmpty(ShopError):
    """There is nothing to order."""

    def __init__(self) -> None:
        super().__init__(_("Your basket is empty."))


class Shortage(ShopError):
    """Of some products fewer units are left than the basket asks for.

    `left` maps product ids to the units that can be had.
    """

    def __init__(self, left: Mapping[int, int]) -> None:
        self.left = dict(left)
        super().__init__(
            _("Some of it was sold meanwhile. Please look at your basket again.")
        )


class TermsChanged(ShopError):
    """The order would be another than what the shopper saw.

    `seen` and `now` are terms (`products.services.terms`); `seen` is None where the
    form does not say what was shown.
    """

    def __init__(self, seen: Any, now: Any) -> None:
        self.seen, self.now = seen, now
        super().__init__(
            _("Something has changed since you opened this page. Nothing was ordered.")
        )


class StatusConflict(ShopError):
    """The order cannot go there from where it is (any more)."""

    def __init__(self, number: str, status: str, who: str = "") -> None:
        self.number, self.status, self.who = number, status, who
        super().__init__(
            _("%(number)s is “%(status)s” already%(by)s.")
            % {"number": number, "status": status, "by": f" ({who})" if who else ""}
        )


class OrderOnHold(ShopError):
    """Staff must look at the order's money before it is packed or sent."""

    def __init__(self, number: str, why: str) -> None:
        self.number, self.why = number, why
        super().__init__(
            _(
                "%(number)s is on hold: %(why)s. Please look at its payments, then "
                "release it or cancel it."
            )
            % {"number": number, "why": why}
        )


class MailRefused(ShopError):
    """The outbox does not take a mail: its address, or a header of it, cannot be.

    The text says why, to staff.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class MethodRefused(ShopError):
    """This way to pay does not take the order's total."""

    def __init__(self) -> None:
        super().__init__(
            _("Your order cannot be paid this way. Please choose another one.")
        )


class PaymentRefused(ShopError):
    """The payment provider will not take the payment; trying again does not help."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "The payment service did not accept this payment. Your order is kept:"
                " please choose another way to pay."
            )
        )


class PaymentUnderWay(ShopError):
    """Somebody has just paid at the provider; it is about to tell us."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "A payment for this order is under way. This page shows it as soon as"
                " it has arrived."
            )
        )


class RefundRefused(ShopError):
    """The payment provider does not give a payment back. Its own words are in the
    log."""

    def __init__(self) -> None:
        super().__init__(
            _("The payment service refused the refund. Please check the payment there.")
        )


class PaymentUnavailable(ShopError):
    """The payment provider did not answer. One may try again."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "The payment service cannot be reached right now. Your order is kept:"
                " please try again in a moment."
            )
        )
