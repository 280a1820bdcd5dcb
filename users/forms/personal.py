"""The form to delete an account."""

from django import forms
from django.utils.translation import gettext_lazy as _


class DeleteAccountForm(forms.Form):
    is_sure = forms.BooleanField(
        label=_("Yes, delete my account. I understand that this cannot be undone."),
        error_messages={"required": _("Tick the box to delete your account.")},
    )
