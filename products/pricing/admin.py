"""Tax classes and rates in the admin."""

from django.contrib import admin
from django.http import HttpRequest

from products.models import TaxClass, TaxRate
from products.pricing import services as pricing
from project.edits.admin import SafeEditsMixin
from project.modeladmin import ListedLookupsMixin


@admin.register(TaxClass)
class TaxClassAdmin(SafeEditsMixin, ListedLookupsMixin, admin.ModelAdmin):
    list_display = ["name", "code", "position"]

    def get_readonly_fields(
        self, request: HttpRequest, obj: TaxClass | None = None
    ) -> list[str]:
        """Keep the code of a class: products refer to it."""
        return ["code"] if obj else []


@admin.register(TaxRate)
class TaxRateAdmin(SafeEditsMixin, ListedLookupsMixin, admin.ModelAdmin):
    list_display = ["country", "tax_class", "percent", "since", "is_loaded"]
    list_filter = ["tax_class", "country"]
    list_select_related = ["tax_class"]
    list_per_page = 50

    def save_model(self, request: HttpRequest, obj: TaxRate, form, change) -> None:
        pricing.save_tax_rate(obj)
