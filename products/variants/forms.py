"""The forms of a product's variants in the admin: its options, and a row for each."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import Model
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from products.catalogue.models import MOST_OPTIONS
from products.catalogue.options import MOST_VARIANTS
from products.models import Product, ProductImage, Variant
from products.stock.services import MAX_UNITS
from products.variants.services import Option, values_of
from project.edits.forms import ListEditForm

LONGEST_NAME, LONGEST_VALUE = 40, 60  # as the columns


# --- Options ----------------------------------------------------------------------


class OptionsForm(forms.Form):
    """A product's options: a name each, and its values, one a line."""

    shown = forms.CharField(widget=forms.HiddenInput)  # the options when it was shown
    everything = forms.BooleanField(
        label=gettext_lazy("Add every combination that is missing"),
        required=False,
        help_text=gettext_lazy(
            "Otherwise only combinations with a new value are added."
        ),
    )

    def __init__(
        self, data: Mapping | None, product: Product, variants: Sequence[Variant]
    ) -> None:
        super().__init__(data, prefix="options")
        self.product = product
        self.values = values_of(product, variants)
        self.names = list(product.option_names)
        self.fields["shown"].initial = self.now
        for number in range(MOST_OPTIONS):
            is_there = number < len(self.names)
            self._add_option(
                number,
                self.names[number] if is_there else "",
                self.values[number] if is_there else [],
            )

    def _add_option(self, number: int, name: str, values: list[str]) -> None:
        self.fields[f"name-{number}"] = forms.CharField(
            label=_("Option %(number)d") % {"number": number + 1},
            max_length=LONGEST_NAME,
            required=False,
            initial=name,
            widget=forms.TextInput(attrs={"placeholder": HINTS[number]}),
        )
        self.fields[f"values-{number}"] = forms.CharField(
            label=_("Values of option %(number)d, one a line") % {"number": number + 1},
            required=False,
            initial="\n".join(values),
            widget=forms.Textarea(attrs={"rows": max(3, min(8, len(values) + 1))}),
        )

    @property
    def now(self) -> str:
        """The present options, as the page carries them."""
        return json.dumps([self.names, self.values])

    @property
    def pairs(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """The fields for the name and the values of each option."""
        return [(self[f"name-{n}"], self[f"values-{n}"]) for n in range(MOST_OPTIONS)]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("shown") != self.now:
            text = _(
                "Somebody else changed the options while you were editing. Nothing was "
                "saved. Open this page again to see them."
            )
            raise forms.ValidationError(text)
        options = []
        for number in range(MOST_OPTIONS):
            if option := self._option(number, data):
                options.append(option)
        count = 1
        for option in options:
            count *= len(option.values)
        if count > MOST_VARIANTS and data.get("everything"):
            text = _("These are %(count)d combinations. At most %(most)d are possible.")
            raise forms.ValidationError(text % {"count": count, "most": MOST_VARIANTS})
        data["options"] = options
        return data

    def _option(self, number: int, data: Mapping[str, Any]) -> Option | None:
        """Return an option as it was entered; None for an empty one."""
        name = " ".join(data.get(f"name-{number}", "").split())
        lines = data.get(f"values-{number}", "").splitlines()
        values = [
            value for value in (" ".join(line.split()) for line in lines) if value
        ]
        if name and not values:
            self.add_error(f"values-{number}", _("Enter a value at least."))
        if values and not name:
            self.add_error(f"name-{number}", _("Enter a name for these values."))
        if len({value.casefold() for value in values}) < len(values):
            self.add_error(f"values-{number}", _("A value is there twice."))
        for value in values:
            if len(value) > LONGEST_VALUE:
                text = _("“%(value)s” is longer than %(most)d characters.")
                facts = {"value": value, "most": LONGEST_VALUE}
                self.add_error(f"values-{number}", text % facts)
        before = number if number < len(self.names) else None
        return Option(name, values, before) if name and values else None


HINTS = [gettext_lazy("Colour"), gettext_lazy("Size"), gettext_lazy("Material")]


# --- Variants ---------------------------------------------------------------------


class VariantForm(ListEditForm):
    """A row of the grid: a variant, its picture and a change of its stock.

    A field that only one of two people changed is saved as that one left it; see
    `ListEditForm`. Stock is changed by a number of units, so two changes add up.
    """

    chosen = forms.BooleanField(required=False)
    price = Variant._meta.get_field("price").formfield(min_value=Decimal("0.00"))
    change = forms.IntegerField(
        required=False,
        min_value=-MAX_UNITS,
        max_value=MAX_UNITS,
        widget=forms.NumberInput(attrs={"placeholder": "±0"}),
    )
    # The newest movement by this person when the page was shown. A double click has an
    # older one.
    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    picture = forms.TypedChoiceField(required=False, coerce=int, empty_value=None)

    class Meta:
        model = Variant
        fields = ["position", "sku", "weight", "limit_per_person", "is_active"]

    compared = ["position", "sku", "price", "weight", "limit_per_person"]
    compared += ["is_active", "picture"]
    unhidden = ["chosen", "change", "seen"]

    def __init__(
        self,
        data: Mapping | None,
        variant: Variant,
        *,
        seen: int,
        pictures: Sequence[ProductImage],
        may_move: bool,
    ) -> None:
        super().__init__(data, instance=variant, prefix=f"v{variant.pk}")
        self.newest = seen
        own = [picture.pk for picture in pictures if picture.variant_id == variant.pk]
        self.initial["price"] = variant.base_price
        self.initial["picture"] = own[0] if own else None
        self.initial["seen"] = seen
        named = [(p.pk, _picture_name(n, p)) for n, p in enumerate(pictures, 1)]
        choices: list[tuple[int | str, str]] = [("", _("as its colour")), *named]
        picture = self.fields["picture"]
        assert isinstance(picture, forms.ChoiceField)
        picture.choices = choices
        if not pictures:
            del self.fields["picture"]
        if not may_move:
            del self.fields["change"]
        for name in self.unhidden:
            if name in self.fields:
                self.fields[name].show_hidden_initial = False
        self._describe()

    def _describe(self) -> None:
        """Name each input after its variant: a column's heading is no label."""
        name = ", ".join(self.instance.option_values) or self.instance.sku
        for field_name, label in LABELS.items():
            if field_name in self.fields:
                text = f"{label}: {name}"
                self.fields[field_name].widget.attrs["aria-label"] = text
                self.fields[field_name].label = label

    @property
    def logged_row(self) -> Model:
        return self.instance.product

    def validate_unique(self) -> None:
        """`grid.Grid` does this for all rows, with one query."""

    def clean_change(self) -> int:
        return self.cleaned_data["change"] or 0

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if data.get("change") and data.get("seen") != self.newest:
            text = _(
                "You have changed this stock since you opened the page, perhaps by "
                "pressing the button twice. Check the number. To change it once more, "
                "save again."
            )
            self.add_error("change", text)
            self.data = changed_copy(self.data, {f"{self.prefix}-seen": self.newest})
        return data

    @property
    def changed_names(self) -> list[str]:
        """The fields that this row changes, in the order of the grid."""
        return [
            name
            for name in (*self.compared, "change")
            if name in self.changed_data and name in self.cleaned_data
        ]


LABELS = {
    "chosen": gettext_lazy("choose"),
    "position": gettext_lazy("position"),
    "sku": gettext_lazy("SKU"),
    "price": gettext_lazy("price"),
    "weight": gettext_lazy("weight in grams"),
    "limit_per_person": gettext_lazy("units for each person"),
    "change": gettext_lazy("stock change"),
    "picture": gettext_lazy("picture"),
    "is_active": gettext_lazy("active"),
}


def _picture_name(number: int, picture: ProductImage) -> str:
    return f"{number}. {picture.alt}" if picture.alt else f"{number}."


def changed_copy(data: Mapping[str, Any], values: Mapping[str, Any]) -> QueryDict:
    """Return a copy of what was submitted, with other values; None removes one."""
    copy = QueryDict(mutable=True)
    copy.update(data)
    for name, value in values.items():
        copy.pop(name, None)
        if value is not None:
            copy[name] = str(value)
    return copy


class BulkForm(forms.Form):
    """Values for all rows that are chosen. What is empty stays as it is."""

    price = forms.DecimalField(
        label=gettext_lazy("Price"),
        required=False,
        min_value=Decimal("0.00"),
        max_digits=12,
        decimal_places=2,
    )
    weight = forms.IntegerField(
        label=gettext_lazy("Weight in grams"),
        required=False,
        min_value=0,
        max_value=2**31 - 1,
    )
    change = forms.IntegerField(
        label=gettext_lazy("Stock change"),
        required=False,
        min_value=-MAX_UNITS,
        max_value=MAX_UNITS,
    )
    active = forms.ChoiceField(
        label=gettext_lazy("Active"),
        required=False,
        choices=[
            ("", gettext_lazy("as it is")),
            ("yes", gettext_lazy("yes")),
            ("no", gettext_lazy("no")),
        ],
    )

    def __init__(self, data: Mapping | None, *, may_move: bool) -> None:
        super().__init__(data, prefix="bulk")
        if not may_move:
            del self.fields["change"]

    @property
    def values(self) -> dict[str, Any]:
        """The values to set, by the name of the row's field; None clears a box."""
        data = self.cleaned_data
        values = {
            name: data[name]
            for name in ("price", "weight", "change")
            if data.get(name) is not None
        }
        if data.get("active"):
            values["is_active"] = "on" if data["active"] == "yes" else None
        return values
