"""Forms with which staff set up zones and methods."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_countries import countries as all_countries

from products.models import ShippingMethod, ShippingZone
from products.shipping import postcodes, prices
from products.shipping.postcodes import Unreadable
from products.shipping.services import PriceBand
from project.edits.forms import ListEditForm

PROBLEMS = {
    Unreadable.NO_COUNTRY: gettext_lazy(
        "Line %(line)d, “%(text)s”: begin with the two letters of a country and a "
        "colon, like “DE: 27498, 25845–25849”."
    ),
    Unreadable.NO_POSTCODE: gettext_lazy(
        "Line %(line)d: “%(text)s” is not the beginning of a postcode there."
    ),
    Unreadable.NO_RANGE: gettext_lazy(
        "Line %(line)d: “%(text)s” is not a range. Write the lower postcode first, and "
        "both with as many characters."
    ),
}


class CountriesField(forms.MultipleChoiceField):
    """Countries to tick, as a list of codes in the order of their names."""

    widget = forms.CheckboxSelectMultiple

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=lambda: list(all_countries), **kwargs)

    def prepare_value(self, value: Iterable | None) -> list[str]:
        return sorted(getattr(one, "code", one) for one in value or ())

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.prepare_value(initial) != self.prepare_value(data)


class PostcodesField(forms.CharField):
    """Parts of countries, in the form of `products.shipping.postcodes`."""

    widget = forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField"})

    def clean(self, value: str) -> str:
        try:
            return postcodes.text_of(postcodes.parse(super().clean(value)))
        except Unreadable as error:
            text = PROBLEMS[error.reason] % {"line": error.line, "text": error.text}
            raise ValidationError(text) from None


class PricesField(forms.CharField):
    """A list of `PriceBand`, in the form of `products.shipping.prices`."""

    widget = forms.Textarea(attrs={"rows": 4, "class": "vTextField"})

    def prepare_value(self, value: list[PriceBand] | str | None) -> str:
        return value if isinstance(value, str) else prices.text_of(value or [])

    def clean(self, value: str) -> list[PriceBand]:
        return prices.parse(super().clean(value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        before, after = self.prepare_value(initial), self.prepare_value(data)
        return before.split() != after.split()


class ZoneForm(forms.ModelForm):
    countries = CountriesField(
        label=gettext_lazy("Countries"),
        required=False,
        help_text=gettext_lazy("Whole countries, but for the parts of other zones."),
    )
    postcodes = PostcodesField(
        label=gettext_lazy("Parts of countries"),
        required=False,
        help_text=gettext_lazy(
            "A line for each country, with the beginnings of postcodes: “DE: 27498, "
            "25845–25849” or “GB: HS, IV, KW1–KW14”. These come before whole countries."
        ),
    )

    class Meta:
        model = ShippingZone
        fields = [
            "name",
            "is_active",
            "position",
            "countries",
            "postcodes",
            "has_rest",
        ]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        places = ("countries", "postcodes", "has_rest")
        is_nowhere = all(name in data and not data[name] for name in places)
        if is_nowhere and not self.errors:
            self.add_error(None, _("Choose where this zone is: tick a country."))
        return data


class MethodForm(ListEditForm):
    """A method on the page of its zone, with its prices."""

    prices = PricesField(
        label=gettext_lazy("Prices"),
        required=False,
        help_text=gettext_lazy(
            "A line for each price: “0–2000: 4.90” is for more than 0 and up to 2000, "
            "“2000–: 9.90” for everything above. Where there is no price, the method is"
            " not offered. One price for everything: “4.90”."
        ),
    )

    class Meta:
        model = ShippingMethod
        fields = [
            *("name", "carrier", "days_from", "days_to", "is_pickup", "basis"),
            *("free_from", "position", "is_active"),
        ]
        help_texts = {
            "free_from": gettext_lazy(
                "If the goods, after discounts, cost at least this much."
            ),
        }

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        rates = self.instance.rates.all() if self.instance.pk else []
        self.initial["prices"] = [PriceBand(r.over, r.up_to, r.price) for r in rates]

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        self._check_prices(self.merged("is_pickup"), self.merged("basis"))
        return data

    @property
    def logged_row(self) -> ShippingZone:
        return self.instance.zone

    def merged(self, name: str) -> Any:
        """Return the value that a field will have once this form is saved."""
        initial = self.get_initial_for_field(self.fields[name], name)
        return self.cleaned_data.get(name, initial)

    def _check_prices(self, is_pickup: bool, basis: str) -> None:
        bands = self.merged("prices")
        if is_pickup and bands:
            self.add_error("prices", _("Pick-up is free. Leave the prices empty."))
        elif basis == ShippingMethod.Basis.WEIGHT and not all(map(_is_whole, bands)):
            self.add_error("prices", _("Write weights in whole grams."))


def _is_whole(band: PriceBand) -> bool:
    return all(bound is None or bound == int(bound) for bound in band[:2])
