"""Passwords: change, set, forget. Whoever else is signed in is signed out by it."""

from allauth.account import views as allauth_views
from allauth.account.forms import default_token_generator
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _

from project.transactions import AtomicView
from project.views import TitleMixin
from users import recovery, sessions
from users.forms import (
    ChangePasswordForm,
    ConfirmCodeForm,
    RequestCodeForm,
    ResetForm,
    ResetFromKeyForm,
    SetPasswordForm,
)
from users.models import User
from users.views.held import HeldMixin

JUST_RESET = "just_reset"  # in the session: whose password was reset in this browser


class EndOthersMixin:
    """A new password ends the sessions that came by the old one."""

    def form_valid(self, form) -> HttpResponse:
        response = super().form_valid(form)
        sessions.end_others(self.request)
        return response


@AtomicView
class PasswordChangeView(
    TitleMixin, HeldMixin, EndOthersMixin, allauth_views.PasswordChangeView
):
    title = _("Change your password")
    form_class = ChangePasswordForm


@AtomicView
class PasswordSetView(
    TitleMixin, HeldMixin, EndOthersMixin, allauth_views.PasswordSetView
):
    title = _("Set a password")
    form_class = SetPasswordForm


@AtomicView
class PasswordResetView(TitleMixin, allauth_views.PasswordResetView):
    """Ask for a link; the answer is the same for an address we don't know."""

    title = _("Forgot your password?")
    form_class = ResetForm


class PasswordResetDoneView(TitleMixin, allauth_views.PasswordResetDoneView):
    title = _("Check your email")


@AtomicView
class PasswordResetFromKeyView(TitleMixin, allauth_views.PasswordResetFromKeyView):
    title = _("Choose a new password")
    form_class = ResetFromKeyForm

    def form_valid(self, form) -> HttpResponse:
        """The link must be good still once nobody else can change the account."""
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
    """Says what was done, and to who did it what else opens the account."""

    title = _("Your password has been changed")

    def get_context_data(self, **kwargs) -> dict:
        user = _who_has_reset(self.request)
        ways = recovery.ways_in(user) if user else []
        return super().get_context_data(ways_in=ways, **kwargs)


def _who_has_reset(request: HttpRequest) -> User | None:
    """Whose password was reset in this browser, if it is still that one."""
    reset = request.session.get(JUST_RESET, {})
    user = User.objects.filter(pk=reset.get("user")).first()
    if user is None:
        return None
    is_same = constant_time_compare(reset["hash"], user.get_session_auth_hash())
    return user if is_same else None


@AtomicView
class ReauthenticateView(TitleMixin, HeldMixin, allauth_views.ReauthenticateView):
    title = _("Confirm it’s you")


@AtomicView
class RequestCodeView(
    TitleMixin, HeldMixin, allauth_views.RequestReauthenticationCodeView
):
    """For people without a password: a code goes to their address."""

    title = _("Confirm it’s you")
    form_class = RequestCodeForm


@AtomicView
class ConfirmCodeView(
    TitleMixin, HeldMixin, allauth_views.ConfirmReauthenticationCodeView
):
    title = _("Enter the code from our email")
    form_class = ConfirmCodeForm
