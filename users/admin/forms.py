"""The forms for people in the admin."""

from allauth.account.models import EmailAddress
from django import forms
from django.contrib.auth.forms import (
    AdminPasswordChangeForm,
    AdminUserCreationForm,
    UserChangeForm,
)
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from users import notices, recovery
from users.models import User


class OwnAddressMixin(forms.BaseModelForm):
    """Refuses an email address that another account has verified."""

    def clean_email(self) -> str:
        email = self.cleaned_data["email"].lower()
        others = EmailAddress.objects.filter(email=email, verified=True)
        if others.exclude(user=self.instance.pk).exists():
            raise ValidationError(_("Someone already uses this email address."))
        return email


class PersonForm(OwnAddressMixin, UserChangeForm):
    """A person. Staff can remove the picture, but only its owner can upload one."""

    remove_picture = forms.BooleanField(
        label=gettext_lazy("Remove the picture"), required=False
    )


class NewPersonForm(OwnAddressMixin, AdminUserCreationForm):
    """A new person."""


class StaffPasswordForm(AdminPasswordChangeForm):
    """Sets or disables a person's password, and notifies them by mail."""

    @transaction.atomic
    def save(self, commit: bool = True) -> User:
        user = super().save(commit)
        if (
            not user.has_usable_password()
        ):  # Django doesn't treat that as a new password
            recovery.after_new_password(user)
        notices.by_staff(user, "account/email/password_changed")
        return user
