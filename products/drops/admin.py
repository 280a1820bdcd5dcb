"""Drops and their tickets in the admin, where staff plan them."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from products.drops import services as drops
from products.drops.forms import DropForm
from products.models import Drop, Ticket
from project.edits.admin import SafeEditsMixin
from project.modeladmin import ListedLookupsMixin, ReadOnlyMixin


@admin.register(Drop)
class DropAdmin(SafeEditsMixin, ListedLookupsMixin, admin.ModelAdmin):
    form = DropForm
    list_display = ["name", "product", "starts_at", "status", "room"]
    list_filter = ["status"]
    list_select_related = ["product"]
    search_fields = ["name"]
    raw_id_fields = ["product", "variants"]
    prepopulated_fields = {"slug": ["name"]}

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Drop | None = None
    ) -> Any:
        """The address of a drop that is known stays."""
        return {} if obj else super().get_prepopulated_fields(request, obj)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Drop | None = None
    ) -> list[str]:
        """Keep what a drop that has begun was announced with."""
        if obj is None or not obj.started_at:
            return []
        return ["slug", "product", "variants", "starts_at", "per_person"] + [
            "needs_account"
        ]

    def get_actions(self, request: HttpRequest) -> Any:
        """Leave out the deletion of several: most have begun."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def has_delete_permission(
        self, request: HttpRequest, obj: Drop | None = None
    ) -> bool:
        """Keep drops that have begun: people have bought in them."""
        may_delete = super().has_delete_permission(request, obj)
        return may_delete and (obj is None or obj.started_at is None)

    def save_model(self, request: HttpRequest, obj: Drop, form, change) -> None:
        drops.save(obj)

    def save_related(self, request: HttpRequest, form, formsets, change) -> None:
        """The variants are known only now."""
        super().save_related(request, form, formsets, change)
        drops.close_gate(form.instance)

    def delete_model(self, request: HttpRequest, obj: Drop) -> None:
        drops.delete([obj])

    @admin.display(description=gettext_lazy("room"))
    def room(self, drop: Drop) -> SafeString:
        address = reverse("staff:drop", args=[drop.slug])
        return format_html('<a href="{}">{}</a>', address, _("Open the room"))


@admin.register(Ticket)
class TicketAdmin(ReadOnlyMixin, ListedLookupsMixin, admin.ModelAdmin):
    list_display = ["number", "drop", "place", "state", "admitted_at"]
    list_filter = ["state"]
    list_select_related = ["drop"]
    list_per_page = 50
    search_fields = ["number"]
    search_help_text = gettext_lazy("number of the ticket")
    show_full_result_count = False
