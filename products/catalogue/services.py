"""Changes to products and categories.

Each pushes its change to open pages and invalidates the cached pages that show it
(`products.pagecache.invalidation`).
"""

from collections.abc import Iterable, Mapping

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from products.basket import services as basket
from products.catalogue import thumbnails
from products.models import Product, ProductCategory, ProductImage, Stock
from products.pagecache import caching, invalidation
from products.search import services as search
from products.stock import services as stock

# --- Products ---------------------------------------------------------------------


@transaction.atomic
def save(product: Product, *, actor: AbstractUser | None = None) -> Product:
    """Save a product, and create its empty stock if it has none.

    A change of the price or of "active" is pushed to the pages that show the product
    and to the baskets that contain it.
    """
    if product.pk is None:
        product.save()
        Stock.objects.create(product=product)
        changed([product.pk])
        return product
    # no_key: other transactions may still write rows that refer to the product.
    before = Product.objects.select_for_update(no_key=True).get(pk=product.pk)
    places_before = invalidation.places([product.pk])
    if _offer_differs(product, before):
        _save_offer(product, before, actor)
    else:
        product.save()
        Stock.objects.get_or_create(product_id=product.pk)
    changed([product.pk], places_before)
    return product


@transaction.atomic
def save_pictures(
    product: Product,
    *,
    new: Iterable[ProductImage] = (),
    changes: Mapping[int, Mapping[str, str | int]] | None = None,
    deleted: Iterable[int] = (),
) -> None:
    """Add, change and delete pictures of a product, and keep its `image` the first.

    `changes` has the new values of fields by the key of their picture; other fields
    stay as they are, also if somebody else has changed them. `deleted` are keys. New
    pictures without a position come last.
    """
    Product.objects.select_for_update(no_key=True).get(pk=product.pk)
    for key, values in (changes or {}).items():
        product.pictures.filter(pk=key).update(**values)
    product.pictures.filter(pk__in=list(deleted)).delete()
    last = max(product.pictures.values_list("position", flat=True), default=0)
    for picture in new:
        picture.product = product
        if picture.position is None:
            last += 1
            picture.position = last
        picture.save()
        thumbnails.settle(picture.file)
    product.set_first_picture()
    changed([product.pk])


@transaction.atomic
def set_active(
    ids: Iterable[int], is_active: bool, *, actor: AbstractUser | None = None
) -> list[Product]:
    """Activate or deactivate products; return those that changed."""
    others = Product.objects.filter(pk__in=ids, is_active=not is_active)
    products = list(others.select_for_update(no_key=True).order_by("pk"))
    for product in products:
        product.is_active = is_active
        save(product, actor=actor)
    return products


def changed(
    ids: Iterable[int], places_before: Iterable[invalidation.Place] = ()
) -> None:
    """Invalidate cached pages of changed products on commit, and learn their words.

    `places_before` are the pages that listed them before, if these may have changed.
    Code that writes many products itself calls this once, in the same transaction.
    """
    ids = list(ids)
    invalidation.products_changed([*places_before, *invalidation.places(ids)])
    search.learn_later(ids)


def everything_changed() -> None:
    """Invalidate all cached pages on commit, and learn all words again.

    For changes that move many products between categories.
    """
    invalidation.everything_changed()
    search.learn_later()


@transaction.atomic
def delete(products: Iterable[Product]) -> None:
    """Delete products without movements. Raises `ProtectedError` for others."""
    products = list(products)
    places_before = invalidation.places(product.pk for product in products)
    for product in products:
        product.delete()
    changed([], places_before)


def _save_offer(product: Product, before: Product, actor: AbstractUser | None) -> None:
    # A new slug locks the product's key. Others wait for it while they hold baskets or
    # stock, so lock those first.
    pushed = basket.prices_changed([product.pk])
    Stock.objects.select_for_update().get_or_create(product_id=product.pk)
    product.save()
    stock.offer_changed(product.pk, note=offer_note(before, product), actor=actor)

    def push_other_baskets() -> None:
        # A basket that got the product before our commit was pushed with the old price.
        basket.prices_changed([product.pk], except_for=pushed)

    transaction.on_commit(push_other_baskets)


def _offer_differs(after: Product, before: Product) -> bool:
    return (after.price, after.is_active) != (before.price, before.is_active)


def offer_note(before: Product, after: Product) -> str:
    """Return the note of a movement of the kind “offer”: what changed, old to new."""
    changes = []
    if before.price != after.price:
        changes.append(f"{before.price} → {after.price}")
    if before.is_active != after.is_active:
        changes.append("active" if after.is_active else "inactive")
    return ", ".join(changes)


# --- Categories -------------------------------------------------------------------

COLUMNS = ["id", "name", "slug", "description", "position"]


def categories() -> list[ProductCategory]:
    """Return all categories in order, from the cache, as every page shows them."""
    queryset = ProductCategory.objects.values(*COLUMNS)
    rows = caching.cached("categories", caching.SHELVES, lambda: list(queryset))
    return [ProductCategory(**row) for row in rows]


@transaction.atomic
def save_category(
    category: ProductCategory, *, fields: Iterable[str] | None = None
) -> ProductCategory:
    """Save a category, or only some `fields` of it, and invalidate all pages."""
    category.save(update_fields=fields)
    invalidation.everything_changed()
    return category


@transaction.atomic
def delete_categories(categories: Iterable[ProductCategory]) -> None:
    """Delete empty categories. Raises Django's `ProtectedError` for others."""
    for category in categories:
        category.delete()
    invalidation.everything_changed()
