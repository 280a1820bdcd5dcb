"""Errors that the payment services raise, each with a sentence to show."""

from django.utils.translation import gettext as _

from products.exceptions import ShopError


class PaymentRefused(ShopError):
    """The payment provider will not take the payment; trying again does not help."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "The payment service didn’t accept this payment. We’ve kept your "
                "order. Please choose another way to pay."
            )
        )


class PaymentUnderWay(ShopError):
    """Somebody has just paid at the provider; it is about to tell us."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "A payment for this order is in progress. This page will update "
                "when it arrives."
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
                "We can’t reach the payment service right now. We’ve kept your "
                "order. Please try again in a moment."
            )
        )
