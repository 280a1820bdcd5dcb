"""The shared part of forms for postal addresses: fields that follow the country."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext as _

from project import phones, postal


class PostalFormMixin(forms.BaseModelForm):
    """For a model form with the fields of `postal.LETTERS`, `country` and `phone`.

    Which fields are needed, and what they are called, is decided by the country that
    was sent, or that stands there already. No field of these is `required` in HTML:
    without JavaScript the browser would hold a shopper to the rules of the country
    that they are just changing.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        country = self.data.get(self.add_prefix("country")) or self._initial_country()
        self.rules = postal.rules(str(country or "").upper())
        self.fields["country"].widget.attrs |= {
            "data-rules": reverse("countries"),
            "data-optional": _("optional"),
        }
        for name in postal.LETTERS:
            field = self.fields[name]
            field.label = self.rules.labels[name]
            field.required = False
            is_needed = name in self.rules.needs or not self.rules.country
            setattr(field, "is_needed", is_needed)  # for templates
            field.widget.attrs["data-follows-country"] = name

    def _initial_country(self) -> object:
        return self.initial.get("country") or getattr(self.instance, "country", "")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if "country" not in data:
            return data
        self._check_needed(data)
        self._clean_one("postcode", postal.clean_postcode, data)
        self._clean_one("phone", _checked_phone, data)
        return data

    def _check_needed(self, data: dict[str, Any]) -> None:
        given = {name: data.get(name) or name in self.errors for name in postal.LETTERS}
        for name in self.rules.missing(given):
            label = postal.lower_first(str(self.fields[name].label))
            text = _("Enter the %(field)s. It’s needed for this country.")
            self.add_error(name, forms.ValidationError(text % {"field": label}))

    def _clean_one(
        self, name: str, clean: Callable[[str, str], str], data: dict[str, Any]
    ) -> None:
        if not data.get(name):
            return
        try:
            data[name] = clean(data[name], self.rules.country)
        except forms.ValidationError as error:
            self.add_error(name, error)


def _checked_phone(text: str, country: str) -> str:
    phones.check(text, country)
    return text
