"""The base of the account forms."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

PASSWORD_HELP = _(
    "At least 8 characters. Don’t use a common password, only digits, or anything "
    "like your name or email."
)


class LabelledForm(forms.Form):
    """Sets labels and the focus, and removes allauth's placeholders.

    allauth's placeholders only repeat the labels. The first field of an empty form has
    the focus. A form with errors leaves the focus to the visitor.
    """

    labels: dict[str, Any] = {}

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            field.label = self.labels.get(name, field.label)
        if "password1" in self.fields:
            self.fields["password1"].help_text = PASSWORD_HELP
        if not self.is_bound and self.fields:
            next(iter(self.fields.values())).widget.attrs["autofocus"] = True
