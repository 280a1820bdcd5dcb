"""Baskets in the admin, read-only."""

from typing import TYPE_CHECKING, TypedDict

from django.contrib import admin
from django.db.models import Model, QuerySet, Sum
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from products.models import Basket, BasketLine
from products.sweeps.admin import HAS_PROBLEM, PROBLEM
from project.modeladmin import ListedLookupsMixin, ReadOnlyMixin

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations


class Columns(TypedDict):
    """What the list adds to each basket."""

    units_in_it: int | None


class BasketLineInline(ReadOnlyMixin, admin.TabularInline):
    model = BasketLine
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[BasketLine]:
        return super().get_queryset(request).select_related("variant__product")


@admin.register(Basket)
class BasketAdmin(ReadOnlyMixin, ListedLookupsMixin, admin.ModelAdmin):
    """Baskets and their lines. The token, which gives access to a basket, is hidden."""

    list_display = ["id", "owner", "status", "units", "updated_at"]
    list_filter = [
        "status",
        "updated_at",
        ("user", admin.EmptyFieldListFilter),
        HAS_PROBLEM,
    ]
    list_select_related = ["user"]
    search_fields = ["user__username", "user__email"]
    search_help_text = gettext_lazy("Shopper’s name or email address")
    ordering = ["-updated_at", "-pk"]
    fields = ["owner", "status", "version", "created_at", "updated_at", *PROBLEM]
    readonly_fields = ["owner"]
    inlines = [BasketLineInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Basket]:
        baskets = super().get_queryset(request)
        return baskets.annotate(units_in_it=Sum("lines__quantity"))

    @admin.display(description=gettext_lazy("shopper"), ordering="user__username")
    def owner(self, basket: Basket) -> Model | str:
        return basket.user or _("guest")

    @admin.display(description=gettext_lazy("units"), ordering="units_in_it")
    def units(self, basket: "WithAnnotations[Basket, Columns]") -> int:
        return basket.units_in_it or 0
