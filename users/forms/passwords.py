"""Forms to change, set and reset passwords, and to confirm an identity."""

from allauth.account import forms as allauth_forms
from allauth.account.adapter import get_adapter
from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from users.forms.labelled import LabelledForm
from users.models import User

NEW_PASSWORD = {
    "oldpassword": _("Current password"),
    "password1": _("New password"),
    "password2": _("Confirm new password"),
}


class ChangePasswordForm(LabelledForm, allauth_forms.ChangePasswordForm):
    labels = NEW_PASSWORD


class SetPasswordForm(LabelledForm, allauth_forms.SetPasswordForm):
    labels = NEW_PASSWORD


class ResetFromKeyForm(LabelledForm, allauth_forms.ResetPasswordKeyForm):
    labels = NEW_PASSWORD


class ResetForm(LabelledForm, allauth_forms.ResetPasswordForm):
    """Sends a link to the present address of an account, never to a pending new one.

    For an unknown address, it writes a mail that nobody gets, to take the same time.
    """

    labels = {"email": _("Email")}
    users: list[User]

    def clean_email(self) -> str:
        email = super().clean_email()
        self.users = [user for user in self.users if user.email == email]
        return email

    def save(self, request: HttpRequest, **kwargs) -> str:
        email = super().save(request, **kwargs)
        if not self.users:
            context = {"user": User(), "password_reset_url": "", "username": ""}
            prefix = "account/email/password_reset_key"
            get_adapter().write_mail(prefix, email, context)
        return email


class RequestCodeForm(LabelledForm, allauth_forms.RequestReauthenticationCodeForm):
    """Requests a code by mail, to the user's present address."""

    def __init__(self, *args, user: User, **kwargs) -> None:
        super().__init__(*args, user=user, **kwargs)
        self.fields["recipient"] = forms.ChoiceField(
            choices=[(user.email, user.email)],
            initial=user.email,
            widget=forms.HiddenInput(),
        )


class ConfirmCodeForm(LabelledForm, allauth_forms.ConfirmReauthenticationCodeForm):
    """Takes the code from the mail."""
