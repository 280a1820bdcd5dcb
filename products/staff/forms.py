"""Forms of the board and of the page of an order."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from products.models import Order


class BoardForm(forms.Form):
    """The filters of the board. Values that are not valid are ignored."""

    SORTS = [("", _("newest first")), ("oldest", _("oldest first"))]

    q = forms.CharField(required=False, max_length=100, label=_("Number or email"))
    status = forms.ChoiceField(required=False, label=_("Status"))
    method = forms.ChoiceField(
        required=False,
        choices=[("", _("Any payment")), *Order.Method.choices],
        label=_("Payment"),
    )
    sort = forms.ChoiceField(required=False, choices=SORTS, label=_("Order"))
    mine = forms.BooleanField(required=False, label=_("Mine"))

    def __init__(self, *args, statuses: list[tuple], **kwargs) -> None:
        super().__init__(*args, **kwargs)
        status = self.fields["status"]
        assert isinstance(status, forms.ChoiceField)
        status.choices = [("", _("All open orders")), *statuses]

    @property
    def filters(self) -> dict[str, Any]:
        """The filters that are set and valid."""
        self.full_clean()
        return {name: value for name, value in self.cleaned_data.items() if value}


class ReasonForm(forms.Form):
    """The reason for a move. The order's history keeps it."""

    note = forms.CharField(max_length=500, label=_("Reason"))


class NoteForm(forms.Form):
    """A note in an order's history."""

    note = forms.CharField(
        max_length=500, label=_("Note"), widget=forms.Textarea({"rows": 2})
    )


class ExportForm(forms.Form):
    """The days of an export, both included, and its rows and format."""

    FORMATS = [
        ("csv", _("Other programs (comma)")),
        ("excel", _("Excel (comma)")),
        ("excel-eu", _("Excel in Europe (semicolon, decimal comma)")),
    ]
    ROWS = [
        ("orders", _("One row for each order")),
        ("lines", _("One row for each line")),
    ]

    since = forms.DateField(label=_("From"))
    until = forms.DateField(label=_("To"))
    rows = forms.ChoiceField(
        choices=ROWS,
        required=False,
        label=_("Rows"),
        widget=forms.Select({"class": "input"}),
    )
    format = forms.ChoiceField(
        choices=FORMATS,
        required=False,
        label=_("Format"),
        widget=forms.Select({"class": "input"}),
    )
    bom = forms.BooleanField(
        required=False
    )  # means "excel", in links older than `format`

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        since, until = data.get("since"), data.get("until")
        if since and until and until < since:
            self.add_error("until", _("The end date is before the start date."))
        data["format"] = data.get("format") or ("excel" if data["bom"] else "csv")
        data["rows"] = data.get("rows") or "orders"
        return data

    @property
    def advice(self) -> str:
        """Say in one sentence how to correct the form."""
        if {"since", "until"} & self.errors.keys():
            return str(_("Enter a start date and an end date."))
        return str(_("Please choose the rows and the format from the lists."))
