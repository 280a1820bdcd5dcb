"""The grid of a product's variants: rows, and what several rows must not share."""

from collections.abc import Mapping, Sequence

from django.utils.translation import gettext as _

from products.models import ProductImage, Variant
from products.variants.forms import VariantForm


class Grid:
    """The rows of a product's variants, for reading or as they were submitted.

    Rows of variants that were added after the page was shown are left out.
    """

    def __init__(
        self,
        data: Mapping | None,
        variants: Sequence[Variant],
        *,
        seen: Mapping[int, int],
        pictures: Sequence[ProductImage],
        may_move: bool,
    ) -> None:
        self.rows = [
            VariantForm(
                data,
                variant,
                seen=seen.get(variant.pk, 0),
                pictures=pictures,
                may_move=may_move,
            )
            for variant in variants
            if data is None or f"v{variant.pk}-position" in data
        ]

    def row(self, variant_id: int) -> VariantForm | None:
        return next((row for row in self.rows if row.instance.pk == variant_id), None)

    @property
    def chosen(self) -> list[VariantForm]:
        """The rows whose box is ticked."""
        return [row for row in self.rows if row.data.get(f"{row.prefix}-chosen")]

    def is_valid(self) -> bool:
        are_valid = [row.is_valid() for row in self.rows]
        self._check_skus()
        self._check_pictures()
        return all(are_valid) and not any(row.errors for row in self.rows)

    def _check_skus(self) -> None:
        """Refuse an SKU that another variant has, with one query."""
        wanted = {
            row: row.cleaned_data["sku"]
            for row in self.rows
            if row.cleaned_data.get("sku") and "sku" in row.changed_data
        }
        others = Variant.objects.filter(sku__in=wanted.values())
        owners = dict(others.values_list("sku", "pk"))
        for row, sku in wanted.items():
            twins = [other for other, text in wanted.items() if text == sku]
            if owners.get(sku, row.instance.pk) != row.instance.pk or len(twins) > 1:
                row.add_error("sku", _("Another variant has this SKU."))

    def _check_pictures(self) -> None:
        """Refuse a picture that another row has: it belongs to one variant."""
        owners: dict[int, VariantForm] = {}
        for row in self.rows:
            picture = row.cleaned_data.get("picture", row.initial.get("picture"))
            if picture is None:
                continue
            if picture in owners:
                changed = row if "picture" in row.changed_data else owners[picture]
                changed.add_error("picture", _("Another row has this picture."))
            owners.setdefault(picture, row)
