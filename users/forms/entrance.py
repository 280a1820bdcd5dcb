"""Forms for signing up and in."""

from allauth.account import forms as allauth_forms
from allauth.account.utils import complete_signup, get_next_redirect_url, perform_login
from django import forms
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from users import verification
from users.forms.labelled import LabelledForm
from users.models import User
from users.validators import no_control_characters

NAME_LENGTH = User._meta.get_field("first_name").max_length


class RegistrationForm(LabelledForm, allauth_forms.SignupForm):
    """Gives the same answer in the same time, whether the address is known or not.

    A mail tells the owner of a known address that they have an account already.
    """

    first_name = forms.CharField(
        label=_("First name"),
        max_length=NAME_LENGTH,
        required=False,
        validators=[no_control_characters],
        widget=forms.TextInput(attrs={"autocomplete": "given-name"}),
        help_text=_("What should we call you?"),
    )
    field_order = ["email", "first_name", "password1", "password2"]
    labels = {"email": _("Email"), "password2": _("Confirm password")}

    def validate_unique_email(self, value: str) -> str:
        self.account_already_exists = verification.has_account(value)
        return value

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse]:
        """Return the new user, or None for a known address, and a redirect.

        The redirect leads to "Check your email".
        """
        email, url = self.cleaned_data["email"], get_next_redirect_url(request)
        user = self._new_user(request)
        if user:
            return user, complete_signup(request, user, "mandatory", url)
        User().set_password(self.cleaned_data["password1"])  # takes the same time
        kwargs = {"redirect_url": url, "signup": True, "email": email}
        return None, perform_login(request, None, "mandatory", **kwargs)

    def _new_user(self, request: HttpRequest) -> User | None:
        """Create the user; return None if the address is known."""
        for _attempt in range(3):
            if self.account_already_exists:
                return None
            try:
                with transaction.atomic():
                    return self.save(request)
            except IntegrityError as error:  # taken by another request
                self.validate_unique_email(self.cleaned_data["email"])
                conflict = error
        raise conflict


class SignInForm(LabelledForm, allauth_forms.LoginForm):
    labels = {"login": _("Email or username"), "remember": _("Stay signed in")}

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        attrs = {"autocomplete": "username", "autocapitalize": "none"}
        self.fields["login"].widget.attrs |= attrs

    def user_credentials(self) -> dict[str, str]:
        """Return the login as a user name, which may also be an email address.

        If the login were passed as both, allauth would hash the password of a known
        address twice. The response time would reveal who has an account.
        """
        data = self.cleaned_data
        return {"username": data["login"], "password": data["password"]}
