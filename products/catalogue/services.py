"""Changes to products and categories.

Each pushes its change to open pages and invalidates the cached pages that show it
(`products.pagecache.invalidation`).
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from products.basket import renewals
from products.catalogue import galleries, options, thumbnails
from products.models import Product, ProductCategory, ProductImage, Stock, Variant
from products.pagecache import caching, invalidation
from products.pricing import sales
from products.search import services as search
from products.stock import services as stock
from products.variants.models import ORDER, summarise

# --- Products ---------------------------------------------------------------------


@transaction.atomic
def save(
    product: Product,
    *,
    variants: Iterable[Variant] = (),
    moved: Iterable[int] = (),
    actor: AbstractUser | None = None,
) -> Product:
    """Save a product and these variants of it; create their empty stock if needed.

    A new product needs a variant at least. Its other variants stay as they are. Set
    `base_price`: the price in force follows from it and the sales that run. A
    change of a price or of "active" is pushed to the pages that show the variant and to
    the baskets that contain it. Name the variants in `moved` whose stock the caller
    moves afterwards in the same transaction, so that rows are locked in order.

    Raises `WrongOptions` if the variants and the product's options don't fit together.
    """
    if product.pk is None:
        return _create(product, list(variants))
    variants = list(variants)
    # no_key: other transactions may still write rows that refer to the product. Code
    # that changes a variant locks its product first.
    before = Product.objects.select_for_update(no_key=True).get(pk=product.pk)
    places_before = invalidation.places([product.pk])
    variants_before = {variant.pk: variant for variant in before.variants.all()}
    now = _variants_now(product, variants_before, variants)
    options.check(product, now)
    sales.set_prices(now, variants_before)
    summarise(product, now)
    notes = {
        variant.pk: offer_note(variants_before[variant.pk], variant)
        for variant in now
        if variant.pk in variants_before
    }
    notes = {pk: note for pk, note in notes.items() if note}
    with _offers_changed(notes, moved, actor):
        product.save()
        for variant in now:
            if variant in variants or variant.pk in notes:
                variant.save()
        _create_missing_stock(now)
    settle_pictures(product)
    changed([product.pk], places_before)
    return product


def _create(product: Product, variants: list[Variant]) -> Product:
    """Save a new product with its variants and their empty stock."""
    if not variants:
        raise ValueError("a product needs a variant")
    for variant in variants:
        variant.product = product
    options.check(product, variants)
    sales.set_prices(variants, {})
    summarise(product, variants)
    product.save()
    for variant in variants:
        variant.product = product  # copies its key
        variant.save()
    _create_missing_stock(variants)
    changed([product.pk])
    return product


def _variants_now(
    product: Product, before: Mapping[int, Variant], changed: Iterable[Variant]
) -> list[Variant]:
    """Return all variants of a product as they will be."""
    now = {pk: copy(variant) for pk, variant in before.items()}
    now |= {variant.pk: variant for variant in changed if variant.pk}
    variants = [*now.values(), *(variant for variant in changed if not variant.pk)]
    for variant in variants:
        variant.product = product
    return variants


def _create_missing_stock(variants: Iterable[Variant]) -> None:
    stocks = [Stock(variant_id=variant.pk) for variant in variants]
    Stock.objects.bulk_create(stocks, ignore_conflicts=True)


@transaction.atomic
def save_pictures(
    product: Product,
    *,
    new: Iterable[ProductImage] = (),
    changes: Mapping[int, Mapping[str, str | int | None]] | None = None,
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
    settle_pictures(product)
    changed([product.pk])


def settle_all_pictures(ids: Iterable[int]) -> None:
    """Set `picture` of all variants of locked products with pictures of variants."""
    pictured = ProductImage.objects.filter(product__in=set(ids)).exclude(variant=None)
    for product in Product.objects.filter(pk__in=pictured.values("product")):
        settle_pictures(product)


def settle_pictures(product: Product) -> None:
    """Set `picture` of each variant of a locked product.

    Code that changes pictures or option values calls this in the same transaction.
    """
    pictures = list(product.pictures.all())
    variants = list(product.variants.order_by(*ORDER))
    values = [galleries.Values(each.pk, each.option_values) for each in variants]
    names = product.option_names if any(p.variant_id for p in pictures) else []
    for variant in variants:
        shown = galleries.shown(variant.pk, names, values, pictures) if names else []
        name = shown[0].file.name or "" if shown else ""
        if variant.picture != name:
            product.variants.filter(pk=variant.pk).update(picture=name)


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


def summarise_all(ids: Iterable[int]) -> None:
    """Write the lowest prices and SKUs of locked products whose variants changed."""
    products = list(Product.objects.filter(pk__in=ids).prefetch_related("variants"))
    for product in products:
        summarise(product, product.variants.all())
    Product.objects.bulk_update(products, ["lowest_price", "skus"])


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


@contextmanager
def _offers_changed(
    notes: Mapping[int, str], moved: Iterable[int], actor: AbstractUser | None
) -> Iterator[None]:
    """Log and push new offers of variants (variant id → note) after the block.

    The block saves them. The stock of `moved` is locked too.
    """
    if not notes:
        yield
        return
    # A new slug locks the product's key. Others wait for it while they hold baskets or
    # stock, so lock those first.
    pushed = renewals.prices_changed(notes.keys())
    ids = {*notes, *moved}
    list(Stock.objects.select_for_update().filter(pk__in=ids).order_by("pk"))
    yield
    for variant_id, note in sorted(notes.items()):
        stock.offer_changed(variant_id, note=note, actor=actor)
    renewals.prices_changed_on_commit(notes.keys(), except_for=pushed)


def offer_note(before: Variant, after: Variant) -> str:
    """Return the note of a movement of the kind “offer”: what changed, old to new.

    It is empty if nothing changed.
    """
    changes = []
    if before.price != after.price:
        changes.append(f"{before.price} → {after.price}")
    elif before.prices != after.prices:
        changes.append("same price, other reduction")
    if before.is_for_sale != after.is_for_sale:
        changes.append("active" if after.is_for_sale else "inactive")
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
