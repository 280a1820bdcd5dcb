"""Which product a row means, and what the row makes of it."""

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field

from django.utils.text import slugify
from django.utils.translation import gettext as _

from products.importing import batches
from products.importing.batches import Told, Wanted
from products.importing.rows import SKU_MAX, SLUG_MAX, Row, digest
from products.models import Product, ProductCategory, Stock

CATEGORIES_AT_MOST = 100  # new ones: of more, the column is hardly one of categories


class Refused(Exception):
    """A row that cannot be written: which field is why, and why."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


@dataclass
class Outcome:
    """Of one batch. It counts once the batch is written."""

    wanted: list[tuple[Row, Wanted]] = field(default_factory=list)
    refused: list[tuple[Row, Refused]] = field(default_factory=list)
    stocks: dict[int, Stock] = field(default_factory=dict)
    categories: dict[str, ProductCategory] = field(default_factory=dict)  # new ones
    told: Told = field(default_factory=Told)


class Lines:
    """On which line a sku or a handle was: each is a product's, once in a file."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], int] = {}

    def take(self, field: str, value: str, line: int) -> None:
        """Raises `Refused` if another line has it."""
        other = self._lines.setdefault((field, value), line)
        if other != line:
            text = _("“%(value)s” is on line %(line)d already.")
            raise Refused(_spoken(field), text % {"value": value, "line": other})

    def is_free(self, field: str, value: str, line: int) -> bool:
        return self._lines.get((field, value), line) == line


class Matcher:
    """What has to be known of a file's rows from batch to batch."""

    def __init__(self, default: ProductCategory | None) -> None:
        self._default = default
        self._lines = Lines()
        self._categories: dict[str, ProductCategory] = {}
        self._slugs: set[str] = set()
        self._added = 0  # categories
        self.look_again()

    def check(self, row: Row) -> None:
        """Raises `Refused` for what an earlier row was about."""
        for name in ("sku", "slug"):
            if value := getattr(row, name):
                self._lines.take(name, value, row.line)

    def compare(self, rows: list[Row], *, lock: bool) -> Outcome:
        """What each row makes of which product; their rows are locked if they are to be
        written."""
        outcome = Outcome()
        found = batches.existing(
            [row.sku for row in rows if row.sku],
            [row.slug for row in rows if row.slug],
            lock=lock,
        )
        outcome.stocks = batches.counts([p.pk for p in found], lock=False)
        known = Known(found, rows)
        for row in rows:
            try:
                outcome.wanted.append((row, self._wanted(row, known, outcome)))
            except Refused as refusal:
                outcome.refused.append((row, refusal))
        return outcome

    def _wanted(self, row: Row, known: "Known", outcome: Outcome) -> Wanted:
        before = known.product(row)
        if before:
            self._lines.take("product", before.sku, row.line)
            product = copy(before)
        else:
            product = self._new(row, known)
            self._lines.take("sku", product.sku, row.line)
            self._lines.take("slug", product.slug, row.line)
        if row.category:
            product.category = self._category(row.category, outcome)
        for name in ("name", "description", "price"):
            if (value := getattr(row, name)) is not None:
                setattr(product, name, value)
        if row.active is not None:
            product.is_active = row.active
        return Wanted(product, before, row.stock)

    # --- New products -------------------------------------------------------------

    def _new(self, row: Row, known: "Known") -> Product:
        for name in ("name", "price"):
            if getattr(row, name) is None:
                raise Refused(name, _("A new product needs it."))
        if not row.category and self._default is None:
            raise Refused("category", _("A new product needs it."))
        slug = row.slug or self._first_free("slug", slugs_for(row), row, known)
        sku = row.sku or self._first_free("sku", skus_for(slug), row, known)
        return Product(sku=sku, slug=slug, category=self._default)

    def _first_free(
        self, field: str, names: Iterable[str], row: Row, known: "Known"
    ) -> str:
        for name in names:
            if name not in known.taken(field):
                if self._lines.is_free(field, name, row.line):
                    return name
        raise Refused(
            _spoken(field), _("Give it one: those made of its name are taken.")
        )

    # --- Categories ---------------------------------------------------------------

    def _category(self, name: str, outcome: Outcome) -> ProductCategory:
        key = _key(name)
        known = self._categories.get(key) or outcome.categories.get(key)
        if known is not None:
            return known
        if self._added + len(outcome.categories) >= CATEGORIES_AT_MOST:
            text = _("These would be more than %(limit)d new categories.")
            raise Refused("category", text % {"limit": CATEGORIES_AT_MOST})
        slugs = self._slugs | {new.slug for new in outcome.categories.values()}
        slug = slugify(name)
        if not slug or slug in slugs:
            slug = f"{slug or 'category'}-{digest(key)}"
        category = ProductCategory(name=name, slug=slug[-80:].strip("-"))
        return outcome.categories.setdefault(key, category)

    def learn(self, categories: Iterable[ProductCategory]) -> None:
        """Categories are found by their names, and by their addresses."""
        for category in categories:
            self._categories.setdefault(category.slug, category)
            self._categories[_key(category.name)] = category
            self._slugs.add(category.slug)

    def look_again(self) -> None:
        """Somebody may have added categories."""
        self.learn(ProductCategory.objects.all())

    def learn_new(self, outcome: Outcome) -> None:
        """Categories that a batch has added."""
        self.learn(outcome.categories.values())
        self._added += len(outcome.categories)

    def category_name(self, product: Product) -> str:
        """Of a product's category, without a query."""
        if product.category_id is None:  # not written yet
            return product.category.name
        names = {c.pk: c.name for c in self._categories.values()}
        return names.get(product.category_id, "")


class Known:
    """The products that a batch's rows may mean."""

    def __init__(self, found: list[Product], rows: list[Row]) -> None:
        self._by_sku = {product.sku: product for product in found}
        self._by_slug = {product.slug: product for product in found}
        new = [row for row in rows if self._find(row) is None]
        slugs = {slug for row in new for slug in slugs_for(row)}
        skus = {sku for slug in slugs for sku in skus_for(slug)}
        self._taken = batches.taken(skus=skus, slugs=slugs)

    def product(self, row: Row) -> Product | None:
        """Raises `Refused` if the handle is that of a product with another sku."""
        product = self._find(row)
        if product and row.sku and product.sku != row.sku:
            text = _("“%(slug)s” is the address of the product with the sku %(sku)s.")
            raise Refused("handle", text % {"slug": product.slug, "sku": product.sku})
        return product

    def _find(self, row: Row) -> Product | None:
        return self._by_sku.get(row.sku) or self._by_slug.get(row.slug)

    def taken(self, field: str) -> set[str]:
        """What is another product's, of the names that were to be tried."""
        return self._taken[field]


def slugs_for(row: Row) -> list[str]:
    """The address of a new product, the best first: the one that the row names, or
    made of its name, its sku, and what is its own for sure."""
    if row.slug:
        return [row.slug]
    name, sku = slugify(row.name or "")[:120], slugify(row.sku or "")
    own = digest(f"{row.sku} {row.name}")
    names = [name, f"{name}-{sku}".strip("-"), f"{name or 'product'}-{own}"]
    return [each[:SLUG_MAX] for each in names if each]


def skus_for(slug: str) -> list[str]:
    """The sku of a new product that has none, made of its address."""
    own = f"{slug[: SKU_MAX - 9]}-{digest(slug)}"
    return [slug, own] if len(slug) <= SKU_MAX else [own]


def _key(name: str) -> str:
    return " ".join(name.casefold().split())


def _spoken(field: str) -> str:
    """The column that a field of ours comes from."""
    return {"slug": "handle", "product": "sku"}.get(field, field)
