"""The pictures of a product, on its page in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import prefetch_related_objects
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from products.catalogue.forms import PictureForm, offer_variants
from products.catalogue.uploads import MOST_PICTURES
from products.models import Product, ProductImage, Variant


class PictureInline(admin.TabularInline):
    """A product's pictures. They need the permission to change products."""

    model = ProductImage
    form = PictureForm
    fields = ["preview", "file", "alt", "variant", "position"]
    readonly_fields = ["preview"]
    extra = 1
    max_num = MOST_PICTURES

    def get_fields(self, request: HttpRequest, obj: Product | None = None) -> list:
        """Leave out the variant if the product has one at most."""
        fields = list(super().get_fields(request, obj))
        return (
            fields if len(_variants(obj)) > 1 else [f for f in fields if f != "variant"]
        )

    def get_formset(self, request: HttpRequest, obj=None, **kwargs) -> Any:
        formset = super().get_formset(request, obj, **kwargs)
        if form_field := formset.form.base_fields.get("variant"):
            offer_variants(form_field, _variants(obj))
        return formset

    @admin.display(description="")
    def preview(self, picture: ProductImage) -> SafeString | str:
        return image(picture.image_small.url, 96) if picture.file else ""

    def has_view_permission(self, request: HttpRequest, obj=None) -> bool:
        return request.user.has_perm("products.view_product") or self._may(request)

    def has_add_permission(self, request: HttpRequest, obj=None) -> bool:
        return self._may(request, obj)

    def has_change_permission(self, request: HttpRequest, obj=None) -> bool:
        return self._may(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj=None) -> bool:
        return self._may(request, obj)

    def _may(self, request: HttpRequest, product: Product | None = None) -> bool:
        verb = "change" if product else "add"
        return request.user.has_perm(f"products.{verb}_product")


def _variants(product: Product | None) -> list[Variant]:
    """Return the variants of a product in order, read once."""
    if product is None or product.pk is None:
        return []
    prefetch_related_objects([product], "variants")
    return list(product.variants.all())


def image(address: str, size: int) -> SafeString:
    """Return a square picture of so many pixels."""
    return format_html(
        '<img src="{}" width="{}" height="{}" alt="" loading="lazy">',
        address,
        size,
        size,
    )
