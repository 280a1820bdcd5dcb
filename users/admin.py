"""People behind the counter: who they are, where they are signed in, what was verified.

Rights are given and administrators changed by administrators only: whoever may change
people may not, by that, become more than they are. Secrets (the keys of links and
sessions, second factors, tokens) are shown to nobody, nor can be searched for.
"""

from datetime import datetime

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.adapter import get_adapter as get_sessions_adapter
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import (
    AdminPasswordChangeForm,
    AdminUserCreationForm,
    UserChangeForm,
)
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Greatest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import localize
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from project.edits import SafeEditsMixin
from project.modeladmin import ListedLookupsMixin, ReadOnlyMixin
from users import (
    deletion,
    notices,
    pictures,
    recovery,
    second_factors,
    sessions,
    verification,
)
from users.models import Address, Session, User
from users.verification import State, VerificationError

# allauth's own pages show secrets, and let anyone who may change an e-mail address
# take over any account. Its rows are on the person's page.
_ALLAUTHS = [
    EmailAddress,
    EmailConfirmation,
    Authenticator,
    SocialAccount,
    SocialApp,
    SocialToken,
    UserSession,
]
admin.site.unregister([*_ALLAUTHS, Group])

RIGHTS = ["is_staff", "is_superuser", "groups", "user_permissions"]


# --- What belongs to a person -----------------------------------------------------


class Shown(forms.BaseInlineFormSet):
    """Rows on a page; whatever a form sends back about them is not read."""

    def __init__(self, data=None, files=None, **kwargs) -> None:
        super().__init__(**kwargs)

    def is_valid(self) -> bool:
        return True

    def save(self, commit: bool = True) -> list:
        self.new_objects, self.changed_objects, self.deleted_objects = [], [], []
        return []


class ShownInline(ReadOnlyMixin, admin.TabularInline):
    """For those who may view this model; `fields` are all there is to see."""

    formset = Shown
    template = "admin/users/user/_shown.html"
    extra = 0
    can_delete = False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None):
        return self.get_fields(request, obj)


class EmailAddressInline(ShownInline):
    model = EmailAddress
    fields = ["email", "verified", "primary", "links"]
    ordering = ["-primary", "pk"]
    verbose_name_plural = gettext_lazy("e-mail addresses")

    def get_queryset(self, request: HttpRequest) -> QuerySet[EmailAddress]:
        return super().get_queryset(request).prefetch_related("emailconfirmation_set")

    @admin.display(description=gettext_lazy("verification mails"))
    def links(self, address: EmailAddress) -> SafeString | str:
        links = sorted(address.emailconfirmation_set.all(), key=verification.expires)
        rows = ((_told(link, address),) for link in reversed(links))
        return format_html_join(SafeString("<br>"), "{}", rows) or "–"


def _told(link: EmailConfirmation, address: EmailAddress) -> str:
    link.email_address = address  # no query for what is at hand
    return _("%(sent)s: %(state)s, good until %(expires)s") % {
        "sent": _moment(link.sent or link.created),
        "state": verification.state(link).label,
        "expires": _moment(verification.expires(link)),
    }


def _moment(when: datetime) -> str:
    return localize(localtime(when))


class UserSessionInline(ShownInline):
    """Sessions that are open now. The buttons belong to a form of the page's head:
    forms can't be nested."""

    model = UserSession
    fields = ["where", "browser", "since", "seen", "sign_out"]
    ordering = ["-last_seen_at"]
    verbose_name_plural = gettext_lazy("signed in")

    def get_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        people = self.admin_site.get_model_admin(User)
        fields = super().get_fields(request, obj)
        return fields if people.has_change_permission(request, obj) else fields[:-1]

    def get_queryset(self, request: HttpRequest) -> QuerySet[UserSession]:
        open_now = Session.objects.filter(
            session_key=OuterRef("session_key"), expire_date__gt=timezone.now()
        )
        is_this = Q(session_key=request.session.session_key)
        theirs = super().get_queryset(request).filter(Exists(open_now))
        return theirs.annotate(is_this=is_this)

    @admin.display(description=gettext_lazy("where"))
    def where(self, session: UserSession) -> str:
        return sessions.address(session.ip) or _("unknown")

    @admin.display(description=gettext_lazy("which browser"))
    def browser(self, session: UserSession) -> SafeString:
        device = sessions.device(session.user_agent)
        return format_html('<span title="{}">{}</span>', session.user_agent, device)

    @admin.display(description=gettext_lazy("since"))
    def since(self, session: UserSession) -> str:
        return _moment(session.created_at)

    @admin.display(description=gettext_lazy("last seen"))
    def seen(self, session: UserSession) -> str:
        return _moment(session.last_seen_at)

    @admin.display(description="")
    def sign_out(self, session: UserSession) -> SafeString | str:
        if session.is_this:
            return _("You, here")
        return format_html(
            '<button class="button" form="sign-out" name="session" value="{}">'
            "{}</button>",
            session.pk,
            _("Sign out there"),
        )


class SocialAccountInline(ShownInline):
    model = SocialAccount
    fields = ["provider", "uid", "date_joined", "last_login"]
    ordering = ["pk"]
    verbose_name_plural = gettext_lazy("signs in with")


class AuthenticatorInline(ShownInline):
    model = Authenticator
    fields = ["type", "created_at", "last_used_at"]
    ordering = ["pk"]
    verbose_name_plural = gettext_lazy("second factors")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Authenticator]:
        return super().get_queryset(request).defer("data")


class AddressInline(ShownInline):
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


# --- People -----------------------------------------------------------------------


class OwnAddressMixin:
    """A form that refuses an address which someone else has verified."""

    def clean_email(self) -> str:
        email = self.cleaned_data["email"].lower()
        others = EmailAddress.objects.filter(email=email, verified=True)
        if others.exclude(user=self.instance.pk).exists():
            raise ValidationError(_("Someone already uses this e-mail address."))
        return email


class PersonForm(OwnAddressMixin, UserChangeForm):
    """A picture is put there by its owner; staff may take it away."""

    remove_picture = forms.BooleanField(
        label=gettext_lazy("Remove the picture"), required=False
    )


class NewPersonForm(OwnAddressMixin, AdminUserCreationForm):
    pass


class StaffPasswordForm(AdminPasswordChangeForm):
    """A new password for somebody, or none. They are told by mail."""

    @transaction.atomic
    def save(self, commit: bool = True) -> User:
        user = super().save(commit)
        if not user.has_usable_password():  # Django does not count that as a new one
            recovery.after_new_password(user)
        notices.by_staff(user, "account/email/password_changed")
        return user


class VerifiedFilter(admin.SimpleListFilter):
    title = gettext_lazy("verified")
    parameter_name = "verified"

    def lookups(self, request: HttpRequest, model_admin) -> list[tuple[str, str]]:
        return [("1", _("Yes")), ("0", _("No"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in ("0", "1"):
            return queryset
        return queryset.filter(verified_now=self.value() == "1")


@admin.register(User)
class UserAdmin(SafeEditsMixin, ListedLookupsMixin, DjangoUserAdmin):
    """Django's own; with what allauth knows of a person, and what staff can do."""

    form = PersonForm
    add_form = NewPersonForm
    change_password_form = StaffPasswordForm
    list_display = [
        "email",
        "name",
        "verified",
        "is_staff",
        "is_active",
        "joined",
        "last_seen",
    ]
    list_filter = [VerifiedFilter, "is_staff", "is_superuser", "is_active", "groups"]
    list_per_page = 50
    search_fields = [
        "email",
        "username",
        "first_name",
        "last_name",
        "emailaddress__email",
    ]
    search_help_text = gettext_lazy("E-mail address, name or user name")
    ordering = ["-date_joined", "-pk"]
    readonly_fields = [
        "verified",
        "picture_now",
        "last_login",
        "last_seen",
        "date_joined",
    ]
    actions = ["resend_chosen", "verify_chosen", "sign_out_chosen"]
    inlines = [
        EmailAddressInline,
        UserSessionInline,
        AuthenticatorInline,
        SocialAccountInline,
        AddressInline,
    ]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        (
            gettext_lazy("Person"),
            {
                "fields": [
                    ("first_name", "last_name"),
                    "email",
                    "verified",
                    "picture_now",
                    "remove_picture",
                ]
            },
        ),
        (gettext_lazy("Rights"), {"fields": ["is_active", *RIGHTS]}),
        (
            gettext_lazy("Dates"),
            {"fields": ["date_joined", "last_login", "last_seen"]},
        ),
    ]
    add_fieldsets = [
        (
            None,
            {
                "classes": ["wide"],
                "fields": [
                    "username",
                    "email",
                    "usable_password",
                    "password1",
                    "password2",
                ],
            },
        )
    ]

    class Media:
        css = {"all": ["css/admin.css"]}

    # --- Who may do what ------------------------------------------------------

    def has_change_permission(
        self, request: HttpRequest, obj: User | None = None
    ) -> bool:
        may = super().has_change_permission(request, obj)
        return may and _may_touch(request, obj)

    def has_delete_permission(
        self, request: HttpRequest, obj: User | None = None
    ) -> bool:
        may = super().has_delete_permission(request, obj)
        return may and _may_touch(request, obj) and obj != request.user

    def get_readonly_fields(self, request: HttpRequest, obj=None) -> list[str]:
        """Only administrators give rights, and none can lock themselves out."""
        fields = list(super().get_readonly_fields(request, obj))
        if not request.user.is_superuser:
            return fields + RIGHTS
        if obj == request.user:
            return fields + ["is_active", "is_staff", "is_superuser"]
        return fields

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> list:
        if obj is None:
            return self.add_fieldsets
        left_out = set() if obj.picture else {"remove_picture"}
        if not self.has_change_permission(request, obj):
            left_out |= {"remove_picture", "password"}  # not even of what kind it is
        return [
            (title, {"fields": [name for name in o["fields"] if name not in left_out]})
            for title, o in self.fieldsets
        ]

    def get_inlines(self, request: HttpRequest, obj: User | None) -> list:
        return [] if obj is None else self.inlines

    def get_deleted_objects(self, objs, request: HttpRequest) -> tuple:
        """Who may delete a person may delete what is theirs alone."""
        found, counts, needed, protected = super().get_deleted_objects(objs, request)
        return found, counts, needed & {User._meta.verbose_name}, protected

    # --- Columns and fields ---------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        addresses = EmailAddress.objects.filter(
            user=OuterRef("pk"), email=OuterRef("email"), verified=True
        )
        theirs = UserSession.objects.filter(user=OuterRef("pk")).order_by()
        newest = theirs.values("user").annotate(at=Max("last_seen_at")).values("at")
        return (
            super()
            .get_queryset(request)
            .annotate(
                verified_now=Exists(addresses),
                seen_at=Greatest("last_login", Subquery(newest)),
            )
        )

    @admin.display(description=gettext_lazy("name"), ordering="username")
    def name(self, user: User) -> str:
        return user.get_full_name() or user.username

    @admin.display(
        description=gettext_lazy("verified"), boolean=True, ordering="verified_now"
    )
    def verified(self, user: User) -> bool:
        return user.verified_now

    @admin.display(description=gettext_lazy("joined"), ordering="date_joined")
    def joined(self, user: User) -> str:
        return localize(localtime(user.date_joined).date())

    @admin.display(description=gettext_lazy("last seen"), ordering="seen_at")
    def last_seen(self, user: User) -> str:
        return _moment(user.seen_at) if user.seen_at else "–"

    @admin.display(description=gettext_lazy("picture now"))
    def picture_now(self, user: User) -> SafeString | str:
        if not user.picture:
            return _("No picture.")
        return format_html('<img src="{}" width="96" alt="">', user.picture.url)

    # --- Saving ---------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: User, form, change: bool) -> None:
        if form.cleaned_data.get("remove_picture"):
            pictures.put(obj, "")
        super().save_model(request, obj, form, change)
        if change and "email" not in form.changed_data:
            return
        address = verification.follow(obj, old=form.initial.get("email", ""))
        if not address.verified:
            text = _("Not verified yet: %(email)s. You can send the verification mail.")
            self.message_user(request, text % {"email": obj.email}, messages.WARNING)

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        deletion.delete(obj, is_by_staff=True)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset.order_by("pk"):
            deletion.delete(user, is_by_staff=True)

    # --- What staff can do, on the list ---------------------------------------

    @admin.action(
        description=gettext_lazy("Send the verification mail again"),
        permissions=["change"],
    )
    def resend_chosen(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._each(request, queryset, self._resend)

    @admin.action(
        description=gettext_lazy("Mark as verified by hand"), permissions=["change"]
    )
    def verify_chosen(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._each(request, queryset, self._verify)

    @admin.action(
        description=gettext_lazy("Sign out everywhere"), permissions=["change"]
    )
    def sign_out_chosen(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._each(request, queryset, self._sign_out)

    def _each(self, request: HttpRequest, queryset: QuerySet[User], do) -> None:
        for user in queryset:
            if self.has_change_permission(request, user):
                do(request, user)
            else:
                text = _("Only an administrator may do that to %(email)s.")
                self._refuse(request, text % {"email": user.email})

    # --- What staff can do, on a person's page --------------------------------

    def get_urls(self) -> list[URLPattern]:
        doings = {
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
            for name, view in doings.items()
        ] + super().get_urls()

    def render_change_form(
        self, request: HttpRequest, context: dict, *args, obj=None, **kwargs
    ) -> HttpResponse:
        if obj is not None and self.has_change_permission(request, obj):
            context["may_act"] = True
            context["awaited"] = verification.awaited(obj)
            context["unverified"] = verification.unverified(obj)
            context["may_reset"] = _may_reset(request, obj)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

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
        """Asks first, as nobody can take it back."""
        user = self._changeable(request, pk)
        if not request.user.is_superuser or user == request.user:
            raise PermissionDenied
        if request.method == "POST":
            self._reset(request, user)
            return _back_to(user)
        context = self.admin_site.each_context(request) | {
            "opts": self.opts,
            "original": user,
            "title": _("Reset the second factor of %(name)s") % {"name": user},
        }
        return TemplateResponse(request, "admin/users/user/second_factor.html", context)

    def _changeable(self, request: HttpRequest, pk: int) -> User:
        user = self.get_object(request, str(pk))
        if user is None:
            raise Http404
        if not self.has_change_permission(request, user):
            raise PermissionDenied
        return user

    # --- Each of them: done, told and logged ----------------------------------

    def _resend(self, request: HttpRequest, user: User) -> None:
        try:
            address = verification.resend(user)
        except VerificationError as refusal:
            return self._refuse(request, f"{refusal} ({user})")
        said = _("Sent the verification mail to %(email)s again.")
        self._done(request, user, said % {"email": address.email})

    def _verify(self, request: HttpRequest, user: User) -> None:
        try:
            address = verification.verify_by_hand(user)
        except VerificationError as refusal:
            return self._refuse(request, f"{refusal} ({user})")
        said = _("Marked %(email)s as verified by hand.")
        self._done(request, user, said % {"email": address.email})

    def _sign_out(
        self, request: HttpRequest, user: User, chosen: str | None = None
    ) -> None:
        """End the `chosen` session or all, but never the one that asks."""
        this = request.session.session_key
        theirs = UserSession.objects.filter(user=user).exclude(session_key=this)
        ended = [s for s in theirs if chosen is None or str(s.pk) == chosen]
        if not ended:
            return self._refuse(
                request, _("There is no such session of %(name)s.") % {"name": user}
            )
        get_sessions_adapter().end_sessions(ended)
        said = ngettext(
            "Signed out of %(count)d session of %(name)s: %(where)s.",
            "Signed out of %(count)d sessions of %(name)s: %(where)s.",
            len(ended),
        )
        where = ", ".join(
            f"{sessions.device(s.user_agent)} ({sessions.address(s.ip)})" for s in ended
        )
        values = {"count": len(ended), "name": user, "where": where}
        self._done(request, user, said % values)

    def _reset(self, request: HttpRequest, user: User) -> None:
        if second_factors.reset(user):
            said = _("Reset the second factor of %(name)s.")
            self._done(request, user, said % {"name": user})
        else:
            text = _("There is no second factor of %(name)s.")
            self._refuse(request, text % {"name": user})

    def _done(self, request: HttpRequest, user: User, said: str) -> None:
        self.log_change(request, user, said)
        self.message_user(request, said, messages.SUCCESS)

    def _refuse(self, request: HttpRequest, why: str) -> None:
        self.message_user(request, why, messages.ERROR)


def _may_touch(request: HttpRequest, obj: User | None) -> bool:
    """Staff and administrators are changed by administrators: who could change their
    e-mail address or password could be them."""
    if obj is None or request.user.is_superuser:
        return True
    return not (obj.is_staff or obj.is_superuser)


def _may_reset(request: HttpRequest, user: User) -> bool:
    """One's own second factor is changed on one's own page, which asks for it."""
    if not request.user.is_superuser or user == request.user:
        return False
    return Authenticator.objects.filter(user=user).exists()


def _back_to(user: User) -> HttpResponse:
    return redirect("admin:users_user_change", user.pk)


@admin.register(Group)
class GroupAdmin(SafeEditsMixin, ListedLookupsMixin, DjangoGroupAdmin):
    """Groups give rights: for administrators, like all that does."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj=None) -> bool:
        return request.user.is_superuser

    def has_delete_permission(self, request: HttpRequest, obj=None) -> bool:
        return request.user.is_superuser


# --- Links that were mailed -------------------------------------------------------


class StateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin) -> list[tuple[str, str]]:
        return State.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in State.values:
            return queryset
        return verification.in_state(queryset, State(self.value()))


@admin.register(EmailConfirmation)
class EmailConfirmationAdmin(ReadOnlyMixin, ListedLookupsMixin, admin.ModelAdmin):
    """Verifications that wait, were done or ran out; never a link's key."""

    list_display = ["address", "user", "sent_at", "expires", "state"]
    list_filter = [StateFilter, "created"]
    list_select_related = ["email_address__user"]
    list_per_page = 50
    search_fields = ["email_address__email", "email_address__user__username"]
    search_help_text = gettext_lazy("E-mail address or user name")
    ordering = ["-created", "-pk"]
    fields = ["address", "user", "created", "sent", "expires", "state"]

    def changelist_view(self, request: HttpRequest, extra_context=None) -> HttpResponse:
        context = {"title": _("Verifications")} | (extra_context or {})
        return super().changelist_view(request, context)

    @admin.display(description=gettext_lazy("address"), ordering="email_address__email")
    def address(self, link: EmailConfirmation) -> str:
        return link.email_address.email

    @admin.display(description=gettext_lazy("person"))
    def user(self, link: EmailConfirmation) -> SafeString:
        user = link.email_address.user
        page = reverse("admin:users_user_change", args=[user.pk])
        return format_html('<a href="{}">{}</a>', page, user)

    @admin.display(description=gettext_lazy("created"), ordering="created")
    def sent_at(self, link: EmailConfirmation):
        return link.sent or link.created

    @admin.display(description=gettext_lazy("expires"), ordering="created")
    def expires(self, link: EmailConfirmation):
        return verification.expires(link)

    @admin.display(description=gettext_lazy("state"))
    def state(self, link: EmailConfirmation) -> str:
        return verification.state(link).label
