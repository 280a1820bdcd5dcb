"""Pages to change, set and reset passwords. A new password ends other sessions."""

from allauth.account import views as allauth_views
from allauth.account.forms import default_token_generator
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _
from django.views.generic import FormView

from project.transactions import AtomicView
from project.views import TitleMixin
from users import recovery, sessions
from users.forms.passwords import (
    ChangePasswordForm,
    ConfirmCodeForm,
    RequestCodeForm,
    ResetForm,
    ResetFromKeyForm,
    SetPasswordForm,
)
from users.models import User
from users.views.locks import LockedAccountMixin

# A session key: the user whose password was reset in this browser.
JUST_RESET = "just_reset"


class EndOthersMixin(FormView):
    """Ends the user's other sessions after a new password."""

    def form_valid(self, form: BaseForm) -> HttpResponse:
        response = super().form_valid(form)
        sessions.end_others(self.request)
        return response


@AtomicView
class PasswordChangeView(
    TitleMixin, LockedAccountMixin, EndOthersMixin, allauth_views.PasswordChangeView
):
    title = _("Change your password")
    form_class = ChangePasswordForm


@AtomicView
class PasswordSetView(
    TitleMixin, LockedAccountMixin, EndOthersMixin, allauth_views.PasswordSetView
):
    title = _("Set a password")
    form_class = SetPasswordForm


@AtomicView
class PasswordResetView(TitleMixin, allauth_views.PasswordResetView):
    """Request a link. The answer is the same for unknown addresses."""

    title = _("Forgot your password?")
    form_class = ResetForm


class PasswordResetDoneView(TitleMixin, allauth_views.PasswordResetDoneView):
    title = _("Check your email")


@AtomicView
class PasswordResetFromKeyView(TitleMixin, allauth_views.PasswordResetFromKeyView):
    title = _("Choose a new password")
    form_class = ResetFromKeyForm
    reset_user: User

    def form_valid(self, form) -> HttpResponse:
        """Check the link again once the account is locked, then set the password."""
        people = User.objects.select_for_update(no_key=True)
        self.reset_user = form.user = people.get(pk=self.reset_user.pk)
        if not default_token_generator.check_token(self.reset_user, self.key):
            return self.render_to_response(self.get_context_data(token_fail=True))
        response = super().form_valid(form)
        sessions.end_all(self.request, self.reset_user)
        self.request.session[JUST_RESET] = {
            "user": self.reset_user.pk,
            "hash": self.reset_user.get_session_auth_hash(),
        }
        return response


class PasswordResetFromKeyDoneView(
    TitleMixin, allauth_views.PasswordResetFromKeyDoneView
):
    """Confirms the new password. Its owner also sees the other ways in."""

    title = _("Your password has been changed")

    def get_context_data(self, **kwargs) -> dict:
        user = _user_just_reset(self.request)
        ways = recovery.ways_in(user) if user else []
        return super().get_context_data(ways_in=ways, **kwargs)


def _user_just_reset(request: HttpRequest) -> User | None:
    """Return whose password was reset in this browser.

    Return None if nobody's was, or if the password has changed again.
    """
    reset = request.session.get(JUST_RESET, {})
    user = User.objects.filter(pk=reset.get("user")).first()
    if user is None:
        return None
    is_same = constant_time_compare(reset["hash"], user.get_session_auth_hash())
    return user if is_same else None


@AtomicView
class ReauthenticateView(
    TitleMixin, LockedAccountMixin, allauth_views.ReauthenticateView
):
    title = _("Confirm it’s you")


@AtomicView
class RequestCodeView(
    TitleMixin, LockedAccountMixin, allauth_views.RequestReauthenticationCodeView
):
    """Sends a code by mail to people without a password."""

    title = _("Confirm it’s you")
    form_class = RequestCodeForm


@AtomicView
class ConfirmCodeView(
    TitleMixin, LockedAccountMixin, allauth_views.ConfirmReauthenticationCodeView
):
    title = _("Enter the code from our email")
    form_class = ConfirmCodeForm
