"""Back-in-stock requests in the admin, read-only."""

from django.contrib import admin
from django.utils.translation import gettext_lazy

from products.models import Waiting
from products.sweeps.admin import HAS_PROBLEM, PROBLEM
from project.modeladmin import ListedLookupsMixin, ReadOnlyMixin


@admin.register(Waiting)
class WaitingAdmin(ReadOnlyMixin, ListedLookupsMixin, admin.ModelAdmin):
    """Shows who waits for a sold-out product, and why a mail was not sent."""

    list_display = ["email", "variant", "created_at", "told_at", "problem"]
    list_filter = ["created_at", ("told_at", admin.EmptyFieldListFilter), HAS_PROBLEM]
    list_select_related = ["variant__product"]
    list_per_page = 50
    search_fields = ["email", "variant__product__name", "variant__sku"]
    search_help_text = gettext_lazy("Email address, product name or SKU")
    show_full_result_count = False
    fields = ["email", "variant", "user", "created_at", "told_at", *PROBLEM]
