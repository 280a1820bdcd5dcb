"""Signing in."""

from django.contrib.auth.views import LoginView
from django.contrib.messages.views import SuccessMessageMixin
from django.utils.translation import gettext_lazy as _

from project.views import TitleMixin


class UserLoginView(TitleMixin, SuccessMessageMixin, LoginView):
    """Sign in; what was put in the basket before comes along."""

    template_name = "users/login.html"
    title = _("Sign in")
    success_message = _("Good to see you, you are signed in.")
    redirect_authenticated_user = True
