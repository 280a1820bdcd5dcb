"""The forms of sales and discounts in the admin."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from products.models import Discount, Sale, Variant

SKUS_HELP = _("SKUs of single variants, with commas or line breaks between them.")
TARGETS = {"products", "categories", "variants"}


class TimedForm(forms.ModelForm):
    """Something that holds for some time. Its times are whole seconds."""

    def clean_starts_at(self) -> datetime:
        return self.cleaned_data["starts_at"].replace(microsecond=0)

    def clean_ends_at(self) -> datetime | None:
        ends_at = self.cleaned_data["ends_at"]
        return ends_at and ends_at.replace(microsecond=0)

    def clean(self) -> dict:
        data = super().clean() or self.cleaned_data
        starts_at, ends_at = data.get("starts_at"), data.get("ends_at")
        if starts_at and ends_at and ends_at <= starts_at:
            self.add_error("ends_at", _("The end must be after the start."))
        return data


class SkusInput(forms.Textarea):
    """SKUs, with commas or line breaks between them."""

    def __init__(self) -> None:
        super().__init__(attrs={"rows": 3})

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        texts = data.getlist(name) if hasattr(data, "getlist") else [data.get(name, "")]
        skus = (sku.strip() for text in texts for sku in re.split(r"[,\n]", text))
        return [sku for sku in skus if sku]

    def format_value(self, value: Iterable[str] | None) -> str:
        return "\n".join(map(str, value or ()))


class SkusField(forms.ModelMultipleChoiceField):
    """Variants, by their SKUs."""

    default_error_messages = {
        "invalid_choice": _("There is no variant with the SKU “%(value)s”.")
    }

    def __init__(self, **options: Any) -> None:
        variants = Variant.objects.select_related("product")
        options = {"to_field_name": "sku", "widget": SkusInput, **options}
        super().__init__(variants, required=False, **options)


class SaleForm(TimedForm):
    """A sale."""

    variants = SkusField(label=_("Variants"), help_text=SKUS_HELP)

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
            "variants",
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

    def clean(self) -> dict:
        data = super().clean()
        if {"percent", "reduced_price"} <= data.keys():
            if (data["percent"] is None) == (data["reduced_price"] is None):
                text = _("Enter a percentage or a reduced price, and not both.")
                self.add_error("percent", text)
        if TARGETS <= data.keys() and not any(data[name] for name in TARGETS):
            text = _("Choose products, categories or variants.")
            self.add_error("products", text)
        return data


class DiscountForm(TimedForm):
    """A discount on orders or on lines."""

    variants = SkusField(label=_("Variants"), help_text=SKUS_HELP)

    class Meta:
        model = Discount
        fields = [
            *("name", "code", "percent", "amount", "minimum"),
            *("starts_at", "ends_at", "uses_limit", "uses_each"),
            *("is_on_lines", "products", "categories", "variants"),
        ]
        widgets = {"categories": forms.CheckboxSelectMultiple}
        help_texts = {
            "name": _("Shoppers see it, unless there is a code."),
            "code": _("Leave it empty for a discount that needs no code."),
            "percent": _("From 0.01 to 100. Leave it empty for an amount."),
            "amount": _(
                "At most the price of the goods is taken off. On lines: at most the "
                "price of each unit."
            ),
            "is_on_lines": _(
                "The percentage is taken off lines, the amount off each of their units."
                " Each line gets the discount that saves most."
            ),
            "products": _("For lines. Numbers of products, with commas between them."),
            "categories": _("For lines."),
            "minimum": _("What the goods must cost at least; 0 for any order."),
            "ends_at": _("Leave it empty for a discount without an end."),
            "uses_limit": _("Leave it empty for no limit."),
            "uses_each": _(
                "Counted by account, or by a guest’s email address. It needs a code."
            ),
        }

    def clean_code(self) -> str:
        """Return the code in capital letters, unless another discount has it."""
        code = self.cleaned_data["code"].upper()
        others = Discount.objects.exclude(pk=self.instance.pk)
        if code and others.filter(code=code).exists():
            raise forms.ValidationError(_("Another discount has this code."))
        return code

    def clean(self) -> dict:
        data = super().clean()
        if {"percent", "amount"} <= data.keys():
            if (data["percent"] is None) == (data["amount"] is None):
                text = _("Enter a percentage or an amount, and not both.")
                self.add_error("percent", text)
        code = data.get("code", self.instance.code)
        if data.get("uses_each") and not code and "code" not in self.errors:
            self.add_error("uses_each", _("This limit needs a code."))
        self._check_targets(data)
        return data

    def _check_targets(self, data: dict) -> None:
        if not TARGETS <= data.keys():
            return
        has_targets = any(data[name] for name in TARGETS)
        on_lines = data.get("is_on_lines", self.instance.is_on_lines)
        if on_lines and not has_targets:
            text = _("Choose products, categories or variants.")
            self.add_error("products", text)
        if has_targets and not on_lines:
            text = _("Only a discount on lines can be for some products.")
            self.add_error("products", text)
