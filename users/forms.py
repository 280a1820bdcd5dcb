"""What people may send about themselves."""

from typing import Any

from allauth.account import forms as allauth_forms
from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.email_verification import (
    send_verification_email_to_address,
)
from allauth.account.models import EmailAddress
from allauth.account.utils import (
    complete_signup,
    get_next_redirect_url,
    perform_login,
)
from allauth.core import ratelimit
from allauth.usersessions.forms import ManageUserSessionsForm
from allauth.usersessions.internal.flows.sessions import end_sessions
from allauth.usersessions.models import UserSession
from django import forms
from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from project.address_forms import PostalFormMixin
from project.mail.fields import EmailFormField
from project.pictures import ACCEPT, refusal
from project.views import absolute
from project.widgets import CountrySelect
from users import addresses, pictures, recovery, verification
from users.limits import may_mail
from users.models import Address, User
from users.validators import no_control_characters

PASSWORD_HELP = _(
    "At least 8 characters. Don’t use a common password, only digits, or anything "
    "like your name or email."
)
NAME_LENGTH = User._meta.get_field("first_name").max_length


class LabelledForm(forms.Form):
    """allauth's forms repeat each label as a placeholder: the label is enough. Who
    opens the page starts in its first field; after an error they choose where."""

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


# --- Signing up and in ------------------------------------------------------------


def has_account(email: str) -> bool:
    """Whether the address is somebody's. One that a person only wishes to change to
    is not: else they could keep its owner from signing up."""
    theirs = EmailAddress.objects.filter(email=email, verified=True)
    return User.objects.filter(email=email).exists() or theirs.exists()


class RegistrationForm(LabelledForm, allauth_forms.SignupForm):
    """Whoever sends it, and whether the address is known or not, gets the same answer
    for the same work; the mail tells the owner of the address which it was."""

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
        self.account_already_exists = has_account(value)
        return value

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse]:
        """The new person, if there is one, and the way to "look in your mail"."""
        email, url = self.cleaned_data["email"], get_next_redirect_url(request)
        user = self._new_user(request)
        if user:
            return user, complete_signup(request, user, "mandatory", url)
        User().set_password(self.cleaned_data["password1"])  # takes as long
        kwargs = {"redirect_url": url, "signup": True, "email": email}
        return None, perform_login(request, None, "mandatory", **kwargs)

    def _new_user(self, request: HttpRequest) -> User | None:
        for _attempt in range(3):
            if self.account_already_exists:
                return None
            try:
                with transaction.atomic():
                    return self.save(request)
            except IntegrityError as error:  # the address or user name went meanwhile
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
        """As a user name, which allauth also looks for among the e-mail addresses.
        Asked for both, it would hash a known address's password twice: one could hear
        by the clock who has an account."""
        data = self.cleaned_data
        return {"username": data["login"], "password": data["password"]}


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
    """A link goes to an account's own address only, not to one that somebody wishes to
    change to; and where there is none, a mail is written that nobody gets."""

    labels = {"email": _("Email")}

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
    """Asks for a code by mail. It goes to the present address, so nobody chooses."""

    def __init__(self, *args, user: User, **kwargs) -> None:
        super().__init__(*args, user=user, **kwargs)
        recipient = self.fields["recipient"]
        recipient.choices = [(user.email, user.email)]
        recipient.initial = user.email
        recipient.widget = forms.HiddenInput()


class ConfirmCodeForm(LabelledForm, allauth_forms.ConfirmReauthenticationCodeForm):
    """The code is read from a mail."""


# --- The address ------------------------------------------------------------------


class ResendForm(LabelledForm):
    """Whose link is to be sent again: those who are signed in need not say."""

    email = EmailFormField(
        label=_("Email"), widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )

    def __init__(self, *args, user: User, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        if user.is_authenticated:
            del self.fields["email"]

    @cached_property
    def address(self) -> EmailAddress | None:
        """The address that waits for its confirmation, if there is one. A change of
        address is its owner's alone: only they get another link, signed in."""
        if self.user.is_authenticated:
            return verification.awaited(self.user)
        return EmailAddress.objects.filter(
            email=self.cleaned_data["email"].lower(),
            user__email=F("email"),
            verified=False,
            user__is_active=True,
        ).first()


class ChangeEmailForm(LabelledForm, allauth_forms.AddEmailForm):
    labels = {"email": _("New email address")}

    def save(self, request: HttpRequest) -> EmailAddress:
        """Wait for the new address's confirmation, instead of any that waited before.
        The present one stays until then, even if it was never confirmed."""
        recovery.withdraw_changes(self.user)
        address = EmailAddress.objects.create(
            user=self.user, email=self.cleaned_data["email"]
        )
        if may_mail(request, address.email):
            send_verification_email_to_address(request, address)
        get_adapter().send_notification_mail(
            "account/email/email_change_asked",
            self.user,
            {
                "from_email": self.user.email,
                "to_email": address.email,
                "password_reset_url": absolute(reverse("account_reset_password")),
            },
        )
        return address


# --- Sessions ---------------------------------------------------------------------


class EndSessionsForm(ManageUserSessionsForm):
    """Sign out in one other browser, or in all others."""

    session = forms.ModelChoiceField(
        UserSession.objects.none(),
        required=False,
        error_messages={"invalid_choice": _("That session has already ended.")},
    )

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        theirs = UserSession.objects.filter(user=self.request.user)
        here = self.request.session.session_key
        self.fields["session"].queryset = theirs.exclude(session_key=here)

    def save(self, request: HttpRequest) -> None:
        if one := self.cleaned_data["session"]:
            end_sessions(request, [one])
        else:
            super().save(request)


# --- The profile ------------------------------------------------------------------


class ProfileForm(forms.ModelForm):
    picture = forms.FileField(
        label=_("Picture"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ACCEPT}),
        help_text=_("JPEG, PNG or WebP, up to 5 MB. We crop it to a square."),
    )
    remove_picture = forms.BooleanField(label=_("Remove my picture"), required=False)

    class Meta:
        model = User
        fields = ["first_name", "last_name"]
        widgets = {
            "first_name": forms.TextInput(attrs={"autocomplete": "given-name"}),
            "last_name": forms.TextInput(attrs={"autocomplete": "family-name"}),
        }

    def __init__(self, *args, request: HttpRequest, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        if not self.instance.picture:
            del self.fields["remove_picture"]

    def clean_picture(self) -> ContentFile | None:
        """The square that is kept of it. Nothing is locked while it is drawn."""
        upload = self.cleaned_data["picture"]
        if not upload:
            return None
        user = self.request.user
        if not ratelimit.consume(self.request, action="picture", user=user):
            raise refusal("too_often")
        return pictures.square(upload)

    def save(self, commit: bool = True) -> User:
        """Writes no more than the form has, to the row as it is now. Raises
        `PictureRefused`, and nothing is saved, if the picture cannot be stored."""
        picture = self.cleaned_data["picture"]
        return self._write(pictures.store(picture) if picture else "")

    @transaction.atomic
    def _write(self, picture: str) -> User:
        user = User.objects.select_for_update(no_key=True).get(pk=self.instance.pk)
        for name in self.Meta.fields:
            setattr(user, name, self.cleaned_data[name])
        if picture or self.cleaned_data.get("remove_picture"):
            pictures.put(user, picture)
        user.save(update_fields=[*self.Meta.fields, "picture"])
        return user


class AddressForm(PostalFormMixin, forms.ModelForm):
    """One of a person's addresses."""

    class Meta:
        model = Address
        fields = {
            "full_name": "name",
            "line1": "address-line1",
            "line2": "address-line2",
            "postcode": "postal-code",
            "city": "address-level2",
            "region": "address-level1",
            "country": "country",
            "phone": "tel",
        }
        help_texts = {"phone": _("Only used if the carrier can’t find you.")}
        widgets = {"country": CountrySelect}

    def __init__(self, *args, user: User, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        for name, kind in self.Meta.fields.items():
            self.fields[name].widget.attrs["autocomplete"] = kind
        self.fields["phone"].widget.input_type = "tel"

    def save(self, commit: bool = True) -> Address:
        """Which is the usual one, another form says. Raises `TooManyAddresses`."""
        if self.instance.pk is None:
            return addresses.add(self.user, self.instance)
        self.instance.save(update_fields=self.Meta.fields)
        return self.instance


# --- Leaving ----------------------------------------------------------------------


class DeleteAccountForm(forms.Form):
    is_sure = forms.BooleanField(
        label=_("Yes, delete my account. I understand that this cannot be undone."),
        error_messages={"required": _("Tick the box to delete your account.")},
    )
