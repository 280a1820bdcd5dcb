"""Payments and providers' events in the admin, read-only."""

from django.contrib import admin
from django.utils.translation import gettext_lazy

from products.models import Dispute, Payment, Refund, WebhookEvent
from products.sweeps.admin import HAS_PROBLEM, PROBLEM
from project.modeladmin import ListedLookupsMixin, ReadOnlyMixin


class RefundInline(ReadOnlyMixin, admin.TabularInline):
    model = Refund
    fields = [
        *("status", "amount", "currency", "is_ours", "reference", "failure"),
        *("told_at", "changed_at"),
    ]
    readonly_fields = ["changed_at"]


class DisputeInline(ReadOnlyMixin, admin.TabularInline):
    model = Dispute
    fields = [
        *("status", "amount", "currency", "is_withdrawn", "reason", "reference"),
        "told_at",
    ]


@admin.register(Payment)
class PaymentAdmin(ReadOnlyMixin, ListedLookupsMixin, admin.ModelAdmin):
    """Shows attempts to pay, without the address of the shopper's payment page."""

    list_display = ["order", "status", "money", "provider", "created_at", "changed_at"]
    list_filter = ["status", "provider", "created_at", HAS_PROBLEM]
    list_select_related = ["order"]
    list_per_page = 50
    search_fields = ["order__number__istartswith", "reference", "intent"]
    search_help_text = gettext_lazy(
        "Number of the order, or the provider's name for it"
    )
    show_full_result_count = False
    fields = [
        *("order", "status", "money", "received_money", "is_accepted", "refunded"),
        *("disputed", "provider", "reference", "intent", "created_at", "changed_at"),
        *PROBLEM,
    ]
    readonly_fields = ["money", "received_money"]
    inlines = [RefundInline, DisputeInline]

    @admin.display(description=gettext_lazy("amount"), ordering="amount")
    def money(self, payment: Payment) -> str:
        return f"{payment.amount} {payment.currency}"

    @admin.display(description=gettext_lazy("received"), ordering="received")
    def received_money(self, payment: Payment) -> str:
        if payment.received is None:
            return "–"
        return f"{payment.received} {payment.received_currency}"


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyMixin, ListedLookupsMixin, admin.ModelAdmin):
    """Shows what providers reported, and what the shop did about it."""

    list_display = ["type", "event_id", "outcome", "received_at"]
    list_filter = ["outcome", "provider", "received_at"]
    list_per_page = 50
    search_fields = ["event_id", "payload__id"]
    search_help_text = gettext_lazy("The provider's name for the event or the session")
    show_full_result_count = False
    fields = ["provider", "event_id", "type", "outcome", "received_at", "payload"]
