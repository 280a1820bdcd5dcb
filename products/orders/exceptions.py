"""Errors that the order services raise, each with a sentence to show."""

from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _

from products.exceptions import ShopError


class TooManyOrders(ShopError):
    """A guest's order is one too many for its e-mail address, postal address, session
    or network. `wait` says for how long; None: until one of the others is closed."""

    def __init__(self, wait: timedelta | None) -> None:
        self.wait = wait
        super().__init__(_("There are too many orders like this one at the moment."))


class TermsChanged(ShopError):
    """The order would be another than what the shopper saw.

    `seen` and `now` are terms (`products.orders.terms`); `seen` is None where the
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
            _("%(number)s is already “%(status)s”%(by)s.")
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


class MethodRefused(ShopError):
    """This way to pay does not take the order's total."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "You can’t pay for this order this way. Please choose another way "
                "to pay."
            )
        )
