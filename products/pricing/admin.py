"""Tax rates, sales, discounts and the history of prices in the admin."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from products.exceptions import ShopError
from products.models import Discount, PriceChange, Sale, TaxClass, TaxRate
from products.pricing import clock, discount_flips, flips, rule_flips
from products.pricing import services as pricing
from products.pricing.baskets import percent
from products.pricing.forms import DiscountForm, SaleForm
from products.templatetags.shop import money
from project.edits.admin import SafeEditsMixin
from project.modeladmin import ListedLookupsMixin, ReadOnlyMixin


def state_of(row: Sale | Discount) -> str:
    """Return whether a sale or a discount is planned, running or over."""
    now = clock.now()
    if now < row.starts_at:
        return _("planned")
    return _("over") if row.ends_at and row.ends_at <= now else _("running")


def end_each(
    page: admin.ModelAdmin, request: HttpRequest, rows: QuerySet, end: Callable
) -> None:
    """End each row with a service, and say what became of it."""
    for row in rows:
        try:
            end(row)
        except ShopError as refusal:
            page.message_user(request, str(refusal), messages.ERROR)
        else:
            page.log_change(request, row, _("Ended."))
            text = _("“%(name)s” has ended.") % {"name": row}
            page.message_user(request, text, messages.SUCCESS)


class RulesMixin(admin.ModelAdmin):
    """A mixin for what baskets are priced by: open ones follow what staff change."""

    def save_related(self, request: HttpRequest, form, formsets, change) -> None:
        super().save_related(request, form, formsets, change)
        rule_flips.follow_later()

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        rule_flips.follow_later()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        super().delete_queryset(request, queryset)
        rule_flips.follow_later()


@admin.register(TaxClass)
class TaxClassAdmin(RulesMixin, SafeEditsMixin, ListedLookupsMixin, admin.ModelAdmin):
    list_display = ["name", "code", "position"]

    def get_readonly_fields(
        self, request: HttpRequest, obj: TaxClass | None = None
    ) -> list[str]:
        """Keep the code of a class: products refer to it."""
        return ["code"] if obj else []


@admin.register(TaxRate)
class TaxRateAdmin(RulesMixin, SafeEditsMixin, ListedLookupsMixin, admin.ModelAdmin):
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
        return state_of(sale)

    @admin.action(
        description=gettext_lazy("End selected sales now"), permissions=["change"]
    )
    def end_now(self, request: HttpRequest, queryset: QuerySet[Sale]) -> None:
        end_each(self, request, queryset, flips.end_sale)


@admin.register(Discount)
class DiscountAdmin(SafeEditsMixin, ListedLookupsMixin, admin.ModelAdmin):
    form = DiscountForm
    list_display = [
        *("__str__", "reduction", "is_on_lines", "minimum"),
        *("used", "ends_at", "state"),
    ]
    raw_id_fields = ["products"]
    search_fields = ["name", "code"]
    actions = ["end_now"]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Discount | None = None
    ) -> list[str]:
        """Keep the code and the kind: baskets and orders have them."""
        return ["code", "is_on_lines", "used"] if obj else ["used"]

    def get_actions(self, request: HttpRequest) -> Any:
        """Leave out the deletion of several: orders may have some."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def has_delete_permission(
        self, request: HttpRequest, obj: Discount | None = None
    ) -> bool:
        """Keep discounts that orders have."""
        may_delete = super().has_delete_permission(request, obj)
        return may_delete and (obj is None or not obj.orders.exists())

    def save_model(self, request: HttpRequest, obj: Discount, form, change) -> None:
        discount_flips.save_discount(obj)

    def delete_model(self, request: HttpRequest, obj: Discount) -> None:
        discount_flips.delete_discounts([obj])

    @admin.display(description=gettext_lazy("reduction"))
    def reduction(self, discount: Discount) -> str:
        if discount.amount is not None:
            return f"−{money(discount.amount)}"
        return f"−{percent(discount.percent or Decimal(0))} %"

    @admin.display(description=gettext_lazy("used"))
    def used(self, discount: Discount) -> str:
        if discount.uses_limit is None:
            return str(discount.uses)
        return f"{discount.uses} / {discount.uses_limit}"

    @admin.display(description=gettext_lazy("now"))
    def state(self, discount: Discount) -> str:
        if discount.is_used_up:
            return _("used up")
        return state_of(discount)

    @admin.action(
        description=gettext_lazy("End selected discounts now"), permissions=["change"]
    )
    def end_now(self, request: HttpRequest, queryset: QuerySet[Discount]) -> None:
        end_each(self, request, queryset, discount_flips.end_discount)


@admin.register(PriceChange)
class PriceChangeAdmin(ReadOnlyMixin, ListedLookupsMixin, admin.ModelAdmin):
    list_display = ["since", "variant", "price", "full_price"]
    list_select_related = ["variant__product"]
    list_per_page = 50
    search_fields = ["variant__sku"]
    search_help_text = gettext_lazy("SKU")
    show_full_result_count = False
