"""Errors that the services of drops raise. Their texts are for people."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from products.exceptions import ShopError


class NotForThisPerson(ShopError):
    """Somebody may not have these units now, whether there are any or not."""


class NotAdmitted(NotForThisPerson):
    """A variant is sold in a drop, and it is not this person's turn.

    `drop_id` is the drop's key.
    """

    def __init__(self, drop_id: int) -> None:
        self.drop_id = drop_id
        super().__init__(
            _("This product is sold in a drop. You can buy it when it’s your turn.")
        )


class DropLimit(NotForThisPerson):
    """More units than the drop sells to one person."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            ngettext(
                "Each person can buy %(limit)d unit in this drop.",
                "Each person can buy %(limit)d units in this drop.",
                limit,
            )
            % {"limit": limit}
        )


class AlreadyBought(NotForThisPerson):
    """Somebody with this email address has bought in the drop."""

    def __init__(self) -> None:
        super().__init__(_("You’ve already bought in this drop."))


class PersonLimit(NotForThisPerson):
    """More units of a variant than one person may buy."""

    def __init__(self, name: str, limit: int, bought: int) -> None:
        text = _("Each person can buy at most %(limit)d × %(name)s.")
        if bought:
            text = _(
                "Each person can buy at most %(limit)d × %(name)s. You’ve already "
                "ordered %(bought)d."
            )
        super().__init__(text % {"limit": limit, "name": name, "bought": bought})


class DropOver(ShopError):
    """No more tickets are given out."""

    def __init__(self) -> None:
        super().__init__(_("This drop is over, so there are no more tickets."))


class NeedsAccount(ShopError):
    """The drop gives tickets to verified accounts only."""

    def __init__(self) -> None:
        super().__init__(
            _("Sign in with a verified email address to take part in this drop.")
        )


class TooManyTickets(ShopError):
    """Too many people take part from one network."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "Too many tickets were given to your network. Nothing has changed for "
                "tickets that you have. To take part, use another connection."
            )
        )


class DropConflict(ShopError):
    """The drop cannot be changed in this way now."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text or _("The drop’s state has changed. Please check it."))
