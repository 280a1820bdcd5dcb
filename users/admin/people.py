"""People in the admin."""

from datetime import datetime
from typing import TYPE_CHECKING, TypedDict

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import Exists, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Greatest
from django.http import HttpRequest
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from project.edits.admin import SafeEditsMixin
from project.modeladmin import ListedLookupsMixin
from users import deletion, pictures, verification
from users.admin.actions import PersonActionsMixin
from users.admin.forms import NewPersonForm, PersonForm, StaffPasswordForm
from users.admin.inlines import (
    AddressInline,
    AuthenticatorInline,
    EmailAddressInline,
    SocialAccountInline,
    UserSessionInline,
    local_time,
)
from users.models import User

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

RIGHTS = ["is_staff", "is_superuser", "groups", "user_permissions"]


class Columns(TypedDict):
    """What the list adds to each person."""

    verified_now: bool
    seen_at: datetime | None


class VerifiedFilter(admin.SimpleListFilter):
    """Filter people by whether their email address is verified."""

    title = gettext_lazy("verified")
    parameter_name = "verified"

    def lookups(self, request: HttpRequest, model_admin) -> list[tuple[str, str]]:
        return [("1", _("Yes")), ("0", _("No"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in ("0", "1"):
            return queryset
        return queryset.filter(verified_now=self.value() == "1")


@admin.register(User)
class UserAdmin(
    PersonActionsMixin, SafeEditsMixin, ListedLookupsMixin, DjangoUserAdmin
):
    """People, with their data from allauth and actions for staff."""

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
    search_help_text = gettext_lazy("Email address, name or username")
    ordering = ["-date_joined", "-pk"]
    readonly_fields = [
        "verified",
        "picture_now",
        "last_login",
        "last_seen",
        "date_joined",
    ]
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
        (gettext_lazy("Permissions"), {"fields": ["is_active", *RIGHTS]}),
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

    # --- Permissions ----------------------------------------------------

    def has_change_permission(
        self, request: HttpRequest, obj: User | None = None
    ) -> bool:
        is_allowed = super().has_change_permission(request, obj)
        return is_allowed and _may_touch(request, obj)

    def has_delete_permission(
        self, request: HttpRequest, obj: User | None = None
    ) -> bool:
        is_allowed = super().has_delete_permission(request, obj)
        return is_allowed and _may_touch(request, obj) and obj != request.user

    def get_readonly_fields(self, request: HttpRequest, obj=None) -> list[str]:
        """Let only administrators give rights, and not lock themselves out."""
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
            left_out |= {
                "remove_picture",
                "password",
            }  # the field shows the hash's kind
        return [
            (title, {"fields": [n for n in options["fields"] if n not in left_out]})
            for title, options in self.fieldsets
        ]

    def get_inlines(self, request: HttpRequest, obj: User | None) -> list:
        return [] if obj is None else self.inlines

    def get_deleted_objects(self, objs, request: HttpRequest) -> tuple:
        """Ask for no right to delete the rows that belong to a person alone."""
        rows, counts, permissions, protected = super().get_deleted_objects(
            objs, request
        )
        permissions &= {User._meta.verbose_name}
        return rows, counts, permissions, protected

    # --- Columns and fields ---------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        addresses = EmailAddress.objects.filter(
            user=OuterRef("pk"), email=OuterRef("email"), verified=True
        )
        of_user = UserSession.objects.filter(user=OuterRef("pk")).order_by()
        newest = of_user.values("user").annotate(at=Max("last_seen_at")).values("at")
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
    def verified(self, user: "WithAnnotations[User, Columns]") -> bool:
        return user.verified_now

    @admin.display(description=gettext_lazy("joined"), ordering="date_joined")
    def joined(self, user: User) -> str:
        return localize(localtime(user.date_joined).date())

    @admin.display(description=gettext_lazy("last seen"), ordering="seen_at")
    def last_seen(self, user: "WithAnnotations[User, Columns]") -> str:
        return local_time(user.seen_at) if user.seen_at else "–"

    @admin.display(description=gettext_lazy("current picture"))
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
            text = _(
                "Not verified yet: %(email)s. You can send the verification email."
            )
            self.message_user(request, text % {"email": obj.email}, messages.WARNING)

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        deletion.delete(obj, is_by_staff=True)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset.order_by("pk"):
            deletion.delete(user, is_by_staff=True)


def _may_touch(request: HttpRequest, user: User | None) -> bool:
    """Return whether the request may change a person.

    Only administrators change staff and administrators. Changing a person's
    email address or password means acting as that person.
    """
    if user is None or request.user.is_superuser:
        return True
    return not (user.is_staff or user.is_superuser)
