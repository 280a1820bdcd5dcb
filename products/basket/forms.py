"""The form field for a quantity."""

from django import forms
from django.conf import settings

from products.basket.exceptions import BadQuantity


class QuantityField(forms.IntegerField):
    """A quantity of one product, from 1 to `settings.BASKET_LINE_LIMIT`."""

    def __init__(self, **kwargs) -> None:
        super().__init__(
            min_value=1, max_value=settings.BASKET_LINE_LIMIT, localize=False, **kwargs
        )


def quantity_from(text: str | None) -> int:
    """Return the quantity in `text`. Raises `BadQuantity`."""
    try:
        return QuantityField().clean(text)
    except forms.ValidationError:
        raise BadQuantity(settings.BASKET_LINE_LIMIT) from None
