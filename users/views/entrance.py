"""Pages for signing up, in and out."""

from allauth.account import views as allauth_views
from django.contrib.messages.views import SuccessMessageMixin
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _

from project.transactions import AtomicView
from project.views import TitleMixin
from users.forms.entrance import RegistrationForm, SignInForm

# A session key: the address that was entered at the sign-up, known or not.
REGISTERED = "registered_email"


@AtomicView
class UserRegistrationView(TitleMixin, SuccessMessageMixin, allauth_views.SignupView):
    """Sign up. The link in the mail signs in, this page doesn't."""

    template_name = "users/signup.html"
    form_class = RegistrationForm
    title = _("Create an account")
    success_message = _("Thank you. We’ve emailed %(email)s.")

    def form_valid(self, form: RegistrationForm) -> HttpResponse:
        self.request.session[REGISTERED] = form.cleaned_data["email"]
        return super().form_valid(form)


@AtomicView
class UserLoginView(TitleMixin, SuccessMessageMixin, allauth_views.LoginView):
    """Sign in. The visitor's basket becomes the user's basket."""

    template_name = "users/login.html"
    form_class = SignInForm
    title = _("Sign in")
    success_message = _("Welcome back. You’re signed in.")

    def get_success_message(self, cleaned_data: dict) -> str:
        """Return no message if the second factor is still missing."""
        is_in = self.request.user.is_authenticated
        return str(super().get_success_message(cleaned_data)) if is_in else ""


@AtomicView
class UserLogoutView(TitleMixin, allauth_views.LogoutView):
    """Sign out (POST), or ask for confirmation (GET)."""

    template_name = "users/logout.html"
    title = _("Sign out")


class InactiveView(TitleMixin, allauth_views.AccountInactiveView):
    """Shown to people with a closed account who sign in without the password."""

    title = _("This account is closed")
