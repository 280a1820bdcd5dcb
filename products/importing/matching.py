"""Finds the product that a row describes, and compares the two."""

from collections import defaultdict
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field

from django.utils.text import slugify
from django.utils.translation import gettext as _

from products.importing import batches
from products.importing.batches import Changes, Wanted
from products.importing.cells import SKU_MAX, SLUG_MAX, digest
from products.importing.rows import Row
from products.models import Product, ProductCategory, Stock, Variant

CATEGORIES_AT_MOST = 100  # new ones; a column with more is hardly one of categories


class Refused(Exception):
    """A row that cannot be imported, because of one of its fields."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


@dataclass
class Outcome:
    """The result of a batch. It is valid once the batch is committed."""

    wanted: list[tuple[Row, Wanted]] = field(default_factory=list)
    refused: list[tuple[Row, Refused]] = field(default_factory=list)
    stocks: dict[int, Stock] = field(default_factory=dict)
    categories: dict[str, ProductCategory] = field(default_factory=dict)  # new ones
    changes: Changes = field(default_factory=Changes)


class SeenKeys:
    """The lines on which SKUs and handles were. Each may be in a file only once."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], int] = {}

    def add(self, field: str, value: str, line: int) -> None:
        """Note that a line has this value. Raises `Refused` if another line has it."""
        other = self._lines.setdefault((field, value), line)
        if other != line:
            text = _("“%(value)s” is already on line %(line)d.")
            raise Refused(_column_of(field), text % {"value": value, "line": other})

    def is_free(self, field: str, value: str, line: int) -> bool:
        """Return whether no other line has this value."""
        return self._lines.get((field, value), line) == line


class Matcher:
    """Compares the rows of a file with products, and remembers earlier rows."""

    def __init__(self, default: ProductCategory | None) -> None:
        self._default = default
        self._seen = SeenKeys()
        self._categories: dict[str, ProductCategory] = {}
        self._slugs: set[str] = set()
        self._added = 0  # categories
        self.look_again()

    def check(self, row: Row) -> None:
        """Raise `Refused` if an earlier row has the same SKU or handle."""
        for name in ("sku", "slug"):
            if value := getattr(row, name):
                self._seen.add(name, value, row.line)

    def compare(self, rows: list[Row], *, lock: bool) -> Outcome:
        """Compare rows with their products, which are locked if `lock`."""
        outcome = Outcome()
        variants = batches.existing(
            [row.sku for row in rows if row.sku],
            [row.slug for row in rows if row.slug],
            lock=lock,
        )
        outcome.stocks = batches.counts([v.pk for v in variants], lock=False)
        known = Known(variants, rows)
        for row in rows:
            try:
                outcome.wanted.append((row, self._wanted(row, known, outcome)))
            except Refused as refusal:
                outcome.refused.append((row, refusal))
        return outcome

    def _wanted(self, row: Row, known: "Known", outcome: Outcome) -> Wanted:
        """Return what a row says its variant should be. Raises `Refused`."""
        before = known.variant(row)
        if before:
            self._seen.add("variant", before.sku, row.line)
            variant = copy(before)
            variant.product = known.product_of(before)
        else:
            variant = self._new(row, known)
            self._seen.add("sku", variant.sku, row.line)
            self._seen.add("slug", variant.product.slug, row.line)
        product = variant.product
        if row.category:
            product.category = self._category(row.category, outcome)
        for name in ("name", "description"):
            if (value := getattr(row, name)) is not None:
                setattr(product, name, value)
        if row.price is not None:
            variant.base_price = row.price
        if row.active is not None:
            product.is_active = row.active
        return Wanted(variant, before, row.stock)

    # --- New products -------------------------------------------------------------

    def _new(self, row: Row, known: "Known") -> Variant:
        """Return the variant of a new product. Raises `Refused`."""
        for name in ("name", "price"):
            if getattr(row, name) is None:
                raise Refused(name, _("A new product needs this."))
        if not row.category and self._default is None:
            raise Refused("category", _("A new product needs this."))
        slug = row.slug or self._first_free("slug", slugs_for(row), row, known)
        sku = row.sku or self._first_free("sku", skus_for(slug), row, known)
        product = Product(slug=slug, category=self._default)
        return Variant(sku=sku, product=product)

    def _first_free(
        self, field: str, names: Iterable[str], row: Row, known: "Known"
    ) -> str:
        """Return the first name that no product and no other row has."""
        for name in names:
            is_taken = name in known.taken(field)
            if not is_taken and self._seen.is_free(field, name, row.line):
                return name
        raise Refused(
            _column_of(field),
            _("Enter one. Those made from the name are already used."),
        )

    # --- Categories ---------------------------------------------------------------

    def _category(self, name: str, outcome: Outcome) -> ProductCategory:
        """Return the category with this name, perhaps a new one. Raises `Refused`."""
        key = _key(name)
        known = self._categories.get(key) or outcome.categories.get(key)
        if known is not None:
            return known
        if self._added + len(outcome.categories) >= CATEGORIES_AT_MOST:
            text = _("The file would add more than %(limit)d new categories.")
            raise Refused("category", text % {"limit": CATEGORIES_AT_MOST})
        slugs = self._slugs | {new.slug for new in outcome.categories.values()}
        slug = slugify(name)
        if not slug or slug in slugs:
            slug = f"{slug or 'category'}-{digest(key)}"
        category = ProductCategory(name=name, slug=slug[-80:].strip("-"))
        return outcome.categories.setdefault(key, category)

    def learn(self, categories: Iterable[ProductCategory]) -> None:
        """Remember categories, by name and by slug."""
        for category in categories:
            self._categories.setdefault(category.slug, category)
            self._categories[_key(category.name)] = category
            self._slugs.add(category.slug)

    def look_again(self) -> None:
        """Read the categories again, as somebody may have added some."""
        self.learn(ProductCategory.objects.all())

    def learn_new(self, outcome: Outcome) -> None:
        """Remember the categories that a committed batch has added."""
        self.learn(outcome.categories.values())
        self._added += len(outcome.categories)

    def category_name(self, product: Product) -> str:
        """Return the name of a product's category, without a query."""
        if product.category_id is None:  # a new category
            return product.category.name
        names = {c.pk: c.name for c in self._categories.values()}
        return names.get(product.category_id, "")


class Known:
    """The variants that the rows of a batch may describe."""

    def __init__(self, variants: list[Variant], rows: list[Row]) -> None:
        self._by_sku = {variant.sku: variant for variant in variants}
        self._by_slug = defaultdict(list)
        self._products: dict[int, Product] = {}
        for variant in variants:
            self._by_slug[variant.product.slug].append(variant)
        new = [row for row in rows if self._find(row) is None]
        slugs = {slug for row in new for slug in slugs_for(row)}
        skus = {sku for slug in slugs for sku in skus_for(slug)}
        self._taken = batches.taken(skus=skus, slugs=slugs)

    def variant(self, row: Row) -> Variant | None:
        """Return the row's variant; None if its product is new.

        Raises `Refused` if the handle is that of a product with another SKU, or with
        several variants and the row has no SKU.
        """
        variant = self._find(row)
        if variant and row.sku and variant.sku != row.sku:
            text = _("“%(slug)s” is already used by the product with the SKU %(sku)s.")
            values = {"slug": variant.product.slug, "sku": variant.sku}
            raise Refused("handle", text % values)
        if variant and not row.sku and len(self._variants_of(row)) > 1:
            raise Refused("sku", _("The product has several variants. Enter a SKU."))
        return variant

    def product_of(self, before: Variant) -> Product:
        """Return the one copy of its product that the rows of its variants change."""
        return self._products.setdefault(before.product_id, copy(before.product))

    def _find(self, row: Row) -> Variant | None:
        if row.sku is not None and row.sku in self._by_sku:
            return self._by_sku[row.sku]
        return next(iter(self._variants_of(row)), None)

    def _variants_of(self, row: Row) -> list[Variant]:
        """Return the variants of the product with the row's slug."""
        return [] if row.slug is None else self._by_slug.get(row.slug, [])

    def taken(self, field: str) -> set[str]:
        """Return those SKUs or slugs for new products that a product has already."""
        return self._taken[field]


def slugs_for(row: Row) -> list[str]:
    """Return slugs for a new product, the best first.

    It is the row's own, or one made of its name, of name and SKU, or with a digest.
    """
    if row.slug:
        return [row.slug]
    name, sku = slugify(row.name or "")[:120], slugify(row.sku or "")
    unique = digest(f"{row.sku} {row.name}")
    slugs = [name, f"{name}-{sku}".strip("-"), f"{name or 'product'}-{unique}"]
    return [slug[:SLUG_MAX] for slug in slugs if slug]


def skus_for(slug: str) -> list[str]:
    """Return SKUs for a new product that has none, made of its slug."""
    unique = f"{slug[: SKU_MAX - 9]}-{digest(slug)}"
    return [slug, unique] if len(slug) <= SKU_MAX else [unique]


def _key(name: str) -> str:
    return " ".join(name.casefold().split())


def _column_of(field: str) -> str:
    """Return the column that a field comes from."""
    return {"slug": "handle", "variant": "sku"}.get(field, field)
