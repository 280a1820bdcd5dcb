"""VAT numbers in the admin. Staff accept or refuse them."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from products.models import VatNumber
from products.sweeps.admin import HAS_PROBLEM, PROBLEM
from products.vat import services as vat
from project.modeladmin import ListedLookupsMixin
from users.requests import user_of

FACTS = (
    *("number", "company", "user", "status", "decided_by", "decided_at", "created_at"),
    *("failures", *PROBLEM),
)


@admin.register(VatNumber)
class VatNumberAdmin(ListedLookupsMixin, admin.ModelAdmin):
    list_display = ["number", "company", "user", "status", "decided_by", "decided_at"]
    list_filter = ["status", "created_at", HAS_PROBLEM]
    list_select_related = ["user", "decided_by"]
    list_per_page = 50
    search_fields = ["number", "company", "user__email"]
    search_help_text = gettext_lazy("VAT number, company or email address")
    show_full_result_count = False
    fields = FACTS
    readonly_fields = FACTS
    actions = ["accept", "refuse"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether staff may decide. Nobody changes a row's fields."""
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Keep numbers for as long as their account."""
        return False

    @admin.action(
        description=gettext_lazy("Accept selected VAT numbers"), permissions=["change"]
    )
    def accept(self, request: HttpRequest, queryset: QuerySet[VatNumber]) -> None:
        for number in queryset:
            vat.accept(number, by=user_of(request))
            self.log_change(request, number, _("Accepted."))
        text = ngettext(
            "%(count)d VAT number is accepted.",
            "%(count)d VAT numbers are accepted.",
            len(queryset),
        )
        self.message_user(request, text % {"count": len(queryset)}, messages.SUCCESS)

    @admin.action(
        description=gettext_lazy("Refuse selected VAT numbers"), permissions=["change"]
    )
    def refuse(self, request: HttpRequest, queryset: QuerySet[VatNumber]) -> None:
        for number in queryset:
            vat.refuse(number, by=user_of(request))
            self.log_change(request, number, _("Refused."))
        text = ngettext(
            "%(count)d VAT number is refused.",
            "%(count)d VAT numbers are refused.",
            len(queryset),
        )
        self.message_user(request, text % {"count": len(queryset)}, messages.SUCCESS)
