"""The shop behind the counter.

What shoppers see changes through the services, so that it is pushed; stock changes by
movements only, which nobody edits. Works without JavaScript.
"""

from allauth.core import ratelimit
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, F, Model, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from products import thumbnails
from products.admin_import import ImportMixin
from products.exceptions import ShopError
from products.forms import CountForm, MovementForm, ProductForm, ReceiveForm
from products.models import (
    Basket,
    BasketLine,
    Dispute,
    Order,
    OrderEvent,
    OrderLine,
    Payment,
    Product,
    ProductCategory,
    Refund,
    Stock,
    StockMovement,
    Waiting,
    WebhookEvent,
)
from products.services import catalogue, orders
from products.templatetags.shop import money
from project.edits import SafeEditsMixin
from project.modeladmin import ListedLookupsMixin, ReadOnlyMixin

AVAILABLE = F("stock__on_hand") - F("stock__reserved")
LAST_MOVEMENTS = 15
PROBLEM = ("problem", "retry_at")  # of rows that sweeps work on
HAS_PROBLEM = ("problem", admin.EmptyFieldListFilter)


# --- Catalogue --------------------------------------------------------------------


@admin.register(ProductCategory)
class ProductCategoryAdmin(SafeEditsMixin, ListedLookupsMixin, admin.ModelAdmin):
    list_display = ["name", "position", "products"]
    list_editable = ["position"]
    search_fields = ["name"]
    prepopulated_fields = {"slug": ["name"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProductCategory]:
        return super().get_queryset(request).annotate(size=Count("products"))

    def save_model(
        self, request: HttpRequest, obj: ProductCategory, form, change
    ) -> None:
        """A list that is edited writes no more than was changed in it."""
        catalogue.save_category(obj, fields=form.changed_data if change else None)

    def delete_model(self, request: HttpRequest, obj: ProductCategory) -> None:
        catalogue.delete_categories([obj])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        catalogue.delete_categories(queryset)

    @admin.display(description=gettext_lazy("products"), ordering="size")
    def products(self, category: ProductCategory) -> SafeString:
        address = reverse("admin:products_product_changelist")
        return format_html(
            '<a href="{}?category__id__exact={}">{}</a>',
            address,
            category.pk,
            category.size,
        )


class StockLevelFilter(admin.SimpleListFilter):
    """As the badge on the page says it."""

    title = gettext_lazy("stock")
    parameter_name = "level"

    def lookups(self, request: HttpRequest, model_admin) -> list[tuple[str, str]]:
        low = _("low (%(limit)d or fewer)") % {"limit": settings.LOW_STOCK}
        return [("in", _("in stock")), ("low", low), ("out", _("sold out"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        left = queryset.alias(left=AVAILABLE)
        match self.value():
            case "in":
                return left.filter(left__gt=settings.LOW_STOCK)
            case "low":
                return left.filter(left__gt=0, left__lte=settings.LOW_STOCK)
            case "out":
                return left.filter(left__lte=0)
        return queryset


@admin.register(Product)
class ProductAdmin(SafeEditsMixin, ImportMixin):
    form = ProductForm
    list_display = [
        "thumbnail",
        "name",
        "sku",
        "category",
        "price_with_currency",
        "available",
        "is_active",
    ]
    list_display_links = ["thumbnail", "name"]
    list_filter = ["is_active", StockLevelFilter, "category"]
    list_select_related = ["category", "stock"]
    list_per_page = 50
    search_fields = ["name", "sku", "description"]
    prepopulated_fields = {"slug": ["name"]}
    readonly_fields = ["picture", "stock_now", "created_at"]
    actions = ["activate", "deactivate"]
    fieldsets = [
        (None, {"fields": ["name", "slug", "sku", "category", "description"]}),
        (
            gettext_lazy("Offer"),
            {
                "fields": ["price", "is_active"],
                "description": gettext_lazy(
                    "A change reaches open pages and baskets the moment you save."
                ),
            },
        ),
        (gettext_lazy("Picture"), {"fields": ["picture", "image"]}),
        (gettext_lazy("Stock"), {"fields": ["stock_now", "created_at"]}),
    ]

    def get_fieldsets(self, request: HttpRequest, obj: Product | None = None) -> list:
        """A new product has no stock and no picture to show yet."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is not None:
            return fieldsets
        return fieldsets[:-2] + [(gettext_lazy("Picture"), {"fields": ["image"]})]

    def changeform_view(
        self, request: HttpRequest, object_id=None, form_url="", extra_context=None
    ) -> HttpResponse:
        """Draws and stores a picture before Django's view begins a transaction."""
        upload = request.FILES.get("image")
        may_save = self.has_change_permission(request)
        may_save = may_save or self.has_add_permission(request)
        if upload and may_save:
            user, action = request.user, "product_picture"
            is_allowed = bool(ratelimit.consume(request, action=action, user=user))
            thumbnails.draw(upload, is_allowed=is_allowed)
            thumbnails.store(upload, Product())
        return super().changeform_view(request, object_id, form_url, extra_context)

    def save_model(self, request: HttpRequest, obj: Product, form, change) -> None:
        catalogue.save(obj, actor=request.user)

    def delete_model(self, request: HttpRequest, obj: Product) -> None:
        catalogue.delete([obj])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        catalogue.delete(queryset)

    # --- Columns and fields ---------------------------------------------------

    @admin.display(description="")
    def thumbnail(self, product: Product) -> SafeString | str:
        return _picture(product, 48)

    @admin.display(description=gettext_lazy("now"))
    def picture(self, product: Product) -> SafeString | str:
        return _picture(product, 240) or _("No picture yet.")

    @admin.display(description=gettext_lazy("price"), ordering="price")
    def price_with_currency(self, product: Product) -> str:
        return money(product.price)

    @admin.display(description=gettext_lazy("available"), ordering=AVAILABLE)
    def available(self, product: Product) -> int | None:
        return product.stock.available if hasattr(product, "stock") else None

    @admin.display(description=gettext_lazy("stock"))
    def stock_now(self, product: Product) -> SafeString | str:
        if not hasattr(product, "stock"):
            return _("This product has no stock row; saving it gives it one.")
        return format_html(
            '{} · <a href="{}">{}</a> · {}',
            _level(product.stock),
            reverse("admin:products_stock_change", args=[product.pk]),
            _("Receive or count"),
            _movements_link(product.pk),
        )

    # --- Actions --------------------------------------------------------------

    @admin.action(
        description=gettext_lazy("Activate selected products"), permissions=["change"]
    )
    def activate(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        self._set_active(request, queryset, True)

    @admin.action(
        description=gettext_lazy("Deactivate selected products"),
        permissions=["change"],
    )
    def deactivate(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        self._set_active(request, queryset, False)

    def _set_active(
        self, request: HttpRequest, queryset: QuerySet[Product], is_active: bool
    ) -> None:
        """Through the service: each is pushed and leaves a movement."""
        said = _("Activated.") if is_active else _("Deactivated.")
        ids = list(queryset.values_list("pk", flat=True))
        products = catalogue.set_active(ids, is_active, actor=request.user)
        for product in products:
            self.log_change(request, product, said)
        changed = len(products)
        if is_active:
            text = ngettext(
                "%(count)d product is in the shop again.",
                "%(count)d products are in the shop again.",
                changed,
            )
        else:
            text = ngettext(
                "%(count)d product was taken out of the shop.",
                "%(count)d products were taken out of the shop.",
                changed,
            )
        self.message_user(request, text % {"count": changed}, messages.SUCCESS)

    # --- Deleting -------------------------------------------------------------

    def get_deleted_objects(self, objs, request: HttpRequest) -> tuple:
        """What moved is kept for ever: say so in a line, not in a thousand."""
        ids = [product.pk for product in objs]
        kept = Product.objects.filter(pk__in=ids, movements__isnull=False)
        kept = kept.annotate(size=Count("movements")).order_by("name", "pk")
        if kept:
            return [], {}, set(), [_why_kept(product) for product in kept]
        found, counts, needed, protected = super().get_deleted_objects(objs, request)
        # The empty stock row goes with its product; nobody is asked about it.
        return found, counts, needed - {Stock._meta.verbose_name}, protected


def _picture(product: Product, size: int) -> SafeString | str:
    if not product.image:
        return ""
    return format_html(
        '<img src="{}" width="{}" height="{}" alt="" loading="lazy">',
        product.image_small.url,
        size,
        size,
    )


def _level(stock: Stock) -> SafeString:
    return format_html(
        _(
            "<strong>{available} available</strong>: {on_hand} on hand, {reserved}"
            " reserved"
        ),
        available=stock.available,
        on_hand=stock.on_hand,
        reserved=stock.reserved,
    )


def _movements_link(product_id: int) -> SafeString:
    return format_html(
        '<a href="{}?product__id__exact={}">{}</a>',
        reverse("admin:products_stockmovement_changelist"),
        product_id,
        _("All movements"),
    )


def _why_kept(product: Product) -> SafeString:
    text = ngettext(
        "%(size)d stock movement of “%(name)s”, kept for the books. Deactivate the"
        " product instead.",
        "%(size)d stock movements of “%(name)s”, kept for the books. Deactivate the"
        " product instead.",
        product.size,
    )
    return format_html(
        "{} {}",
        text % {"size": product.size, "name": product.name},
        _movements_link(product.pk),
    )


# --- Stock ------------------------------------------------------------------------


@admin.register(Stock)
class StockAdmin(ListedLookupsMixin, admin.ModelAdmin):
    """Figures to read, and two forms that move them: nobody writes a row directly."""

    list_display = ["product", "sku", "on_hand", "reserved", "available", "is_active"]
    list_select_related = ["product"]
    list_filter = ["product__is_active", "product__category"]
    list_per_page = 50
    search_fields = ["product__name", "product__sku"]
    search_help_text = gettext_lazy("Name or sku")
    ordering = ["product__name", "pk"]
    actions = None
    change_form_template = "admin/products/stock/change_form.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj=None) -> bool:
        return False

    @admin.display(description=gettext_lazy("sku"), ordering="product__sku")
    def sku(self, stock: Stock) -> str:
        return stock.product.sku

    @admin.display(
        description=gettext_lazy("available"), ordering=F("on_hand") - F("reserved")
    )
    def available(self, stock: Stock) -> int:
        return stock.available

    @admin.display(
        description=gettext_lazy("active"),
        boolean=True,
        ordering="product__is_active",
    )
    def is_active(self, stock: Stock) -> bool:
        return stock.product.is_active

    def changeform_view(
        self, request: HttpRequest, object_id=None, form_url="", extra_context=None
    ) -> HttpResponse:
        """Django's form would write the row, so the page is our own."""
        if object_id is None:
            raise PermissionDenied  # each product has had its row from the beginning
        with transaction.atomic():
            stock = self.get_object(request, object_id)
            if stock is None:
                return self._get_obj_does_not_exist_redirect(
                    request, self.opts, object_id
                )
            if not self.has_view_or_change_permission(request, stock):
                raise PermissionDenied
            if request.method == "POST":
                return self._post(request, stock)
            return self._show(request, stock, _forms(None, _newest(stock)))

    def _post(self, request: HttpRequest, stock: Stock) -> HttpResponse:
        if not self.has_change_permission(request, stock):
            raise PermissionDenied
        # Two presses of one button wait here for each other; the second is outdated.
        Stock.objects.select_for_update().get(pk=stock.pk)
        forms = _forms(request.POST, _newest(stock))
        for form in forms:
            if form.is_bound and form.is_valid() and self._move(request, stock, form):
                return redirect("admin:products_stock_change", quote(stock.pk))
        stock.refresh_from_db(fields=["on_hand", "reserved", "version"])
        return self._show(request, stock, forms)

    def _move(self, request: HttpRequest, stock: Stock, form: MovementForm) -> bool:
        """Do what a valid form says; False if it was refused, and the form says why."""
        if form.is_outdated():
            form.add_error(
                None,
                _(
                    "Staff moved this stock after you opened this page, see below."
                    " Nothing was changed; press the button again if it is still right."
                ),
            )
            form.data = form.data.copy()
            form.data["seen"] = str(form.newest)
            return False
        try:
            level = form.move(stock.pk, request.user)
        except ShopError as refusal:
            form.add_error(None, str(refusal))
            return False
        movement = StockMovement.objects.get(product=stock.pk, version=level.version)
        said = _("%(kind)s: %(change)+d on hand, which makes %(on_hand)d.") % {
            "kind": movement.get_kind_display().capitalize(),
            "change": movement.d_on_hand,
            "on_hand": level.on_hand,
        }
        self.log_change(request, stock.product, said)  # the product's history
        self.message_user(request, said, messages.SUCCESS)
        return True

    def _show(
        self, request: HttpRequest, stock: Stock, forms: list[MovementForm]
    ) -> TemplateResponse:
        movements = StockMovement.objects.filter(product=stock.pk)
        may_move = self.has_change_permission(request, stock)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": stock,
            "stock": stock,
            "title": _("Stock of %(name)s") % {"name": stock.product.name},
            "forms": forms if may_move else [],
            "movements": movements.select_related("actor")[:LAST_MOVEMENTS],
            "movements_link": _movements_link(stock.pk),
            "media": self.media,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.change_form_template, context)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Stock]:
        return super().get_queryset(request).select_related("product")


def _newest(stock: Stock) -> int:
    """The version of the last movement that staff made; 0 if there was none."""
    kinds = [StockMovement.Kind.RECEIVED, StockMovement.Kind.COUNTED]
    by_staff = StockMovement.objects.filter(product=stock.pk, kind__in=kinds)
    newest = by_staff.order_by("-version").values_list("version", flat=True).first()
    return newest or 0


def _forms(data, seen: int) -> list[MovementForm]:
    return [form(data, seen=seen) for form in (ReceiveForm, CountForm)]


@admin.register(StockMovement)
class StockMovementAdmin(ReadOnlyMixin, ListedLookupsMixin, admin.ModelAdmin):
    list_display = [
        "created_at",
        "product",
        "kind",
        "on_hand_change",
        "reserved_change",
        "note",
        "actor",
    ]
    list_filter = ["kind", "created_at"]
    more_lookups = ("product__id__exact",)  # "All movements" of a product
    list_select_related = ["product", "actor"]
    search_fields = ["product__name", "product__sku", "note"]
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


# --- Baskets ----------------------------------------------------------------------


class BasketLineInline(ReadOnlyMixin, admin.TabularInline):
    model = BasketLine
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[BasketLine]:
        return super().get_queryset(request).select_related("product")


@admin.register(Basket)
class BasketAdmin(ReadOnlyMixin, ListedLookupsMixin, admin.ModelAdmin):
    """What shoppers consider. The token, which opens a basket, is not shown."""

    list_display = ["id", "owner", "status", "units", "updated_at"]
    list_filter = [
        "status",
        "updated_at",
        ("user", admin.EmptyFieldListFilter),
        HAS_PROBLEM,
    ]
    list_select_related = ["user"]
    search_fields = ["user__username", "user__email"]
    search_help_text = gettext_lazy("Name or e-mail address of the shopper")
    ordering = ["-updated_at", "-pk"]
    fields = ["owner", "status", "version", "created_at", "updated_at", *PROBLEM]
    readonly_fields = ["owner"]
    inlines = [BasketLineInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Basket]:
        baskets = super().get_queryset(request)
        return baskets.annotate(units_in_it=Sum("lines__quantity"))

    @admin.display(description=gettext_lazy("shopper"), ordering="user__username")
    def owner(self, basket: Basket) -> Model | str:
        return basket.user or _("a visitor")

    @admin.display(description=gettext_lazy("units"), ordering="units_in_it")
    def units(self, basket: Basket) -> int:
        return basket.units_in_it or 0


@admin.register(Waiting)
class WaitingAdmin(ReadOnlyMixin, ListedLookupsMixin, admin.ModelAdmin):
    """Who waits for a sold-out product, and why somebody got no mail."""

    list_display = ["email", "product", "created_at", "told_at", "problem"]
    list_filter = ["created_at", ("told_at", admin.EmptyFieldListFilter), HAS_PROBLEM]
    list_select_related = ["product"]
    list_per_page = 50
    search_fields = ["email", "product__name", "product__sku"]
    search_help_text = gettext_lazy("E-mail address, product name or SKU")
    show_full_result_count = False
    fields = ["email", "product", "user", "created_at", "told_at", *PROBLEM]


# --- Orders -----------------------------------------------------------------------


class OrderLineInline(ReadOnlyMixin, admin.TabularInline):
    model = OrderLine
    extra = 0
    fields = ["quantity", "name", "sku", "unit_price", "line_total"]


class OrderEventInline(admin.TabularInline):
    """What became of it; a note may be added, nothing is changed."""

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

    def has_change_permission(self, request: HttpRequest, obj=None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj=None) -> bool:
        return False


class PaymentInline(ReadOnlyMixin, admin.TabularInline):
    model = Payment
    extra = 0
    fields = ["created_at", "provider", "status", "amount", "currency", "intent"]
    readonly_fields = fields


@admin.register(Order)
class OrderAdmin(ListedLookupsMixin, admin.ModelAdmin):
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
    search_help_text = gettext_lazy("Number, e-mail address or name")
    show_full_result_count = False
    actions = None
    # Not the token: who has it sees the order without signing in.
    fields = readonly_fields = [
        *("number", "on_the_board", "status", "on_hold", "method"),
        "total_with_currency",
        *("user", "email", "full_name", "line1", "line2", "postcode", "city"),
        *("region", "country", "phone", "language", "handler"),
        *("placed_at", "expires_at", "changed_at", *PROBLEM),
    ]
    inlines = [OrderLineInline, PaymentInline, OrderEventInline]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj=None) -> bool:
        return False

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
            orders.note(event.order, actor=request.user, note=event.note)
            formset.new_objects.append(event)


# --- Payments ---------------------------------------------------------------------


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
    """Attempts to pay. Not the page one pays at, which is the shopper's."""

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
    """What providers told, and what came of it."""

    list_display = ["type", "event_id", "outcome", "received_at"]
    list_filter = ["outcome", "provider", "received_at"]
    list_per_page = 50
    search_fields = ["event_id", "payload__id"]
    search_help_text = gettext_lazy("The provider's name for the event or the session")
    show_full_result_count = False
    fields = ["provider", "event_id", "type", "outcome", "received_at", "payload"]
