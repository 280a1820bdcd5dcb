"""Ways to sign in besides the password: a list, and their removal."""

from allauth.account.internal.flows.reauthentication import (
    raise_if_reauthentication_required,
)
from allauth.socialaccount.models import SocialAccount
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.views.generic import TemplateView, View
from django.views.generic.detail import SingleObjectMixin

from project.transactions import AtomicView
from project.views import TitleMixin
from users import recovery
from users.requests import user_of
from users.views.locks import LockedAccountMixin


class WaysInView(LoginRequiredMixin, TitleMixin, TemplateView):
    """The ways to sign in besides the password, with links to remove them."""

    template_name = "users/ways_in.html"
    title = _("All sign-in methods")

    def get_context_data(self, **kwargs) -> dict:
        ways = recovery.ways_in(user_of(self.request))
        return super().get_context_data(ways_in=ways, **kwargs)


@AtomicView
class DisconnectView(LoginRequiredMixin, LockedAccountMixin, SingleObjectMixin, View):
    """Disconnects an account at a provider, even if it is no longer offered."""

    def get_queryset(self) -> QuerySet[SocialAccount]:
        return SocialAccount.objects.filter(user=self.request.user)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        account = self.get_object()
        raise_if_reauthentication_required(request, app="allauth.socialaccount")
        try:
            recovery.disconnect(request, account)
        except ValidationError as refusal:
            messages.error(request, refusal.message)
        return redirect("users:ways-in")
