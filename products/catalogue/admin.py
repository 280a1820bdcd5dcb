"""Products and categories in the admin.

Changes go through the services, which update open pages. No page needs JavaScript.
"""

from typing import TYPE_CHECKING, TypedDict

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from products.catalogue import services as catalogue
from products.catalogue.forms import ProductForm
from products.catalogue.uploads import draw_and_store
from products.importing.admin import ImportMixin
from products.models import PriceChange, Product, ProductCategory, Stock
from products.pictures.admin import PictureInline, image
from products.stock.admin import AVAILABLE, Left, StockLevelFilter, movements_link
from products.templatetags.shop import money
from products.variants.admin import VariantsMixin
from project.edits.admin import SafeEditsMixin
from project.modeladmin import ListedLookupsMixin
from users.requests import user_of

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations


OF_ONE_VARIANT = ProductForm.stored_elsewhere


class Size(TypedDict):
    """How many rows belong to a category or a product."""

    size: int


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
        """Save only the fields that changed, also from the editable list."""
        catalogue.save_category(obj, fields=form.changed_data if change else None)

    def delete_model(self, request: HttpRequest, obj: ProductCategory) -> None:
        catalogue.delete_categories([obj])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        catalogue.delete_categories(queryset)

    @admin.display(description=gettext_lazy("products"), ordering="size")
    def products(
        self, category: "WithAnnotations[ProductCategory, Size]"
    ) -> SafeString:
        address = reverse("admin:products_product_changelist")
        return format_html(
            '<a href="{}?category__id__exact={}">{}</a>',
            address,
            category.pk,
            category.size,
        )


@admin.register(Product)
class ProductAdmin(SafeEditsMixin, VariantsMixin, ImportMixin):
    form = ProductForm
    inlines = [PictureInline]
    list_display = [
        "thumbnail",
        "name",
        "sku",
        "category",
        "price",
        "available",
        "is_active",
    ]
    list_display_links = ["thumbnail", "name"]
    list_filter = ["is_active", StockLevelFilter, "category"]
    list_select_related = ["category"]
    list_per_page = 50
    search_fields = ["name", "variants__sku", "description"]
    prepopulated_fields = {"slug": ["name"]}
    readonly_fields = ["picture", "stock_now", "created_at"]
    actions = ["activate", "deactivate", "export"]
    fieldsets = [
        (None, {"fields": ["name", "slug", "sku", "category", "description"]}),
        (
            gettext_lazy("Price and availability"),
            {
                "fields": ["price", "tax_class", "is_active"],
                "description": gettext_lazy(
                    "Open pages and baskets update as soon as you save."
                ),
            },
        ),
        (gettext_lazy("Picture"), {"fields": ["picture", "image"]}),
        (gettext_lazy("Stock"), {"fields": ["stock_now", "created_at"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        return super().get_queryset(request).annotate(left=AVAILABLE)

    def get_fieldsets(self, request: HttpRequest, obj: Product | None = None) -> list:
        """Leave out what the product doesn't have.

        A new one has no stock and no picture, one with several variants has no SKU and
        no price of its own.
        """
        fieldsets = list(super().get_fieldsets(request, obj))
        if obj is None:
            fieldsets[-2:] = [(gettext_lazy("Picture"), {"fields": ["image"]})]
        elif obj.pk and obj.variants.count() > 1:
            for index, (name, options) in enumerate(fieldsets):
                fields = [f for f in options["fields"] if f not in OF_ONE_VARIANT]
                fieldsets[index] = (name, {**options, "fields": fields})
        return fieldsets

    def changeform_view(
        self, request: HttpRequest, object_id=None, form_url="", extra_context=None
    ) -> HttpResponse:
        """Draw and store uploaded pictures before Django begins a transaction."""
        may_save = self.has_change_permission(request)
        may_save = may_save or self.has_add_permission(request)
        if may_save:
            draw_and_store(request)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def save_model(self, request: HttpRequest, obj: Product, form, change) -> None:
        catalogue.save(obj, variants=form.variants(), actor=user_of(request))

    def save_formset(self, request: HttpRequest, form, formset, change) -> None:
        """Save what this person changed of the pictures."""
        formset.save(commit=False)
        changes = {
            picture.pk: {name: getattr(picture, name) for name in names}
            for picture, names in formset.changed_objects
        }
        deleted = [picture.pk for picture in formset.deleted_objects]
        if formset.new_objects or changes or deleted:
            catalogue.save_pictures(
                form.instance, new=formset.new_objects, changes=changes, deleted=deleted
            )

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

    @admin.display(description=gettext_lazy("sku"), ordering="skus")
    def sku(self, product: Product) -> str:
        return ", ".join(product.skus)

    @admin.display(description=gettext_lazy("price"), ordering="lowest_price")
    def price(self, product: Product) -> str:
        if product.lowest_price is None:
            return ""
        if len(product.skus) == 1:
            return money(product.lowest_price)
        return _("from %(price)s") % {"price": money(product.lowest_price)}

    @admin.display(description=gettext_lazy("available"), ordering="left")
    def available(self, product: "WithAnnotations[Product, Left]") -> int | None:
        return product.left

    @admin.display(description=gettext_lazy("stock"))
    def stock_now(self, product: Product) -> SafeString | str:
        variants = list(product.variants.with_stock())
        if not variants:
            return _(
                "This product has no stock record. Save the product to create one."
            )
        return format_html_join(
            SafeString("<br>"),
            '{}{} · <a href="{}">{}</a> · {}',
            (
                (
                    (
                        ", ".join(variant.option_values) + ": "
                        if len(variants) > 1
                        else ""
                    ),
                    _level(variant.stock),
                    reverse("admin:products_stock_change", args=[variant.pk]),
                    _("Receive or count stock"),
                    movements_link("variant", variant.pk),
                )
                for variant in variants
            ),
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
        """Change products through the service, which pushes and records each change."""
        log_entry = _("Activated.") if is_active else _("Deactivated.")
        ids = list(queryset.values_list("pk", flat=True))
        products = catalogue.set_active(ids, is_active, actor=user_of(request))
        for product in products:
            self.log_change(request, product, log_entry)
        count = len(products)
        if is_active:
            text = ngettext(
                "%(count)d product is back in the shop.",
                "%(count)d products are back in the shop.",
                count,
            )
        else:
            text = ngettext(
                "%(count)d product was removed from the shop.",
                "%(count)d products were removed from the shop.",
                count,
            )
        self.message_user(request, text % {"count": count}, messages.SUCCESS)

    # --- Deleting -------------------------------------------------------------

    def get_deleted_objects(self, objs, request: HttpRequest) -> tuple:
        """Refuse to delete products with movements, with one line for each product.

        Django would list every movement.
        """
        ids = [product.pk for product in objs]
        moved = Product.objects.filter(pk__in=ids, variants__movements__isnull=False)
        moved = moved.annotate(size=Count("variants__movements")).order_by("name", "pk")
        if moved:
            return [], {}, set(), [_why_protected(product) for product in moved]
        rows, counts, rights, protected = super().get_deleted_objects(objs, request)
        # The empty stock rows and the history of prices are deleted with their product;
        # nobody needs a right for them.
        rights -= {Stock._meta.verbose_name, PriceChange._meta.verbose_name}
        return rows, counts, rights, protected


def _picture(product: Product, size: int) -> SafeString | str:
    return image(product.image_small.url, size) if product.image else ""


def _level(stock: Stock) -> SafeString:
    return format_html(
        _(
            "<strong>{available} available</strong>: {on_hand} on hand, {reserved}"
            " reserved"
        ),
        available=stock.unreserved,
        on_hand=stock.on_hand,
        reserved=stock.reserved,
    )


def _why_protected(product: "WithAnnotations[Product, Size]") -> SafeString:
    text = ngettext(
        "%(size)d stock movement of “%(name)s”, which we keep for the accounts. "
        "Deactivate the product instead.",
        "%(size)d stock movements of “%(name)s”, which we keep for the accounts. "
        "Deactivate the product instead.",
        product.size,
    )
    return format_html(
        "{} {}",
        text % {"size": product.size, "name": product.name},
        movements_link("variant__product", product.pk),
    )
