"""Actions of staff on people: verification mails, signing out, second factors."""

from collections.abc import Callable
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.usersessions.adapter import get_adapter as get_sessions_adapter
from allauth.usersessions.models import UserSession
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from users import second_factors, sessions, verification
from users.models import User
from users.verification import VerificationError


class PersonActionsMixin(admin.ModelAdmin):
    """Adds the actions to the list of people and to a person's page.

    Each is logged in the person's history, and confirmed by a message.
    """

    actions = ["resend_chosen", "verify_chosen", "sign_out_chosen"]

    # --- On the list ----------------------------------------------------------

    @admin.action(
        description=gettext_lazy("Resend the verification email"),
        permissions=["change"],
    )
    def resend_chosen(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._each(request, queryset, self._resend)

    @admin.action(description=gettext_lazy("Mark as verified"), permissions=["change"])
    def verify_chosen(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._each(request, queryset, self._verify)

    @admin.action(
        description=gettext_lazy("Sign out everywhere"), permissions=["change"]
    )
    def sign_out_chosen(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._each(request, queryset, self._sign_out)

    def _each(
        self,
        request: HttpRequest,
        queryset: QuerySet[User],
        action: Callable[[HttpRequest, User], None],
    ) -> None:
        """Call `action` with each person that the request may change."""
        for user in queryset:
            if self.has_change_permission(request, user):
                action(request, user)
            else:
                text = _("Only an administrator can do that to %(email)s.")
                self._refuse(request, text % {"email": user.email})

    # --- On a person's page ---------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        views = {
            "resend": self.resend_view,
            "verify": self.verify_view,
            "sign_out": self.sign_out_view,
            "second_factor": self.second_factor_view,
        }
        return [
            path(
                f"<int:pk>/{name.replace('_', '-')}/",
                self.admin_site.admin_view(view),
                name=f"users_user_{name}",
            )
            for name, view in views.items()
        ] + super().get_urls()

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj = kwargs.get("obj")
        if obj is not None and self.has_change_permission(request, obj):
            context["may_act"] = True
            context["awaited"] = verification.awaited(obj)
            context["unverified"] = verification.unverified(obj)
            context["may_reset"] = _may_reset(request, obj)
        return super().render_change_form(request, context, *args, **kwargs)

    @method_decorator([require_POST, transaction.atomic])
    def resend_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        user = self._changeable(request, pk)
        self._resend(request, user)
        return _back_to(user)

    @method_decorator([require_POST, transaction.atomic])
    def verify_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        user = self._changeable(request, pk)
        self._verify(request, user)
        return _back_to(user)

    @method_decorator([require_POST, transaction.atomic])
    def sign_out_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        user = self._changeable(request, pk)
        is_all = "everywhere" in request.POST
        chosen = None if is_all else request.POST.get("session", "")
        self._sign_out(request, user, chosen)
        return _back_to(user)

    @method_decorator(transaction.atomic)
    def second_factor_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Reset a person's second factor, after a page that asks for confirmation."""
        user = self._changeable(request, pk)
        if not request.user.is_superuser or user == request.user:
            raise PermissionDenied
        if request.method == "POST":
            self._reset(request, user)
            return _back_to(user)
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "original": user,
            "title": _("Reset two-step verification for %(name)s") % {"name": user},
        }
        return TemplateResponse(request, "admin/users/user/second_factor.html", context)

    def _changeable(self, request: HttpRequest, pk: int) -> User:
        """Return a person. Raises `Http404`, or `PermissionDenied` without right."""
        user = self.get_object(request, str(pk))
        if user is None:
            raise Http404
        if not self.has_change_permission(request, user):
            raise PermissionDenied
        return user

    # --- The actions ----------------------------------------------------------

    def _resend(self, request: HttpRequest, user: User) -> None:
        try:
            address = verification.resend(user)
        except VerificationError as refusal:
            return self._refuse(request, f"{refusal} ({user})")
        text = _("Resent the verification email to %(email)s.")
        self._confirm(request, user, text % {"email": address.email})

    def _verify(self, request: HttpRequest, user: User) -> None:
        try:
            address = verification.verify_by_hand(user)
        except VerificationError as refusal:
            return self._refuse(request, f"{refusal} ({user})")
        text = _("Marked %(email)s as verified by hand.")
        self._confirm(request, user, text % {"email": address.email})

    def _sign_out(
        self, request: HttpRequest, user: User, chosen: str | None = None
    ) -> None:
        """End the `chosen` session, or all (None), but never the request's own."""
        own_key = request.session.session_key
        others = UserSession.objects.filter(user=user).exclude(session_key=own_key)
        ended = [
            session for session in others if chosen is None or str(session.pk) == chosen
        ]
        if not ended:
            return self._refuse(
                request, _("%(name)s has no such session.") % {"name": user}
            )
        get_sessions_adapter().end_sessions(ended)
        text = ngettext(
            "Signed %(name)s out of %(count)d session: %(where)s.",
            "Signed %(name)s out of %(count)d sessions: %(where)s.",
            len(ended),
        )
        where = ", ".join(
            f"{sessions.device(session.user_agent)} ({sessions.address(session.ip)})"
            for session in ended
        )
        values = {"count": len(ended), "name": user, "where": where}
        self._confirm(request, user, text % values)

    def _reset(self, request: HttpRequest, user: User) -> None:
        if second_factors.reset(user):
            text = _("Reset two-step verification for %(name)s.")
            self._confirm(request, user, text % {"name": user})
        else:
            text = _("%(name)s has no two-step verification.")
            self._refuse(request, text % {"name": user})

    def _confirm(self, request: HttpRequest, user: User, text: str) -> None:
        """Log an action that was done, and show a message."""
        self.log_change(request, user, text)
        self.message_user(request, text, messages.SUCCESS)

    def _refuse(self, request: HttpRequest, reason: str) -> None:
        self.message_user(request, reason, messages.ERROR)


def _may_reset(request: HttpRequest, user: User) -> bool:
    """Return whether the request may reset a person's second factor.

    Administrators change their own on their own page, which asks for it.
    """
    if not request.user.is_superuser or user == request.user:
        return False
    return Authenticator.objects.filter(user=user).exists()


def _back_to(user: User) -> HttpResponse:
    return redirect("admin:users_user_change", user.pk)
