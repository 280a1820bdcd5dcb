"""Stock in the admin. It changes only through movements, which nobody can edit."""

from collections.abc import Mapping
from typing import TypedDict

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from products.exceptions import ShopError
from products.models import MovementKind, Stock, StockMovement
from products.stock.forms import (
    BackorderForm,
    CountForm,
    MovementForm,
    ReceiveForm,
)
from project.modeladmin import FixedRowsMixin, ListedLookupsMixin, ReadOnlyMixin
from users.requests import user_of

LAST_MOVEMENTS = 15
# Units of all variants of a product.
STOCKS = Stock.objects.filter(variant__product=OuterRef("pk")).order_by()
AVAILABLE = Subquery(
    STOCKS.values("variant__product")
    .annotate(left=Sum(F("on_hand") - F("reserved")))
    .values("left")
)


class Left(TypedDict):
    """What `AVAILABLE` adds to each product of a list."""

    left: int | None


def movements_link(whose: str, pk: int) -> SafeString:
    """Return a link to the movements of a "variant", or of a "variant__product"."""
    return format_html(
        '<a href="{}?{}__id__exact={}">{}</a>',
        reverse("admin:products_stockmovement_changelist"),
        whose,
        pk,
        _("All movements"),
    )


class StockLevelFilter(admin.SimpleListFilter):
    """Filter by stock, with the same three states as the badge on a product's page.

    The rows have `left`, as `AVAILABLE` computes it.
    """

    title = gettext_lazy("stock")
    parameter_name = "level"

    def lookups(self, request: HttpRequest, model_admin) -> list[tuple[str, str]]:
        low = _("low (%(limit)d or fewer)") % {"limit": settings.LOW_STOCK}
        return [("in", _("in stock")), ("low", low), ("out", _("sold out"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "in":
                return queryset.filter(left__gt=settings.LOW_STOCK)
            case "low":
                return queryset.filter(left__gt=0, left__lte=settings.LOW_STOCK)
            case "out":
                return queryset.filter(left__lte=0)
        return queryset


@admin.register(Stock)
class StockAdmin(FixedRowsMixin, ListedLookupsMixin, admin.ModelAdmin):
    """Shows stock, with a form to receive units and one to count them."""

    list_display = ["variant", "sku", "on_hand", "reserved", "available", "is_active"]
    list_select_related = ["variant__product"]
    list_filter = ["variant__product__is_active", "variant__product__category"]
    list_per_page = 50
    search_fields = ["variant__product__name", "variant__sku"]
    search_help_text = gettext_lazy("Name or sku")
    ordering = ["variant__product__name", "pk"]
    actions = None
    change_form_template = "admin/products/stock/change_form.html"

    @admin.display(description=gettext_lazy("sku"), ordering="variant__sku")
    def sku(self, stock: Stock) -> str:
        return stock.variant.sku

    @admin.display(
        description=gettext_lazy("available"), ordering=F("on_hand") - F("reserved")
    )
    def available(self, stock: Stock) -> int:
        return stock.unreserved

    @admin.display(
        description=gettext_lazy("active"),
        boolean=True,
        ordering="variant__product__is_active",
    )
    def is_active(self, stock: Stock) -> bool:
        return stock.variant.is_for_sale

    def changeform_view(
        self, request: HttpRequest, object_id=None, form_url="", extra_context=None
    ) -> HttpResponse:
        """Show and handle our own forms, because Django's form would write the row."""
        if object_id is None:
            raise PermissionDenied  # a variant gets its row when it is created
        with transaction.atomic():
            stock = self.get_object(request, object_id)
            if stock is None:
                return super().changeform_view(request, object_id)  # says so
            if not self.has_view_or_change_permission(request, stock):
                raise PermissionDenied
            if request.method == "POST":
                return self._post(request, stock)
            return self._show(request, stock, _forms(None, stock))

    def _post(self, request: HttpRequest, stock: Stock) -> HttpResponse:
        if not self.has_change_permission(request, stock):
            raise PermissionDenied
        # If a button is pressed twice, the second request waits here, and is outdated.
        Stock.objects.select_for_update().get(pk=stock.pk)
        forms = _forms(request.POST, stock)
        for form in forms:
            if form.is_bound and form.is_valid() and self._move(request, stock, form):
                return redirect("admin:products_stock_change", quote(stock.pk))
        stock.refresh_from_db()
        return self._show(request, stock, forms)

    def _move(self, request: HttpRequest, stock: Stock, form: MovementForm) -> bool:
        """Move stock as a valid form says; return False if its error says why not."""
        if form.is_outdated():
            form.add_error(
                None,
                _(
                    "Somebody changed this stock after you opened the page (see "
                    "below). Nothing was changed. If your entry is still right, "
                    "submit it again."
                ),
            )
            form.show_newest()
            return False
        try:
            level = form.move(stock.pk, user_of(request))
        except ShopError as refusal:
            form.add_error(None, str(refusal))
            return False
        movement = StockMovement.objects.get(variant=stock.pk, version=level.version)
        text = form.done(movement, level)
        self.log_change(request, stock.variant.product, text)  # the product's history
        self.message_user(request, text, messages.SUCCESS)
        return True

    def _show(
        self, request: HttpRequest, stock: Stock, forms: list[MovementForm]
    ) -> TemplateResponse:
        movements = StockMovement.objects.filter(variant=stock.pk)
        may_move = self.has_change_permission(request, stock)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": stock,
            "stock": stock,
            "title": _("Stock of %(name)s") % {"name": stock.variant.name},
            "forms": forms if may_move else [],
            "movements": movements.select_related("actor")[:LAST_MOVEMENTS],
            "movements_link": movements_link("variant", stock.pk),
            "media": self.media,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.change_form_template, context)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Stock]:
        return super().get_queryset(request).select_related("variant__product")


def _newest(stock: Stock) -> int:
    """Return the version of the last movement by staff; 0 if there is none."""
    kinds = [MovementKind.RECEIVED, MovementKind.COUNTED]
    by_staff = StockMovement.objects.filter(variant=stock.pk, kind__in=kinds)
    newest = by_staff.order_by("-version").values_list("version", flat=True).first()
    return newest or 0


def _forms(data: Mapping | None, stock: Stock) -> list[MovementForm]:
    kinds: list[type[MovementForm]] = [ReceiveForm, CountForm, BackorderForm]
    seen = _newest(stock)
    return [kind(data, row=stock, seen=seen) for kind in kinds]


@admin.register(StockMovement)
class StockMovementAdmin(ReadOnlyMixin, ListedLookupsMixin, admin.ModelAdmin):
    list_display = [
        "created_at",
        "variant",
        "kind",
        "on_hand_change",
        "reserved_change",
        "note",
        "actor",
    ]
    list_filter = ["kind", "created_at"]
    # "All movements"
    more_lookups = ("variant__id__exact", "variant__product__id__exact")
    list_select_related = ["variant__product", "actor"]
    search_fields = ["variant__product__name", "variant__sku", "note"]
    search_help_text = gettext_lazy("Name, sku or note")
    show_full_result_count = False  # there may be millions

    @admin.display(description=gettext_lazy("on hand ±"), ordering="d_on_hand")
    def on_hand_change(self, movement: StockMovement) -> str:
        return _signed(movement.d_on_hand)

    @admin.display(description=gettext_lazy("reserved ±"), ordering="d_reserved")
    def reserved_change(self, movement: StockMovement) -> str:
        return _signed(movement.d_reserved)


def _signed(change: int) -> str:
    return f"{change:+d}" if change else ""
