"""Orders in the admin. Staff change their status on the board."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from products.models import Order, OrderEvent, OrderLine, Payment, ShippingPart
from products.orders import services as orders
from products.sweeps.admin import HAS_PROBLEM, PROBLEM
from products.templatetags.shop import money
from project.modeladmin import FixedRowsMixin, ListedLookupsMixin, ReadOnlyMixin
from users.requests import user_of

PAYMENT_FIELDS = ("created_at", "provider", "status", "amount", "currency", "intent")
# Not the token: whoever has it can see the order without signing in.
ORDER_FIELDS = (
    *("number", "on_the_board", "status", "on_hold", "method"),
    *("goods", "discount", "discount_name"),
    *("shipping", "tax", "prices_include_tax"),
    "total_with_currency",
    *("delivery_name", "delivery_carrier", "is_pickup"),
    *("user", "email", "full_name", "line1", "line2", "postcode", "city"),
    *("region", "country", "phone", "company", "vat_number"),
    *("language", "handler"),
    *("placed_at", "expires_at", "changed_at", *PROBLEM),
)


class OrderLineInline(ReadOnlyMixin, admin.TabularInline):
    model = OrderLine
    extra = 0
    fields = [
        *("quantity", "name", "sku", "unit_price", "line_discount"),
        *("discount_name", "order_discount"),
        *("amount", "tax", "tax_rate", "tax_code", "tax_reason"),
    ]


class ShippingPartInline(ReadOnlyMixin, admin.TabularInline):
    model = ShippingPart
    extra = 0
    fields = ["amount", "tax", "tax_rate", "tax_code", "tax_reason"]


class OrderEventInline(ReadOnlyMixin, admin.TabularInline):
    """The order's history. Staff may add a note and change nothing."""

    model = OrderEvent
    extra = 1
    max_num = None
    fields = ["created_at", "status", "note", "actor"]
    readonly_fields = ["created_at", "status", "actor"]
    verbose_name_plural = gettext_lazy("history and notes")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderEvent]:
        return super().get_queryset(request).select_related("actor")

    def has_add_permission(self, request: HttpRequest, obj=None) -> bool:
        return request.user.has_perm("products.change_order")

    def has_view_permission(self, request: HttpRequest, obj=None) -> bool:
        return request.user.has_perm("products.view_order")


class PaymentInline(ReadOnlyMixin, admin.TabularInline):
    model = Payment
    extra = 0
    fields = readonly_fields = PAYMENT_FIELDS


@admin.register(Order)
class OrderAdmin(FixedRowsMixin, ListedLookupsMixin, admin.ModelAdmin):
    """To be looked at, but for notes: orders move on the staff's board."""

    list_display = [
        "number",
        "status",
        "placed_at",
        "total_with_currency",
        "method",
        "email",
        "handler",
    ]
    list_filter = ["status", "method", "placed_at", HAS_PROBLEM]
    list_select_related = ["handler"]
    list_per_page = 50
    search_fields = ["number__istartswith", "email__istartswith", "full_name"]
    search_help_text = gettext_lazy("Number, email address or name")
    show_full_result_count = False
    actions = None
    fields = readonly_fields = ORDER_FIELDS
    inlines = [OrderLineInline, ShippingPartInline, PaymentInline, OrderEventInline]

    @admin.display(description=gettext_lazy("total"), ordering="total")
    def total_with_currency(self, order: Order) -> str:
        return money(order.total)

    @admin.display(description=gettext_lazy("on the board"))
    def on_the_board(self, order: Order) -> SafeString:
        address = reverse("staff:order", args=[order.number])
        return format_html(
            '<a href="{}">{}</a>', address, _("Pack, ship or cancel it there")
        )

    def save_model(self, request: HttpRequest, obj: Order, form, change) -> None:
        """Nothing of it can be changed here, and a row that was read a while ago must
        not be written over what has become of it."""

    def save_formset(self, request: HttpRequest, form, formset, change) -> None:
        """A note goes through the service, which numbers it and tells the board."""
        formset.new_objects, formset.changed_objects, formset.deleted_objects = (
            [],
            [],
            [],
        )
        if formset.model is not OrderEvent:
            return
        for event in formset.save(commit=False):
            orders.note(event.order, actor=user_of(request), note=event.note)
            formset.new_objects.append(event)
