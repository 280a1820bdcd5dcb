"""Quantities in forms."""

from django import forms
from django.conf import settings

from products.basket.exceptions import BadQuantity


class QuantityField(forms.IntegerField):
    """A quantity of one product: 1 to what a basket's line takes."""

    def __init__(self, **kwargs) -> None:
        super().__init__(
            min_value=1, max_value=settings.BASKET_LINE_LIMIT, localize=False, **kwargs
        )


def quantity_from(text: str | None) -> int:
    """The quantity that `text` says. Raises `BadQuantity`."""
    try:
        return QuantityField().clean(text)
    except forms.ValidationError:
        raise BadQuantity(settings.BASKET_LINE_LIMIT) from None
