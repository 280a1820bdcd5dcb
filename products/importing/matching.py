"""Finds the products that rows describe, and compares them."""

from copy import copy
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from products.importing import batches
from products.importing.categories import Categories
from products.importing.groups import Group
from products.importing.known import Known, SeenKeys, name_with_options
from products.importing.problems import Problem, Refused
from products.importing.rows import Row
from products.importing.texts import to_html, to_text
from products.importing.variants import Chooser, check_combinations
from products.importing.wanted import Changes, Wanted
from products.models import Product, ProductCategory, Stock, TaxClass, Variant


@dataclass
class Outcome:
    """The result of a batch. It is valid once the batch is committed."""

    wanted: list[tuple[Group, list[Wanted]]] = field(default_factory=list)
    refused: list[tuple[Group, Refused]] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    stocks: dict[int, Stock] = field(default_factory=dict)
    categories: dict[str, ProductCategory] = field(default_factory=dict)  # new ones
    changes: Changes = field(default_factory=Changes)

    @property
    def items(self) -> list[Wanted]:
        """All variants that are wanted."""
        return [item for _group, items in self.wanted for item in items]


class Matcher:
    """Compares the rows of a file with products, and remembers earlier rows."""

    def __init__(self, default: ProductCategory | None) -> None:
        self._default = default
        self._seen = SeenKeys()
        self.categories = Categories()
        self._tax_classes = set(TaxClass.objects.values_list("code", flat=True))

    def check(self, group: Group) -> None:
        """Raise `Refused` if an earlier row has the same SKU or handle."""
        for row in group.rows:
            if row.sku:
                self._seen.add("sku", row.sku, row.line)
        if group.head.slug:
            self._seen.add("slug", group.head.slug, group.head.line)

    def compare(self, groups: list[Group], *, lock: bool) -> Outcome:
        """Compare rows with their products, which are locked if `lock`."""
        outcome = Outcome()
        rows = [row for group in groups for row in group.rows]
        variants = batches.existing(
            [row.sku for row in rows if row.sku],
            {name for g in groups for name in (g.head.slug, g.head.handle) if name},
            lock=lock,
        )
        outcome.stocks = batches.counts([v.pk for v in variants], lock=False)
        known = Known(variants, groups, self._seen)
        for group in groups:
            match = self._variants if group.is_shopify else self._variant
            try:
                outcome.wanted.append((group, match(group, known, outcome)))
            except Refused as refusal:
                outcome.refused.append((group, refusal))
        return outcome

    # --- Our format ---------------------------------------------------------------

    def _variant(self, group: Group, known: Known, outcome: Outcome) -> list[Wanted]:
        """Return what a row says its variant should be. Raises `Refused`."""
        row = group.head
        before = known.variant(row)
        if before:
            self._seen.add("variant", before.sku, row.line)
            variant = copy(before)
            variant.product = known.product_of(before)
        else:
            product = self._new_product(row, known)
            variant = self._new_variant(row, product, known)
        self._set_product(row, variant.product, outcome)
        self._set_variant(row, variant)
        return [Wanted(variant, before, row.stock, is_new_product=before is None)]

    # --- Shopify's ----------------------------------------------------------------

    def _variants(self, group: Group, known: Known, outcome: Outcome) -> list[Wanted]:
        """Return what the rows say a product's variants should be. Raises `Refused`."""
        head = group.head
        present = known.variants_of(head)
        if present:
            product = known.product_of(present[0])
        else:
            product = self._new_product(head, known)
        self._set_product(head, product, outcome)
        names = group.option_names
        if names is not None and names != _plain(product.option_names):
            product.option_names = names
        chooser = Chooser(group, present, known)
        position = max((v.position for v in present), default=-1)
        wanted = []
        for row in group.rows:
            before = chooser.variant(row)
            if before:
                variant = copy(before)
                variant.product = product
            else:
                position += 1
                variant = self._new_variant(row, product, known)
                variant.position = position
            self._set_variant(row, variant)
            values = row.values
            if group.mentions_options(row) and values != _plain(variant.option_values):
                variant.option_values = values
            item = Wanted(variant, before, row.stock, is_new_product=not present)
            wanted.append(item)
        check_combinations(group, product, chooser.unmentioned, wanted)
        return wanted

    # --- Both ---------------------------------------------------------------------

    def _new_product(self, row: Row, known: Known) -> Product:
        for name in ("name", "price"):
            if getattr(row, name) is None:
                raise Refused(name, _("A new product needs this."), row.line)
        if not row.category and self._default is None:
            raise Refused("category", _("A new product needs this."), row.line)
        product = Product(slug=known.free_slug(row), category=self._default)
        self._seen.add("slug", product.slug, row.line)
        return product

    def _new_variant(self, row: Row, product: Product, known: Known) -> Variant:
        if row.price is None:
            raise Refused("price", _("A new variant needs this."), row.line)
        sku = known.free_sku(row, name_with_options(product.slug, row))
        self._seen.add("sku", sku, row.line)
        return Variant(sku=sku, product=product)

    def _set_product(self, row: Row, product: Product, outcome: Outcome) -> None:
        if row.category:
            product.category = self.categories.find(row.category, outcome.categories)
        if row.name is not None and [row.name] != _plain([product.name]):
            product.name = row.name
        if row.description is not None:
            # HTML cannot express all spaces. A text that would be the same HTML stays.
            if (
                not row.group
                or to_text(to_html(product.description)) != row.description
            ):
                product.description = row.description
        if row.active is not None:
            product.is_active = row.active
        if row.tax_class is None:
            return
        if row.tax_class in self._tax_classes:
            product.tax_class_id = row.tax_class
        else:
            text = _("The shop has no tax class “%(code)s”. It is not imported.")
            problem = Problem(row.line, "", text % {"code": row.tax_class})
            outcome.warnings.append(problem)

    def _set_variant(self, row: Row, variant: Variant) -> None:
        if row.sku and [row.sku] != _plain([variant.sku]):
            variant.sku = row.sku
        if row.price is not None:
            variant.base_price = row.price
        if row.weight is not None:
            variant.weight = row.weight
        if row.sold is not None:
            variant.is_active = row.sold


def _plain(texts: list[str]) -> list[str]:
    """Return texts as files can have them, with single spaces."""
    return [" ".join(text.split()) for text in texts]
