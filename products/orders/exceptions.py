"""Errors that the order services raise. Their texts are for people."""

from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _

from products.exceptions import ShopError


class TooManyOrders(ShopError):
    """A guest has too many orders for their address, session or network.

    `wait` is how long they must wait. None means until another order is closed.
    """

    def __init__(self, wait: timedelta | None) -> None:
        self.wait = wait
        super().__init__(_("There are too many orders like this one at the moment."))


class TermsChanged(ShopError):
    """The terms of the order are not those that the shopper saw.

    `seen` and `now` are terms (`products.orders.terms`). `seen` is None if the form
    does not say what was shown.
    """

    def __init__(self, seen: Any, now: Any) -> None:
        self.seen, self.now = seen, now
        super().__init__(
            _("Something has changed since you opened this page. Nothing was ordered.")
        )


class NotDelivered(ShopError):
    """No method of delivery is offered for the goods at the address."""

    def __init__(self) -> None:
        super().__init__(_("We don’t deliver this order to your address."))


class StatusConflict(ShopError):
    """The order cannot make this move, perhaps because somebody else was first."""

    def __init__(self, number: str, status: str, who: str = "") -> None:
        self.number, self.status, self.who = number, status, who
        super().__init__(
            _("%(number)s is already “%(status)s”%(by)s.")
            % {"number": number, "status": status, "by": f" ({who})" if who else ""}
        )


class OrderOnHold(ShopError):
    """Staff must check the order's payments before they pack or ship it."""

    def __init__(self, number: str, why: str) -> None:
        self.number, self.why = number, why
        super().__init__(
            _(
                "%(number)s is on hold: %(why)s. Check its payments, then release "
                "or cancel it."
            )
            % {"number": number, "why": why}
        )


class GoodsNotHere(ShopError):
    """Goods of the order are not on hand yet, so it cannot be packed."""

    def __init__(self, number: str, name: str) -> None:
        self.number, self.name = number, name
        text = _("%(number)s can’t be packed: “%(name)s” is not here yet.")
        super().__init__(text % {"number": number, "name": name})


class MethodRefused(ShopError):
    """This method of payment does not accept the order's total."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "You can’t pay for this order this way. Please choose another way "
                "to pay."
            )
        )
