"""Tax rates, sales and the history of prices in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from products.exceptions import ShopError
from products.models import PriceChange, Sale, TaxClass, TaxRate
from products.pricing import clock, flips
from products.pricing import services as pricing
from products.pricing.forms import SaleForm
from products.templatetags.shop import money
from project.edits.admin import SafeEditsMixin
from project.modeladmin import ListedLookupsMixin, ReadOnlyMixin


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


@admin.register(Sale)
class SaleAdmin(SafeEditsMixin, ListedLookupsMixin, admin.ModelAdmin):
    form = SaleForm
    list_display = ["name", "reduction", "starts_at", "ends_at", "state"]
    raw_id_fields = ["products"]
    search_fields = ["name"]
    actions = ["end_now"]

    def get_actions(self, request: HttpRequest) -> Any:
        """Leave out the deletion of several: most have begun."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def has_delete_permission(
        self, request: HttpRequest, obj: Sale | None = None
    ) -> bool:
        """Keep sales that have begun: their prices were charged."""
        may_delete = super().has_delete_permission(request, obj)
        return may_delete and (obj is None or obj.starts_at > clock.now())

    def save_model(self, request: HttpRequest, obj: Sale, form, change) -> None:
        flips.save_sale(obj)

    def delete_model(self, request: HttpRequest, obj: Sale) -> None:
        flips.delete_sales([obj])

    @admin.display(description=gettext_lazy("reduction"))
    def reduction(self, sale: Sale) -> str:
        if sale.reduced_price is not None:
            return money(sale.reduced_price)
        return f"−{sale.percent:f} %".replace(".00", "")

    @admin.display(description=gettext_lazy("now"))
    def state(self, sale: Sale) -> str:
        now = clock.now()
        if now < sale.starts_at:
            return _("planned")
        return _("over") if sale.ends_at and sale.ends_at <= now else _("running")

    @admin.action(
        description=gettext_lazy("End selected sales now"), permissions=["change"]
    )
    def end_now(self, request: HttpRequest, queryset: QuerySet[Sale]) -> None:
        for sale in queryset:
            try:
                flips.end_sale(sale)
            except ShopError as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
            else:
                self.log_change(request, sale, _("Ended."))
                text = _("“%(name)s” has ended.") % {"name": sale.name}
                self.message_user(request, text, messages.SUCCESS)


@admin.register(PriceChange)
class PriceChangeAdmin(ReadOnlyMixin, ListedLookupsMixin, admin.ModelAdmin):
    list_display = ["since", "variant", "price", "full_price"]
    list_select_related = ["variant__product"]
    list_per_page = 50
    search_fields = ["variant__sku"]
    search_help_text = gettext_lazy("SKU")
    show_full_result_count = False
