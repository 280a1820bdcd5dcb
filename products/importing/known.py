"""What the shop has of the products in a batch of rows."""

from collections import defaultdict
from collections.abc import Iterable
from copy import copy

from django.utils.text import slugify
from django.utils.translation import gettext as _

from products.importing import batches
from products.importing.cells import SKU_MAX, SLUG_MAX, digest
from products.importing.groups import Group
from products.importing.problems import Refused
from products.importing.rows import Row
from products.models import Product, Variant


class SeenKeys:
    """The lines on which SKUs and handles were. Each may be in a file only once."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], int] = {}

    def add(self, field: str, value: str, line: int) -> None:
        """Note that a line has this value. Raises `Refused` if another line has it."""
        other = self._lines.setdefault((field, value), line)
        if other != line:
            text = _("“%(value)s” is already on line %(line)d.")
            raise Refused(
                _column_of(field), text % {"value": value, "line": other}, line
            )

    def is_free(self, field: str, value: str, line: int) -> bool:
        """Return whether no other line has this value."""
        return self._lines.get((field, value), line) == line


class Known:
    """The variants that the rows of a batch may describe."""

    def __init__(
        self, variants: list[Variant], groups: list[Group], seen: SeenKeys
    ) -> None:
        self._seen = seen
        self._by_sku = {variant.sku: variant for variant in variants}
        self._by_slug: dict[str, list[Variant]] = defaultdict(list)
        self._products: dict[int, Product] = {}
        for variant in variants:
            self._by_slug[variant.product.slug].append(variant)
        rows = [row for group in groups for row in group.rows]
        new = [row for row in rows if row.group or self._find(row) is None]
        slugs = {slug for row in new if not row.slug for slug in slugs_for(row)}
        names = {name for row in new if not row.sku for name in sku_names(row)}
        skus = {sku for name in names for sku in skus_for(name)}
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
        if variant and not row.sku and len(self.variants_of(row)) > 1:
            raise Refused("sku", _("The product has several variants. Enter a SKU."))
        return variant

    def by_sku(self, sku: str | None) -> Variant | None:
        """Return the variant with this SKU."""
        return self._by_sku.get(sku) if sku else None

    def product_of(self, before: Variant) -> Product:
        """Return the one copy of its product that the rows of its variants change."""
        return self._products.setdefault(before.product_id, copy(before.product))

    def _find(self, row: Row) -> Variant | None:
        return self.by_sku(row.sku) or next(iter(self.variants_of(row)), None)

    def variants_of(self, row: Row) -> list[Variant]:
        """Return the variants of the product with the row's slug."""
        if row.slug is None:
            return []
        # A slug in the shop may have capitals; handles of files may have others.
        exact = self._by_slug.get(row.handle or "")
        return exact or self._by_slug.get(row.slug, [])

    # --- Names for what is new ----------------------------------------------------

    def free_slug(self, row: Row) -> str:
        """Return a slug for a new product. Raises `Refused`."""
        return row.slug or self._first_free("slug", slugs_for(row), row)

    def free_sku(self, row: Row, name: str) -> str:
        """Return a SKU for a new variant, made of `name` if the row has none.

        Raises `Refused`.
        """
        return row.sku or self._first_free("sku", skus_for(name), row)

    def _first_free(self, field: str, names: Iterable[str], row: Row) -> str:
        """Return the first name that no product and no other row has."""
        for name in names:
            is_taken = name in self._taken[field]
            if not is_taken and self._seen.is_free(field, name, row.line):
                return name
        raise Refused(
            _column_of(field),
            _("Enter one. Those made from the name are already used."),
            row.line,
        )


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


def sku_names(row: Row) -> list[str]:
    """Return the texts of which a SKU for a new variant is made."""
    return [name_with_options(slug, row) for slug in slugs_for(row)]


def name_with_options(slug: str, row: Row) -> str:
    """Return “lamp-red-large” for a variant of the product “lamp”."""
    return "-".join([slug, *filter(None, map(slugify, row.values))])


def skus_for(name: str) -> list[str]:
    """Return SKUs for a new variant that has none, made of `name`."""
    unique = f"{name[: SKU_MAX - 9]}-{digest(name)}"
    return [name, unique] if len(name) <= SKU_MAX else [unique]


def _column_of(field: str) -> str:
    """Return the column that a field comes from."""
    return {"slug": "handle", "variant": "sku"}.get(field, field)
