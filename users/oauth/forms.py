"""The form for an email address that a provider didn't give."""

from allauth.account.adapter import get_adapter
from allauth.socialaccount import forms
from django.http import HttpRequest, HttpResponse

from users import verification
from users.models import User
from users.oauth import pages


class SignupForm(forms.SignupForm):
    """Asks for an email address, without revealing whether it has an account."""

    def validate_unique_email(self, value: str) -> str:
        self.account_already_exists = verification.has_account(value)
        return get_adapter().validate_unique_email(value)

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        if self.account_already_exists:
            return None, pages.link_sent(request, self.cleaned_data["email"])
        return super().try_save(request)
