"""Forms with which staff move stock."""

from collections.abc import Mapping

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from products.models import StockMovement
from products.stock import services as stock


class MovementForm(forms.Form):
    """A change of one variant's stock by staff."""

    verb: str  # of `stock.services`
    number: str  # the field that holds the units
    button: str | Promise

    # The newest movement by staff when the page was shown; see `is_outdated`.
    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    note = forms.CharField(
        label=_("Note"),
        max_length=StockMovement._meta.get_field("note").max_length,
        required=False,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text=_(
            "Saved with the movement, for example a delivery number or a reason."
        ),
    )

    def __init__(self, data: Mapping | None, *, seen: int) -> None:
        is_submitted = data is not None and self.number in data
        super().__init__(
            data if is_submitted else None,
            initial={"seen": seen},
            auto_id=f"id_{self.number}_%s",  # two forms share a page
        )
        self.newest = seen

    def is_outdated(self) -> bool:
        """Return whether staff moved this stock after the page was shown.

        It may have been a double click, or a colleague who counted the same units.
        """
        return self.cleaned_data["seen"] != self.newest

    def show_newest(self) -> None:
        """Let the form be sent again, now that staff have seen the newest movement."""
        self.data = dict(self.data.items()) | {"seen": str(self.newest)}

    def move(self, variant_id: int, actor) -> stock.Level:
        """Call the service; return the new level. Raises `ShopError`."""
        verb = getattr(stock, self.verb)
        units, note = self.cleaned_data[self.number], self.cleaned_data["note"]
        return verb(variant_id, units, note=note, actor=actor)


class ReceiveForm(MovementForm):
    """Adds units that were delivered."""

    verb, number, button = "receive", "received", _("Receive")

    received = forms.IntegerField(
        label=_("Units received"),
        min_value=1,
        max_value=stock.MAX_UNITS,
        help_text=_(
            "Added to the stock on hand. For example, 7 on hand and 20 received "
            "make 27."
        ),
        widget=forms.NumberInput(attrs={"class": "vIntegerField"}),
    )
    field_order = ["received", "note"]


class CountForm(MovementForm):
    """Sets the units on hand to a count."""

    verb, number, button = "count", "counted", _("Count")

    counted = forms.IntegerField(
        label=_("Units on the shelf"),
        min_value=0,
        max_value=stock.MAX_UNITS,
        help_text=_(
            "Everything you counted, including reserved units. This replaces the "
            "number on hand."
        ),
        widget=forms.NumberInput(attrs={"class": "vIntegerField"}),
    )
    field_order = ["counted", "note"]
