"""The reasons why an order is on hold, and what the shop says meanwhile, as one table.

To add a reason, add it to `OnHold`, and its row to `HOLDS`.
"""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from products.orders.machine import Hold
from products.orders.states import UNSENT


class OnHold(TextChoices):
    """Why nobody may pack or ship an order before staff have checked its payments."""

    DIFFERS = "differs", _("wrong amount paid")
    REFUNDED = "refunded", _("refunded")
    DISPUTED = "disputed", _("payment disputed")
    STUCK = "stuck", _("refund failed")


HOLDS = {
    OnHold.DIFFERS: Hold(
        text=_(
            "The amount paid doesn’t match the total. We’re looking into it and will"
            " email you."
        ),
        is_summary=True,
        ends_with_order=True,
        shows_received=True,
        release_note=_("The order will count as paid and can be packed."),
    ),
    OnHold.REFUNDED: Hold(
        text=_(
            "Your payment was refunded. We won’t send anything unless we email you."
        ),
        is_summary=True,
        ends_with_order=True,
    ),
    OnHold.DISPUTED: Hold(
        text=_(
            "Your bank has asked for the payment back. We won’t send anything until"
            " that’s settled."
        ),
        statuses=UNSENT,
    ),
    OnHold.STUCK: Hold(),
}
