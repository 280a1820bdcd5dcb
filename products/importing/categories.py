"""Finds categories by their names, and adds new ones."""

from collections.abc import Iterable

from django.utils.text import slugify
from django.utils.translation import gettext as _

from products.importing.cells import digest
from products.importing.problems import Refused
from products.models import Product, ProductCategory

AT_MOST = 100  # new ones; a column with more is hardly one of categories


class Categories:
    """The categories that a file may name."""

    def __init__(self) -> None:
        self._known: dict[str, ProductCategory] = {}
        self._slugs: set[str] = set()
        self._added = 0
        self.look_again()

    def find(self, name: str, new: dict[str, ProductCategory]) -> ProductCategory:
        """Return the category with this name.

        Add it to the `new` ones of the batch if needed. Raises `Refused`.
        """
        key = _key(name)
        known = self._known.get(key) or new.get(key)
        if known is not None:
            return known
        if self._added + len(new) >= AT_MOST:
            text = _("The file would add more than %(limit)d new categories.")
            raise Refused("category", text % {"limit": AT_MOST})
        slugs = self._slugs | {category.slug for category in new.values()}
        slug = slugify(name)
        if not slug or slug in slugs:
            slug = f"{slug or 'category'}-{digest(key)}"
        category = ProductCategory(name=name, slug=slug[-80:].strip("-"))
        return new.setdefault(key, category)

    def learn(self, categories: Iterable[ProductCategory]) -> None:
        """Remember categories, by name and by slug."""
        for category in categories:
            self._known.setdefault(category.slug, category)
            self._known[_key(category.name)] = category
            self._slugs.add(category.slug)

    def look_again(self) -> None:
        """Read the categories again, as somebody may have added some."""
        self.learn(ProductCategory.objects.all())

    def learn_new(self, new: dict[str, ProductCategory]) -> None:
        """Remember the categories that a committed batch has added."""
        self.learn(new.values())
        self._added += len(new)

    def name_of(self, product: Product) -> str:
        """Return the name of a product's category, without a query."""
        if product.category_id is None:  # a new category
            return product.category.name
        names = {c.pk: c.name for c in self._known.values()}
        return names.get(product.category_id, "")


def _key(name: str) -> str:
    return " ".join(name.casefold().split())
