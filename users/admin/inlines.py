"""The inlines of a person's page: addresses, sessions, second factors."""

from datetime import datetime
from typing import TYPE_CHECKING

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import localize
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from project.modeladmin import ReadOnlyMixin
from users import sessions, verification
from users.models import Address, Session, User

if TYPE_CHECKING:
    from django.contrib.admin.options import _FieldGroups

# allauth's own pages show secrets, and let anyone who may change an email address take
# over any account. So these rows are only on the person's page.
admin.site.unregister(
    [EmailAddress, Authenticator, SocialAccount, SocialApp, SocialToken, UserSession]
)


class ReadOnlyFormSet(forms.BaseInlineFormSet):
    """Shows rows, and ignores what is posted about them."""

    def __init__(self, data=None, files=None, **kwargs) -> None:
        super().__init__(**kwargs)

    def is_valid(self) -> bool:
        return True

    def save(self, commit: bool = True) -> list:
        self.new_objects, self.changed_objects, self.deleted_objects = [], [], []
        return []


class ReadOnlyInline(ReadOnlyMixin, admin.TabularInline):
    """Shows `fields` of a model to staff who may view it."""

    formset = ReadOnlyFormSet
    template = "admin/users/user/_shown.html"
    extra = 0
    can_delete = False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None):
        return self.get_fields(request, obj)


class EmailAddressInline(ReadOnlyInline):
    model = EmailAddress
    fields = ["email", "verified", "primary", "links"]
    ordering = ["-primary", "pk"]
    verbose_name_plural = gettext_lazy("email addresses")

    def get_queryset(self, request: HttpRequest) -> QuerySet[EmailAddress]:
        return super().get_queryset(request).prefetch_related("emailconfirmation_set")

    @admin.display(description=gettext_lazy("verification emails"))
    def links(self, address: EmailAddress) -> SafeString | str:
        links = sorted(address.emailconfirmation_set.all(), key=verification.expires)
        texts = ((_describe(link, address),) for link in reversed(links))
        return format_html_join(SafeString("<br>"), "{}", texts) or "–"


def _describe(link: EmailConfirmation, address: EmailAddress) -> str:
    link.email_address = address  # saves a query
    return _("%(sent)s: %(state)s, valid until %(expires)s") % {
        "sent": local_time(link.sent or link.created),
        "state": verification.state(link).label,
        "expires": local_time(verification.expires(link)),
    }


def local_time(moment: datetime) -> str:
    """Return a moment in local time, in the format of the present language."""
    return localize(localtime(moment))


class UserSessionInline(ReadOnlyInline):
    """The open sessions of a person.

    Their buttons belong to a form outside this one, because forms can't be nested.
    """

    model = UserSession
    fields = ["where", "browser", "since", "seen", "sign_out"]
    ordering = ["-last_seen_at"]
    verbose_name_plural = gettext_lazy("sessions")

    def get_fields(
        self, request: HttpRequest, obj: User | None = None
    ) -> "_FieldGroups":
        """Leave out the button for staff who may not change this person."""
        user_admin = self.admin_site.get_model_admin(User)
        fields = super().get_fields(request, obj)
        may_change = user_admin.has_change_permission(request, obj)
        return fields if may_change else fields[:-1]

    def get_queryset(self, request: HttpRequest) -> QuerySet[UserSession]:
        open_sessions = Session.objects.filter(
            session_key=OuterRef("session_key"), expire_date__gt=timezone.now()
        )
        is_this = Q(session_key=request.session.session_key)
        rows = super().get_queryset(request).filter(Exists(open_sessions))
        return rows.annotate(is_this=is_this)

    @admin.display(description=gettext_lazy("where"))
    def where(self, session: UserSession) -> str:
        return sessions.address(session.ip) or _("unknown")

    @admin.display(description=gettext_lazy("browser"))
    def browser(self, session: UserSession) -> SafeString:
        device = sessions.device(session.user_agent)
        return format_html('<span title="{}">{}</span>', session.user_agent, device)

    @admin.display(description=gettext_lazy("since"))
    def since(self, session: UserSession) -> str:
        return local_time(session.created_at)

    @admin.display(description=gettext_lazy("last seen"))
    def seen(self, session: UserSession) -> str:
        return local_time(session.last_seen_at)

    @admin.display(description="")
    def sign_out(self, session: UserSession) -> SafeString | str:
        if session.is_this:
            return _("This session")
        return format_html(
            '<button class="button" form="sign-out" name="session" value="{}">'
            "{}</button>",
            session.pk,
            _("Sign out this device"),
        )


class SocialAccountInline(ReadOnlyInline):
    model = SocialAccount
    fields = ["provider", "uid", "date_joined", "last_login"]
    ordering = ["pk"]
    verbose_name_plural = gettext_lazy("connected accounts")


class AuthenticatorInline(ReadOnlyInline):
    model = Authenticator
    fields = ["type", "created_at", "last_used_at"]
    ordering = ["pk"]
    verbose_name_plural = gettext_lazy("two-step verification")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Authenticator]:
        return super().get_queryset(request).defer("data")


class AddressInline(ReadOnlyInline):
    model = Address
    fields = [
        "full_name",
        "line1",
        "line2",
        "postcode",
        "city",
        "region",
        "country",
        "phone",
        "is_default",
    ]
    verbose_name_plural = gettext_lazy("postal addresses")
