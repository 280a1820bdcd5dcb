"""Passwords: change, set, forget. Whoever else is signed in is signed out by it."""

from allauth.account import views as allauth_views
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _

from project.transactions import AtomicView
from project.views import TitleMixin
from users import sessions
from users.forms import (
    ChangePasswordForm,
    ConfirmCodeForm,
    RequestCodeForm,
    ResetForm,
    ResetFromKeyForm,
    SetPasswordForm,
)


class EndOthersMixin:
    """A new password ends the sessions that came by the old one."""

    def form_valid(self, form) -> HttpResponse:
        response = super().form_valid(form)
        sessions.end_others(self.request)
        return response


@AtomicView
class PasswordChangeView(TitleMixin, EndOthersMixin, allauth_views.PasswordChangeView):
    title = _("Change your password")
    form_class = ChangePasswordForm


@AtomicView
class PasswordSetView(TitleMixin, EndOthersMixin, allauth_views.PasswordSetView):
    title = _("Set a password")
    form_class = SetPasswordForm


@AtomicView
class PasswordResetView(TitleMixin, allauth_views.PasswordResetView):
    """Ask for a link; the answer is the same for an address we don't know."""

    title = _("Forgotten your password?")
    form_class = ResetForm


class PasswordResetDoneView(TitleMixin, allauth_views.PasswordResetDoneView):
    title = _("Look in your mail")


@AtomicView
class PasswordResetFromKeyView(TitleMixin, allauth_views.PasswordResetFromKeyView):
    title = _("Choose a new password")
    form_class = ResetFromKeyForm

    def form_valid(self, form) -> HttpResponse:
        response = super().form_valid(form)
        sessions.end_all(self.request, self.reset_user)
        return response


class PasswordResetFromKeyDoneView(
    TitleMixin, allauth_views.PasswordResetFromKeyDoneView
):
    title = _("Your password is changed")


@AtomicView
class ReauthenticateView(TitleMixin, allauth_views.ReauthenticateView):
    title = _("Confirm that it is you")


@AtomicView
class RequestCodeView(TitleMixin, allauth_views.RequestReauthenticationCodeView):
    """For people without a password: a code goes to their address."""

    title = _("Confirm that it is you")
    form_class = RequestCodeForm


@AtomicView
class ConfirmCodeView(TitleMixin, allauth_views.ConfirmReauthenticationCodeView):
    title = _("Enter the code from our mail")
    form_class = ConfirmCodeForm
