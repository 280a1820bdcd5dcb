"""Errors that the payment services raise. Their texts are for people."""

from django.utils.translation import gettext as _

from products.exceptions import ShopError


class PaymentRefused(ShopError):
    """The provider refuses the payment. Trying again does not help."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "The payment service didn’t accept this payment. We’ve kept your "
                "order. Please choose another way to pay."
            )
        )


class PaymentUnderWay(ShopError):
    """Somebody has just paid at the provider, which has not reported it yet."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "A payment for this order is in progress. This page will update "
                "when it arrives."
            )
        )


class RefundRefused(ShopError):
    """The provider refuses to refund a payment. The log says why."""

    def __init__(self) -> None:
        super().__init__(
            _("The payment service refused the refund. Please check the payment there.")
        )


class PaymentUnavailable(ShopError):
    """The provider did not answer. The shopper may try again."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "We can’t reach the payment service right now. We’ve kept your "
                "order. Please try again in a moment."
            )
        )
