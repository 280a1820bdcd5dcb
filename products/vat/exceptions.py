"""Errors about VAT numbers. Their texts are for people."""

from django.utils.translation import gettext as _

from products.exceptions import ShopError


class BadVatNumber(ShopError):
    """The text is not the VAT number of a business in another country of the EU."""


class TooManyVatNumbers(ShopError):
    """The account has given too many VAT numbers."""

    def __init__(self) -> None:
        super().__init__(_("You’ve entered too many VAT numbers. Please contact us."))


class ProviderUnreachable(ShopError):
    """The provider that checks VAT numbers did not answer."""

    def __init__(self) -> None:
        super().__init__(_("The service that checks VAT numbers did not answer."))
