"""The page of the admin on which staff edit the variants of a product."""

from collections.abc import Sequence

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from products.catalogue.exceptions import WrongOptions
from products.models import MovementKind, Product, StockMovement, Variant
from products.variants import services
from products.variants.exceptions import RowRefused
from products.variants.forms import (
    BulkForm,
    OptionsForm,
    VariantForm,
    changed_copy,
)
from products.variants.grid import Grid
from products.variants.models import ORDER
from users.requests import user_of

PAGE = "products_product_variants"


class VariantsMixin(admin.ModelAdmin):
    """Adds the page of its variants to the admin of a product."""

    change_form_template = "admin/products/product/change_form.html"
    variants_template = "admin/products/product/variants.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.variants_view)
        return [path("<int:pk>/variants/", view, name=PAGE), *super().get_urls()]

    def variants_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show the options and the grid; save what was submitted."""
        with transaction.atomic():
            product = self._variants_product(request, pk)
            if not self.has_change_permission(request, product):
                raise PermissionDenied
            editor = Editor(self, request, product)
            if request.method == "POST" and editor.handle():
                return redirect(f"admin:{PAGE}", pk)
        return self._variants_page(request, editor)

    def _variants_product(self, request: HttpRequest, pk: int) -> Product:
        """Return the product, locked if something is saved. Raises `Http404`."""
        try:
            if request.method == "POST":
                return services.lock(pk)
            return Product.objects.get(pk=pk)
        except Product.DoesNotExist:
            raise Http404 from None

    def _variants_page(self, request: HttpRequest, editor: "Editor") -> HttpResponse:
        title = _("Variants of %(name)s") % {"name": editor.product.name}
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "product": editor.product,
            "options_form": editor.options,
            "grid": editor.grid,
            "bulk": editor.bulk,
            "doomed": editor.doomed,
            "may_delete": editor.may_delete,
            "has_errors": editor.has_errors,
            "media": self.media,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.variants_template, context)


class Editor:
    """The forms of the page for one request, and what saving them does."""

    def __init__(
        self, model_admin: VariantsMixin, request: HttpRequest, product: Product
    ) -> None:
        self.admin, self.request, self.product = model_admin, request, product
        self.may_move = request.user.has_perm("products.change_stock")
        self.may_delete = request.user.has_perm("products.delete_product")
        self.doomed: list[VariantForm] = []  # to confirm
        self.has_errors = False
        self.variants = list(product.variants.with_stock().order_by(*ORDER))
        for variant in self.variants:
            variant.product = product
        self.pictures = list(product.pictures.all())
        self.options = OptionsForm(None, product, self.variants)
        self.grid = self._grid(None)
        self.bulk = BulkForm(None, may_move=self.may_move)

    def _grid(self, data) -> Grid:
        return Grid(
            data,
            self.variants,
            seen=self._seen(),
            pictures=self.pictures,
            may_move=self.may_move,
        )

    def _seen(self) -> dict[int, int]:
        """Return the newest movement of each variant by this person."""
        kinds = [MovementKind.RECEIVED, MovementKind.COUNTED]
        ids = [variant.pk for variant in self.variants]
        movements = StockMovement.objects.filter(
            variant__in=ids, kind__in=kinds, actor=user_of(self.request)
        )
        rows = movements.order_by().values("variant").annotate(newest=Max("version"))
        return dict(rows.values_list("variant", "newest"))

    def handle(self) -> bool:
        """Do what the pressed button says; return whether it is done."""
        data = self.request.POST
        if "save_options" in data:
            is_done = self._save_options()
        elif "delete" in data or "confirm_delete" in data:
            is_done = self._delete()
        else:
            is_done = self._save_rows()
        self.has_errors = not is_done and not self.doomed
        return is_done

    # --- Options ------------------------------------------------------------------

    def _save_options(self) -> bool:
        self.options = OptionsForm(self.request.POST, self.product, self.variants)
        if not self.options.is_valid():
            return False
        data = self.options.cleaned_data
        try:
            with transaction.atomic():
                added = services.set_options(
                    self.product,
                    data["options"],
                    everything=data["everything"],
                    actor=user_of(self.request),
                )
        except WrongOptions as refusal:
            self.options.add_error(None, str(refusal))
            self.product.refresh_from_db()
            return False
        self._log([{"changed": {"fields": [_("options")]}}])
        for variant in added:
            self._log([{"added": {"name": _("variant"), "object": variant.name}}])
        count = len(added)
        text = ngettext(
            "The options were saved, and %(count)d variant was added. It is not active "
            "yet: check its price, then activate it.",
            "The options were saved, and %(count)d variants were added. They are not "
            "active yet: check their prices, then activate them.",
            count,
        )
        text = text % {"count": count} if count else _("The options were saved.")
        messages.success(self.request, text)
        return True

    # --- Rows ---------------------------------------------------------------------

    def _save_rows(self) -> bool:
        data = self.request.POST
        if "bulk" in data:
            self.bulk = BulkForm(data, may_move=self.may_move)
            self.grid = self._grid(data)
            if not self.bulk.is_valid():
                return False
            if not self.grid.chosen or not self.bulk.values:
                text = _("Choose rows and enter what to set. Nothing was saved.")
                self.bulk.add_error(None, text)
                return False
            data = self._filled(self.grid.chosen)
        self.grid = self._grid(data)
        return self.grid.is_valid() and self._save([*self._changed_rows()])

    def _filled(self, rows: Sequence[VariantForm]):
        """Return what was submitted, with the values of `bulk` in these rows."""
        values = self.bulk.values
        cells = {f"{row.prefix}-{n}": v for row in rows for n, v in values.items()}
        return changed_copy(self.request.POST, cells)

    def _changed_rows(self) -> list[VariantForm]:
        return [row for row in self.grid.rows if row.changed_names]

    def _save(self, rows: Sequence[VariantForm]) -> bool:
        if not rows:
            messages.info(self.request, _("Nothing was changed."))
            return True
        pictures = {
            row.instance.pk: row.cleaned_data["picture"]
            for row in rows
            if "picture" in row.changed_names
        }
        changes = {row.instance.pk: row.cleaned_data.get("change", 0) for row in rows}
        for row in rows:
            if "price" in row.changed_names:
                row.instance.base_price = row.cleaned_data["price"]
        try:
            with transaction.atomic():
                services.save_variants(
                    self.product,
                    [row.instance for row in rows],
                    stock_changes={pk: n for pk, n in changes.items() if n},
                    pictures=pictures,
                    actor=user_of(self.request),
                )
        except RowRefused as refusal:
            self._refuse(refusal)
            return False
        except WrongOptions as refusal:
            self.bulk.add_error(None, str(refusal))
            return False
        self._report(rows)
        return True

    def _refuse(self, refusal: RowRefused) -> None:
        row = self.grid.row(refusal.variant_id)
        assert row is not None  # it is one of those that were saved
        row.add_error("change" if "change" in row.fields else None, str(refusal))

    def _report(self, rows: Sequence[VariantForm]) -> None:
        """Write the history, and say what was saved."""
        for row in rows:
            labels = [str(row.fields[name].label) for name in row.changed_names]
            name = row.instance.sku
            change = {"name": _("variant"), "object": name, "fields": labels}
            self._log([{"changed": change}])
        count = len(rows)
        text = ngettext(
            "%(count)d variant was saved.", "%(count)d variants were saved.", count
        )
        messages.success(self.request, text % {"count": count})

    def _log(self, message: list[dict]) -> None:
        self.admin.log_change(self.request, self.product, message)

    # --- Deleting -----------------------------------------------------------------

    def _delete(self) -> bool:
        if not self.may_delete:
            raise PermissionDenied
        chosen = self._grid(self.request.POST).chosen
        if not chosen:
            self.bulk.full_clean()
            messages.error(self.request, _("Choose the variants to delete."))
            return True
        if "confirm_delete" not in self.request.POST:
            self.doomed = chosen
            return False
        try:
            with transaction.atomic():
                skus = services.delete_variants(
                    self.product,
                    [row.instance.pk for row in chosen],
                    actor=user_of(self.request),
                )
        except RowRefused as refusal:
            name = Variant.objects.get(pk=refusal.variant_id).sku
            messages.error(self.request, f"{name}: {refusal}")
            return True
        for sku in skus:
            self._log([{"deleted": {"name": _("variant"), "object": sku}}])
        text = ngettext(
            "%(n)d variant was deleted.", "%(n)d variants were deleted.", len(skus)
        )
        messages.success(self.request, text % {"n": len(skus)})
        return True
