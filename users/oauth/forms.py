"""Asking for what a provider did not say."""

from allauth.account.adapter import get_adapter
from allauth.socialaccount import forms
from django.http import HttpRequest, HttpResponse

from users.forms import has_account
from users.models import User
from users.oauth import pages


class SignupForm(forms.SignupForm):
    """The e-mail address. Whether somebody has it is told to nobody but them."""

    def validate_unique_email(self, value: str) -> str:
        self.account_already_exists = has_account(value)
        return get_adapter().validate_unique_email(value)

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        if self.account_already_exists:
            return None, pages.link_sent(request, self.cleaned_data["email"])
        return super().try_save(request)
