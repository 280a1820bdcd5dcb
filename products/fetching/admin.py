"""Pictures to fetch in the admin. Staff can delete them or try again."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy, ngettext

from products.fetching import services as fetching
from products.models import PictureFetch
from products.sweeps.admin import HAS_PROBLEM, PROBLEM
from project.modeladmin import ListedLookupsMixin

FACTS = (
    "product",
    "url",
    "alt",
    "position",
    "job",
    "line",
    "created_at",
    "failures",
    *PROBLEM,
)


@admin.register(PictureFetch)
class PictureFetchAdmin(ListedLookupsMixin, admin.ModelAdmin):
    list_display = ["product", "url", "created_at", "failures", "problem"]
    list_filter = ["created_at", HAS_PROBLEM]
    list_select_related = ["product"]
    list_per_page = 50
    search_fields = ["product__name", "url"]
    search_help_text = gettext_lazy("Name of the product, or address")
    show_full_result_count = False
    fields = FACTS
    readonly_fields = FACTS
    actions = ["try_again"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether staff may try again. Nobody changes a row's fields."""
        return obj is None and super().has_change_permission(request)

    @admin.action(description=gettext_lazy("Try again now"), permissions=["change"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[PictureFetch]) -> None:
        count = fetching.retry(queryset.values_list("pk", flat=True))
        self.message_user(request, trying_again(count), messages.SUCCESS)


def trying_again(count: int) -> str:
    """Return the message that pictures will be fetched again."""
    text = ngettext(
        "We’ll try to fetch %(count)d picture again within a minute.",
        "We’ll try to fetch %(count)d pictures again within a minute.",
        count,
    )
    return text % {"count": count}
