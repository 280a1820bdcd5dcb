"""What variants and their products should be, and what batches have changed."""

from dataclasses import dataclass, field

from django.db.models import Model

from products.catalogue import services as catalogue
from products.models import Product, Variant
from products.stock.services import Level

PRODUCT_FIELDS = ["name", "description", "category_id", "is_active"]
PRODUCT_FIELDS += ["option_names", "tax_class_id"]
VARIANT_FIELDS = ["sku", "option_values", "weight", "is_active"]


@dataclass(slots=True)
class Wanted:
    """What a variant and its product should be."""

    variant: Variant  # a new row, or a copy of `before` with changed fields
    before: Variant | None  # the row in the database; None if the variant is new
    counted: int | None  # units on hand; None if they were not counted
    is_new_product: bool = False

    @property
    def product(self) -> Product:
        return self.variant.product

    @property
    def is_new(self) -> bool:
        return self.before is None

    @property
    def product_changes(self) -> list[str]:
        """The names of the product's fields that change; none for a new variant."""
        if self.before is None:
            return []
        return _differing(PRODUCT_FIELDS, self.product, self.before.product)

    @property
    def variant_changes(self) -> list[str]:
        """The names of the variant's fields that change; none for a new variant."""
        if self.before is None:
            return []
        changed = _differing(VARIANT_FIELDS, self.variant, self.before)
        is_priced = self.variant.base_price != self.before.base_price
        return changed + (["price"] if is_priced else [])

    @property
    def changed(self) -> list[str]:
        """The names of all fields that change; none for a new variant."""
        return self.product_changes + self.variant_changes

    @property
    def changes_offer(self) -> bool:
        """Whether pages must show another price, or another "active"."""
        before = self.before
        return before is not None and bool(catalogue.offer_note(before, self.variant))


def _differing(names: list[str], now: Model, before: Model) -> list[str]:
    return [name for name in names if getattr(now, name) != getattr(before, name)]


@dataclass(slots=True)
class Changes:
    """What batches have changed, for `announce()`."""

    ids: dict[int, None] = field(default_factory=dict)  # of products, in order
    levels: dict[int, Level] = field(default_factory=dict)  # of variants
    categories_changed: bool = False  # new ones, or products moved between them

    def add(self, other: "Changes") -> None:
        """Add the changes of a batch that is committed."""
        self.ids |= other.ids
        self.levels |= other.levels
        self.categories_changed |= other.categories_changed
