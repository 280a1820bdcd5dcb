"""The form to send a verification link again."""

from allauth.account.models import EmailAddress
from django import forms
from django.db.models import F
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from project.mail.fields import EmailFormField
from users import verification
from users.forms.labelled import LabelledForm
from users.models import User


class ResendForm(LabelledForm):
    """Asks for the address, unless the visitor is signed in."""

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
        """Return the unverified address, or None.

        Only users who are signed in can get another link to a pending new address.
        """
        if self.user.is_authenticated:
            return verification.awaited(self.user)
        return EmailAddress.objects.filter(
            email=self.cleaned_data["email"].lower(),
            user__email=F("email"),
            verified=False,
            user__is_active=True,
        ).first()
