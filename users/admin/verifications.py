"""Verification mails in the admin."""

from datetime import datetime

from allauth.account.models import EmailConfirmation
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from project.modeladmin import ListedLookupsMixin, ReadOnlyMixin
from users import verification
from users.verification import State

admin.site.unregister(EmailConfirmation)


class StateFilter(admin.SimpleListFilter):
    """Filter verifications by their state."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin) -> list[tuple[str, str]]:
        return [(state.value, str(state.label)) for state in State]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        if value is None or value not in State.values:
            return queryset
        return verification.in_state(queryset, State(value))


@admin.register(EmailConfirmation)
class EmailConfirmationAdmin(ReadOnlyMixin, ListedLookupsMixin, admin.ModelAdmin):
    """Verification mails and their states, without the keys of their links."""

    list_display = ["address", "user", "sent_at", "expires", "state"]
    list_filter = [StateFilter, "created"]
    list_select_related = ["email_address__user"]
    list_per_page = 50
    search_fields = ["email_address__email", "email_address__user__username"]
    search_help_text = gettext_lazy("Email address or username")
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
    def sent_at(self, link: EmailConfirmation) -> datetime:
        return link.sent or link.created

    @admin.display(description=gettext_lazy("expires"), ordering="created")
    def expires(self, link: EmailConfirmation) -> datetime:
        return verification.expires(link)

    @admin.display(description=gettext_lazy("state"))
    def state(self, link: EmailConfirmation) -> str:
        return str(verification.state(link).label)
