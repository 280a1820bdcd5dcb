"""Pages to verify an email address with a link, and to send another link."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.email_verification import (
    consume_email_verification_rate_limit,
    send_verification_email_to_address,
)
from allauth.account.internal.templatekit import get_entrance_context_data
from allauth.account.models import EmailAddress
from allauth.account.models import EmailConfirmation as Link
from allauth.account.views import ConfirmEmailView
from allauth.decorators import rate_limit
from django.contrib.auth.views import redirect_to_login
from django.contrib.messages.views import SuccessMessageMixin
from django.db.models import TextChoices
from django.http import HttpRequest, HttpResponse
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.generic import FormView

from project.transactions import AtomicView
from project.views import TitleMixin
from users import sessions, verification
from users.forms.verification import ResendForm
from users.models import User
from users.views.entrance import REGISTERED


class State(TextChoices):
    """The states of a link for the visitor who follows it."""

    OPEN = "open", _("Verify your email address")
    EXPIRED = "expired", _("This link has expired")
    USED = "used", _("This address is already verified")
    WRONG = "wrong", _("This link doesn’t work")
    FOREIGN = "foreign", _("This link is for another account")
    TAKEN = "taken", _("Another account uses this address")
    SIGN_IN = "sign-in", _("Sign in to change your email address")


STATUS = {
    State.OPEN: 200,
    State.EXPIRED: 410,
    State.USED: 410,
    State.WRONG: 404,
    State.FOREIGN: 403,
    State.TAKEN: 409,
    State.SIGN_IN: 403,
}


def state_of(link: Link | None, visitor: Any) -> State:
    """Return the state of a link (None for an unknown one) for a visitor."""
    if link is None or not link.email_address.user.is_active:
        return State.WRONG
    owner = link.email_address.user
    if visitor.is_authenticated and visitor.pk != owner.pk:
        return State.FOREIGN
    state = State(verification.state(link))
    if visitor.is_anonymous and verification.is_change(link.email_address):
        return State.SIGN_IN
    if state == State.OPEN and verification.is_taken(link.email_address):
        return State.TAKEN
    return state


@method_decorator(never_cache, name="dispatch")
@AtomicView
class EmailVerificationView(TitleMixin, ConfirmEmailView):
    """Verify an address by POST. GET changes nothing, as mail programs follow links."""

    def get_title(self) -> str:
        return str(self.state.label)

    def get(self, request: HttpRequest, key: str) -> HttpResponse:
        self._load(key)
        return self._show()

    def post(self, request: HttpRequest, key: str) -> HttpResponse:
        self._load(key)
        if self.state == State.OPEN:
            if request.user.is_authenticated and not sessions.lock_account(request):
                return redirect_to_login(request.path)
            # Wait for other requests that confirm this address, with any link.
            email = self.object.email_address.email
            list(EmailAddress.objects.select_for_update().filter(email=email))
            self._load(key)
        if self.state != State.OPEN:
            return self._show()
        return super().post(request, key)

    def respond(self, success: bool) -> HttpResponse:
        if success:
            return super().respond(success)
        self.state = State.TAKEN  # taken after our check, or in other letter case
        return self._show()

    def _show(self) -> HttpResponse:
        context = self.get_context_data()
        return self.render_to_response(context, status=STATUS[self.state])

    def _load(self, key: str) -> None:
        links = Link.objects.select_related("email_address__user")
        self.object = links.filter(key=key.lower()).first()
        self.state = state_of(self.object, self.request.user)

    def get_context_data(self, **kwargs) -> dict:
        context = super().get_context_data(**kwargs)
        owner = self.object and self.object.email_address.user
        return context | {"state": self.state.value, "owner": owner}


@AtomicView
@method_decorator(rate_limit(action="resend_verification"), name="dispatch")
class VerificationSentView(TitleMixin, SuccessMessageMixin, FormView):
    """Ask people to check their mail (GET), or send another link (POST).

    Earlier links stay valid until they expire, because mails can arrive in any order.
    The first link that is followed uses up the others.
    """

    template_name = "account/verification_sent.html"
    title = _("Check your email")
    form_class = ResendForm
    success_url = reverse_lazy("account_email_verification_sent")
    success_message = _(
        "If this address still needs to be verified, a link is on its way. We send "
        "at most one every three minutes."
    )

    def get_form_kwargs(self) -> dict:
        return super().get_form_kwargs() | {"user": self.request.user}

    def get_initial(self) -> dict:
        return {"email": self.request.session.get(REGISTERED, "")}

    def form_valid(self, form: ResendForm) -> HttpResponse:
        address = form.address
        if address:
            if address.pk is None:
                address.save()
            send_verification_email_to_address(self.request, address)
        elif not self.request.user.is_authenticated:
            self._pretend(form.cleaned_data["email"])
        return super().form_valid(form)

    def _pretend(self, email: str) -> None:
        """Do the same work for an address that needs no link.

        It counts under another key, so that nobody can use up the limit of an address
        before its owner signs up.
        """
        if consume_email_verification_rate_limit(self.request, f"nobody:{email}"):
            prefix = "account/email/email_confirmation"
            get_adapter().write_mail(prefix, email, {"user": User()})

    def get_context_data(self, **kwargs) -> dict:
        context = super().get_context_data(**kwargs)
        user, address = self.request.user, self.get_initial()["email"]
        verified = False
        if user.is_authenticated:
            unverified = context["form"].address
            address, verified = (unverified or user).email, unverified is None
        entrance = get_entrance_context_data(self.request)
        return context | entrance | {"address": address, "verified": verified}
