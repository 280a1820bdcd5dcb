"""Zones in the admin. The page of a zone has its methods and their prices too."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from products.models import ShippingMethod, ShippingZone
from products.pricing import rule_flips
from products.pricing.admin import RulesMixin
from products.shipping import services as shipping
from products.shipping.forms import MethodForm, ZoneForm
from project.edits.admin import SafeEditsMixin
from project.modeladmin import ListedLookupsMixin


class MethodInline(admin.StackedInline):
    model = ShippingMethod
    form = MethodForm
    extra = 1
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("name", "carrier"),
                    ("days_from", "days_to"),
                    ("is_active", "is_pickup"),
                    ("basis", "free_from"),
                    *("prices", "position"),
                ]
            },
        )
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ShippingMethod]:
        return super().get_queryset(request).prefetch_related("rates")


@admin.register(ShippingZone)
class ShippingZoneAdmin(
    RulesMixin, SafeEditsMixin, ListedLookupsMixin, admin.ModelAdmin
):
    form = ZoneForm
    inlines = [MethodInline]
    list_display = ["name", "places", "offered", "position", "is_active"]
    list_editable = ["position"]
    search_fields = ["name"]
    change_list_template = "admin/products/shippingzone/change_list.html"

    class Media:
        css = {"all": ["css/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[ShippingZone]:
        is_active = Q(methods__is_active=True)
        return (
            super()
            .get_queryset(request)
            .annotate(active_methods=Count("methods", filter=is_active))
        )

    @admin.display(description=gettext_lazy("where"))
    def places(self, zone: ShippingZone) -> str:
        names = list(zone.places.values())
        names += [line.partition(":")[0] + " …" for line in zone.postcodes.splitlines()]
        if zone.has_rest:
            names.append(_("all other countries"))
        return Truncator(", ".join(names)).chars(80)

    @admin.display(description=gettext_lazy("methods"), ordering="active_methods")
    def offered(self, zone: Any) -> int:
        return zone.active_methods

    # --- Saving ---------------------------------------------------------------

    def save_formset(self, request: HttpRequest, form, formset, change) -> None:
        """Save the methods, and the prices of those that have others now."""
        super().save_formset(request, form, formset, change)
        for each in formset.forms:
            is_gone = each in formset.deleted_forms
            if each.instance.pk and not is_gone and "prices" in each.cleaned_data:
                shipping.set_prices(each.instance, each.cleaned_data["prices"])

    def save_related(self, request: HttpRequest, form, formsets, change) -> None:
        super().save_related(request, form, formsets, change)
        for name, others in shipping.also_in(form.instance):
            text = _(
                "%(country)s is in this zone and in “%(zones)s” too. The zone that is "
                "higher in the list counts."
            )
            names = {"country": name, "zones": ", ".join(others)}
            self.message_user(request, text % names, messages.WARNING)

    # --- The usual zones ------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.load_defaults))
        name = "products_shippingzone_defaults"
        return [path("defaults/", view, name=name), *super().get_urls()]

    def load_defaults(self, request: HttpRequest) -> HttpResponse:
        """Add the usual zones to a shop that has none."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        count = shipping.load_defaults()
        rule_flips.follow_later()
        text = ngettext(
            "%(count)d zone was added. Please check its prices.",
            "%(count)d zones were added. Please check their prices.",
            count,
        )
        if count:
            self.message_user(request, text % {"count": count}, messages.SUCCESS)
        else:
            self.message_user(request, _("There are zones already."), messages.INFO)
        return redirect("admin:products_shippingzone_changelist")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict | None = None
    ) -> HttpResponse:
        context = {"is_empty": not ShippingZone.objects.exists()}
        return super().changelist_view(request, context | (extra_context or {}))
