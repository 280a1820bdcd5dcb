"""The form of a sale in the admin."""

from datetime import datetime

from django import forms
from django.utils.translation import gettext_lazy as _

from products.models import Sale


class SaleForm(forms.ModelForm):
    """A sale. Its times are whole seconds."""

    class Meta:
        model = Sale
        fields = [
            "name",
            "percent",
            "reduced_price",
            "starts_at",
            "ends_at",
            "products",
            "categories",
        ]
        widgets = {"categories": forms.CheckboxSelectMultiple}
        help_texts = {
            "name": _("Only staff see it."),
            "percent": _("From 0.01 to 99.99. Leave it empty for a reduced price."),
            "reduced_price": _(
                "The price of one unit. Products that cost less keep their price."
            ),
            "starts_at": _("Prices change at this second on all open pages."),
            "ends_at": _("Leave it empty for a sale without an end."),
            "products": _("Numbers of products, with commas between them."),
        }

    def clean_starts_at(self) -> datetime:
        return self.cleaned_data["starts_at"].replace(microsecond=0)

    def clean_ends_at(self) -> datetime | None:
        ends_at = self.cleaned_data["ends_at"]
        return ends_at and ends_at.replace(microsecond=0)

    def clean(self) -> dict:
        data = super().clean() or self.cleaned_data
        if {"percent", "reduced_price"} <= data.keys():
            if (data["percent"] is None) == (data["reduced_price"] is None):
                text = _("Enter a percentage or a reduced price, and not both.")
                self.add_error("percent", text)
        starts_at, ends_at = data.get("starts_at"), data.get("ends_at")
        if starts_at and ends_at and ends_at <= starts_at:
            self.add_error("ends_at", _("The end must be after the start."))
        if {"products", "categories"} <= data.keys():
            if not data["products"] and not data["categories"]:
                self.add_error("products", _("Choose products or categories."))
        return data
