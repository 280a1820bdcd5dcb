"""Forms with which staff move stock."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib.auth.models import AbstractUser
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from products.models import Stock, StockMovement
from products.orders import preorders
from products.stock import backorders
from products.stock import services as stock


class MovementForm(forms.Form):
    """A change of one variant's stock by staff."""

    number: str  # the field that holds the units
    button: str | Promise

    # The newest movement by staff when the page was shown; see `is_outdated`.
    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    def __init__(self, data: Mapping | None, *, row: Stock, seen: int) -> None:
        is_submitted = data is not None and self.number in data
        super().__init__(
            data if is_submitted else None,
            initial={"seen": seen} | self.values_of(row),
            auto_id=f"id_{self.number}_%s",  # the forms share a page
        )
        self.newest = seen

    def values_of(self, row: Stock) -> dict[str, Any]:
        """Return the values that the form shows at first."""
        return {}

    def is_outdated(self) -> bool:
        """Return whether staff moved this stock after the page was shown.

        It may have been a double click, or a colleague who counted the same units.
        """
        return self.cleaned_data["seen"] != self.newest

    def show_newest(self) -> None:
        """Let the form be sent again, now that staff have seen the newest movement."""
        self.data = dict(self.data.items()) | {"seen": str(self.newest)}

    def move(self, variant_id: int, actor: AbstractUser) -> stock.Level:
        """Call the service; return the new level. Raises `ShopError`."""
        raise NotImplementedError

    def done(self, movement: StockMovement, level: stock.Level) -> str:
        """Return what was done, for staff and for the product's history."""
        return _("%(kind)s: %(change)+d on hand, now %(on_hand)d.") % {
            "kind": movement.get_kind_display().capitalize(),
            "change": movement.d_on_hand,
            "on_hand": level.on_hand,
        }


class UnitsForm(MovementForm):
    """A change of the units on hand, with a note."""

    verb: str  # of `stock.services`

    note = forms.CharField(
        label=gettext_lazy("Note"),
        max_length=StockMovement._meta.get_field("note").max_length,
        required=False,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text=gettext_lazy(
            "Saved with the movement, for example a delivery number or a reason."
        ),
    )

    def move(self, variant_id: int, actor: AbstractUser) -> stock.Level:
        verb = getattr(stock, self.verb)
        units, note = self.cleaned_data[self.number], self.cleaned_data["note"]
        return verb(variant_id, units, note=note, actor=actor)


class ReceiveForm(UnitsForm):
    """Adds units that were delivered."""

    verb, number, button = "receive", "received", gettext_lazy("Receive")

    received = forms.IntegerField(
        label=gettext_lazy("Units received"),
        min_value=1,
        max_value=stock.MAX_UNITS,
        help_text=gettext_lazy(
            "Added to the stock on hand. For example, 7 on hand and 20 received "
            "make 27."
        ),
        widget=forms.NumberInput(attrs={"class": "vIntegerField"}),
    )
    field_order = ["received", "note"]


class BackorderForm(MovementForm):
    """Sets how many units are sold before they are here, and from when they ship."""

    number, button = "backorder_limit", gettext_lazy("Preorders")

    backorder_limit = forms.IntegerField(
        label=gettext_lazy("Units sold before they are here"),
        min_value=0,
        max_value=backorders.MOST,
        help_text=gettext_lazy("The limit. Enter 0 to sell only what is here."),
        widget=forms.NumberInput(attrs={"class": "vIntegerField"}),
    )
    ships_from = forms.DateField(
        label=gettext_lazy("They ship from"),
        required=False,
        help_text=gettext_lazy("Shoppers see it, also those who have ordered already."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    field_order = ["backorder_limit", "ships_from"]

    def values_of(self, row: Stock) -> dict[str, Any]:
        return {"backorder_limit": row.backorder_limit, "ships_from": row.ships_from}

    def clean(self) -> dict:
        super().clean()
        data = self.cleaned_data
        day = data.get("ships_from")
        if data.get("backorder_limit") and "ships_from" not in self.errors:
            if day is None:
                self.add_error("ships_from", _("Enter the day."))
            elif day < timezone.localdate():
                self.add_error("ships_from", _("Enter a day that is not over."))
        return data

    def move(self, variant_id: int, actor: AbstractUser) -> stock.Level:
        limit, day = (self.cleaned_data[name] for name in self.field_order)
        return preorders.offer(variant_id, limit, day, actor=actor)

    def done(self, movement: StockMovement, level: stock.Level) -> str:
        return movement.note


class CountForm(UnitsForm):
    """Sets the units on hand to a count."""

    verb, number, button = "count", "counted", gettext_lazy("Count")

    counted = forms.IntegerField(
        label=gettext_lazy("Units on the shelf"),
        min_value=0,
        max_value=stock.MAX_UNITS,
        help_text=gettext_lazy(
            "Everything you counted, including reserved units. This replaces the "
            "number on hand."
        ),
        widget=forms.NumberInput(attrs={"class": "vIntegerField"}),
    )
    field_order = ["counted", "note"]
