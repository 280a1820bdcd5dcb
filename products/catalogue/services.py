"""Changes of the catalogue that shoppers see at once.

Each says what it touched, so that no page shows it as it was
(`products.pagecache.invalidation`).
"""

from collections.abc import Iterable

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from products.basket import services as basket
from products.models import Product, ProductCategory, Stock
from products.pagecache import caching, invalidation
from products.search import services as search
from products.stock import services as stock

# --- Products ---------------------------------------------------------------------


@transaction.atomic
def save(product: Product, *, actor: AbstractUser | None = None) -> Product:
    """Write a product, and its empty stock if it has none; push what shoppers see.

    A changed price or activity reaches the pages that show the product and the
    baskets that hold it.
    """
    if product.pk is None:
        product.save()
        Stock.objects.create(product=product)
        changed([product.pk])
        return product
    # Without its key: lines and movements, which refer to the product, need not wait.
    before = Product.objects.select_for_update(no_key=True).get(pk=product.pk)
    was = invalidation.places([product.pk])
    if _offer_differs(product, before):
        _save_offer(product, before, actor)
    else:
        product.save()
        Stock.objects.get_or_create(product_id=product.pk)
    changed([product.pk], was)
    return product


@transaction.atomic
def set_active(
    ids: Iterable[int], is_active: bool, *, actor: AbstractUser | None = None
) -> list[Product]:
    """Put products into the shop or take them out; those for which that is news."""
    others = Product.objects.filter(pk__in=ids, is_active=not is_active)
    products = list(others.select_for_update(no_key=True).order_by("pk"))
    for product in products:
        product.is_active = is_active
        save(product, actor=actor)
    return products


def changed(ids: Iterable[int], was: Iterable[invalidation.Place] = ()) -> None:
    """These products are other than they were: no page shows them so after the commit.

    `was` says where they were found before, if that has changed too. For code that
    writes many at once; call it in the same transaction, once.
    """
    ids = list(ids)
    invalidation.products_changed([*was, *invalidation.places(ids)])
    search.learn_later(ids)


def everything_changed() -> None:
    """No page shows anything as it was, after the commit: for what moved many products
    from shelf to shelf."""
    invalidation.everything_changed()
    search.learn_later()


@transaction.atomic
def delete(products: Iterable[Product]) -> None:
    """Delete products that never moved. Raises Django's `ProtectedError` for others."""
    products = list(products)
    was = invalidation.places(product.pk for product in products)
    for product in products:
        product.delete()
    changed([], was)


def _save_offer(product: Product, before: Product, actor: AbstractUser | None) -> None:
    # A new slug locks the key too, so all that others hold while they want it comes
    # first: baskets, then stock.
    told = basket.prices_changed([product.pk])
    Stock.objects.select_for_update().get_or_create(product_id=product.pk)
    product.save()
    stock.offer_changed(product.pk, note=offer_note(before, product), actor=actor)

    def tell_latecomers() -> None:
        # Who put it in before the commit pushed a basket with the price of then.
        basket.prices_changed([product.pk], except_for=told)

    transaction.on_commit(tell_latecomers)


def _offer_differs(one: Product, other: Product) -> bool:
    return (one.price, one.is_active) != (other.price, other.is_active)


def offer_note(before: Product, after: Product) -> str:
    """What a movement of kind “offer” says of a changed price or activity."""
    changes = []
    if before.price != after.price:
        changes.append(f"{before.price} → {after.price}")
    if before.is_active != after.is_active:
        changes.append("active" if after.is_active else "inactive")
    return ", ".join(changes)


# --- Categories -------------------------------------------------------------------

COLUMNS = ["id", "name", "slug", "description", "position"]


def categories() -> list[ProductCategory]:
    """All of them, in order, from the cache: every page shows them."""
    rows = ProductCategory.objects.values(*COLUMNS)
    kept = caching.cached("categories", caching.SHELVES, lambda: list(rows))
    return [ProductCategory(**row) for row in kept]


@transaction.atomic
def save_category(
    category: ProductCategory, *, fields: Iterable[str] | None = None
) -> ProductCategory:
    """Write a category, which every page shows; no more than `fields` if they are
    given."""
    category.save(update_fields=fields)
    invalidation.everything_changed()
    return category


@transaction.atomic
def delete_categories(categories: Iterable[ProductCategory]) -> None:
    """Delete empty categories. Raises Django's `ProtectedError` for others."""
    for category in categories:
        category.delete()
    invalidation.everything_changed()
