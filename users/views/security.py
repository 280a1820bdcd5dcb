"""Pages for the email address, sessions, second factors and connected accounts.

Most are allauth's views with our titles.
"""

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.socialaccount import views as socialaccount
from allauth.usersessions import views as usersessions
from django.contrib import messages
from django.contrib.messages.views import SuccessMessageMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from project.transactions import AtomicView
from project.views import TitleMixin
from users import sessions
from users.forms.security import ChangeEmailForm, EndSessionsForm
from users.views.locks import LockedAccountMixin

# --- Email and sessions ----------------------------------------------------------


@AtomicView
class EmailView(TitleMixin, LockedAccountMixin, SuccessMessageMixin, account.EmailView):
    """Change the address. The new one replaces the old one after its verification."""

    title = _("Your email address")
    form_class = ChangeEmailForm
    success_message = _("We’ve emailed %(email)s. Follow the link in the email.")

    def post(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        """Refuse to swap addresses without a link, which allauth would allow."""
        if "action_primary" in request.POST:
            return redirect(self.success_url)
        return super().post(request, *args, **kwargs)

    def _action_send(self, request: HttpRequest, *args, **kwargs) -> None:
        super()._action_send(request, *args, **kwargs)
        text = _("A link is on its way. We send at most one every three minutes.")
        messages.success(request, text)


@AtomicView
class SessionListView(TitleMixin, usersessions.ListUserSessionsView):
    title = _("Where you are signed in")
    form_class = EndSessionsForm

    def get_context_data(self, **kwargs) -> dict:
        context = super().get_context_data(**kwargs)
        for session in context["sessions"]:
            session.device = sessions.device(session.user_agent)
            session.address = sessions.address(session.ip)
        return context


# --- Second factors ---------------------------------------------------------------


class IndexView(TitleMixin, mfa.IndexView):
    title = _("Sign-in methods")


# Three of allauth's views ignore the arguments of get_context_data, so TitleMixin comes
# last in these.
@AtomicView
class AuthenticateView(mfa.AuthenticateView, TitleMixin):
    title = _("Two-step verification")


@AtomicView
class ReauthenticateView(TitleMixin, LockedAccountMixin, mfa.ReauthenticateView):
    title = _("Confirm it’s you")


@AtomicView
class ActivateTOTPView(TitleMixin, LockedAccountMixin, totp.ActivateTOTPView):
    title = _("Set up an authenticator app")


@AtomicView
class DeactivateTOTPView(TitleMixin, totp.DeactivateTOTPView):
    title = _("Turn off the authenticator app")


class RecoveryCodesView(TitleMixin, recovery_codes.ViewRecoveryCodesView):
    title = _("Recovery codes")


@AtomicView
class GenerateRecoveryCodesView(
    TitleMixin, LockedAccountMixin, recovery_codes.GenerateRecoveryCodesView
):
    title = _("New recovery codes")


class PasskeyListView(TitleMixin, webauthn.ListWebAuthnView):
    title = _("Passkeys and security keys")


@AtomicView
class PasskeyAddView(LockedAccountMixin, webauthn.AddWebAuthnView, TitleMixin):
    title = _("Add a passkey")


@AtomicView
class PasskeyEditView(TitleMixin, webauthn.EditWebAuthnView):
    title = _("Rename a passkey")


@AtomicView
class PasskeyRemoveView(TitleMixin, webauthn.RemoveWebAuthnView):
    title = _("Remove a passkey")


@AtomicView
class PasskeyReauthenticateView(
    LockedAccountMixin, webauthn.ReauthenticateWebAuthnView, TitleMixin
):
    title = _("Confirm it’s you")


# --- Connected accounts -----------------------------------------------------------


@AtomicView
class ConnectionsView(TitleMixin, LockedAccountMixin, socialaccount.ConnectionsView):
    title = _("Connected accounts")


@AtomicView
class SocialSignupView(TitleMixin, socialaccount.SignupView):
    title = _("Almost done")


class LoginCancelledView(TitleMixin, socialaccount.LoginCancelledView):
    title = _("Sign-in cancelled")


class LoginErrorView(TitleMixin, socialaccount.LoginErrorView):
    title = _("We couldn’t sign you in")
