"""Forms for the email address and for sessions."""

from allauth.account import forms as allauth_forms
from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.email_verification import (
    send_verification_email_to_address,
)
from allauth.account.models import EmailAddress
from allauth.usersessions.forms import ManageUserSessionsForm
from allauth.usersessions.internal.flows.sessions import end_sessions
from allauth.usersessions.models import UserSession
from django import forms
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from project.views import absolute
from users import recovery
from users.forms.labelled import LabelledForm
from users.limits import may_mail


class ChangeEmailForm(LabelledForm, allauth_forms.AddEmailForm):
    labels = {"email": _("New email address")}

    def save(self, request: HttpRequest) -> EmailAddress:
        """Save the pending new address, and send a link to it.

        It replaces an earlier pending address. The present address stays until the new
        one is verified, even if the present one is unverified.
        """
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


class EndSessionsForm(ManageUserSessionsForm):
    """Ends one other session of the user, or all others."""

    session = forms.ModelChoiceField(
        UserSession.objects.none(),
        required=False,
        error_messages={"invalid_choice": _("That session has already ended.")},
    )

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        sessions = UserSession.objects.filter(user=self.request.user)
        own_key = self.request.session.session_key
        self.fields["session"].queryset = sessions.exclude(session_key=own_key)

    def save(self, request: HttpRequest) -> None:
        if session := self.cleaned_data["session"]:
            end_sessions(request, [session])
        else:
            super().save(request)
