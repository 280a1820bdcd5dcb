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


class DiscountIsNotRunning(ShopError):
    """A discount that has not begun, or is over, cannot be ended."""

    def __init__(self, name: str) -> None:
        super().__init__(_("“%(name)s” is not running.") % {"name": name})


class DiscountWasUsed(ShopError):
    """A discount that orders have cannot be deleted, only ended."""

    def __init__(self, name: str) -> None:
        text = _("Orders have “%(name)s”. End it instead of deleting it.")
        super().__init__(text % {"name": name})


class NoCode(ShopError):
    """The field for the code was empty."""

    def __init__(self) -> None:
        super().__init__(_("Enter a code."))


class UnknownCode(ShopError):
    """No discount has this code, or it has not begun."""

    def __init__(self) -> None:
        text = _("We don’t know this code. Please check its spelling.")
        super().__init__(text)


class CodeOver(ShopError):
    """The discount of a code has ended."""

    def __init__(self, code: str) -> None:
        super().__init__(_("The code %(code)s has expired.") % {"code": code})


class CodeUsedUp(ShopError):
    """A code was used as often as it may be in all."""

    def __init__(self, code: str) -> None:
        super().__init__(_("The code %(code)s is used up.") % {"code": code})


class CodeUsedBefore(ShopError):
    """A person has used a code as often as one may."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(_("You’ve already used the code %(code)s.") % {"code": code})


class TooManyCodes(ShopError):
    """A visitor has tried too many wrong codes."""

    def __init__(self) -> None:
        super().__init__(_("Too many wrong codes. Please try again later."))
