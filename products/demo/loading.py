"""Loads the demo shop.

Each step adds what is missing and changes nothing else, so it can be interrupted and
run again.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import chain, islice
from pathlib import Path, PurePosixPath

from allauth.account.models import EmailAddress
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser, Permission
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.fields.files import ImageFieldFile
from django.utils import timezone

from products.catalogue import thumbnails
from products.demo import rows
from products.demo.catalogue import Item, Shelf
from products.drops import services as drops
from products.models import (
    Discount,
    Drop,
    Product,
    ProductCategory,
    ProductImage,
    Sale,
    Stock,
    StockMovement,
    Variant,
)
from products.orders import preorders
from products.pricing import clock, discount_flips, flips
from products.search import services as search

BATCH = 2000
PICTURES = Path(__file__).parent / "pictures"  # as WebP, with the SVG it is made of
ON_SALE = ("TW-TB-103", "TW-TB-106", "TW-GL-201", "TW-GL-204")
SALE_TIME = timedelta(days=14)
DROPPED = "TW-DE-708"
DROP_TIME = timedelta(hours=1)  # until it starts
CODE = "WELCOME10"
REDUCED_SHELF = "bath"
PREORDER, PREORDER_TIME = "TW-KI-307", timedelta(days=21)
# What staff may add and change.
MODELS_OF_STAFF = (
    *("discount", "drop", "picturefetch", "product", "productcategory"),
    *("sale", "stock", "vatnumber"),
)
ACCOUNTS = ("shopper", "staff", "admin")

# Wraps an iterable to show its progress: (iterable, total, label) → iterable.
Progress = Callable[[Iterable, int, str], Iterable]


def silent(iterable: Iterable, total: int, label: str) -> Iterable:
    """A `Progress` that shows nothing."""
    return iterable


def email_of(username: str) -> str:
    """Return the email address of a demo account, at a domain without mail."""
    return f"{username}@example.com"


def password_of(username: str) -> str:
    """Return the password of a demo account, which `make run` prints."""
    return f"{username}-demo-pass"


# --- Pictures ---------------------------------------------------------------------


def load_pictures(items: Iterable[Item], progress: Progress = silent) -> int:
    """Store the missing pictures of items and make their missing thumbnails.

    Return how many pictures were stored.
    """
    names = sorted({each.name for item in items for each in rows.pictures_of(item)})
    files = thumbnails.files_below(thumbnails.FOLDER)
    present = {name for name, _stored_at in files}
    new = [name for name in names if name not in present]
    for name in progress(new, len(new), "Pictures"):
        _copy_picture(name)
    drawn = {name for _picture, name, _stored_at in thumbnails.stored()}
    missing = [
        name for name in names if not drawn.issuperset(thumbnails.names_of(name))
    ]
    # A process of its own draws each of them.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(_make_thumbnails, missing)
        list(progress(results, len(missing), "Thumbnails"))
    return len(new)


def _copy_picture(name: str) -> None:
    with open(PICTURES / PurePosixPath(name).name, "rb") as file:
        default_storage.save(name, File(file))


def _make_thumbnails(name: str) -> None:
    thumbnails.make(_picture(name), in_line=False)


def _picture(name: str) -> ImageFieldFile:
    return Product(image=name).image


# --- Catalogue --------------------------------------------------------------------


def load_catalogue(count: int | None = None, progress: Progress = silent) -> int:
    """Add the missing products; return how many.

    With a `count` above the size of the catalogue, the demo has `count` products.
    """
    more = max(0, (count or 0) - rows.CATALOGUE_SIZE)
    present = set(Variant.objects.values_list("sku", flat=True))
    missing = [
        (number, shelf, item)
        for number, (shelf, item) in enumerate([*rows.items(), *rows.more_items(more)])
        if present.isdisjoint([item.sku, *(sold.sku for sold in item.sold)])
    ]
    shelves = _load_categories()
    for batch in _batches(progress(missing, len(missing), "Products")):
        _add(batch, shelves)
    if missing:
        search.relearn()
    return len(missing)


def _load_categories() -> dict[str, ProductCategory]:
    ProductCategory.objects.bulk_create(rows.categories(), ignore_conflicts=True)
    return {category.slug: category for category in ProductCategory.objects.all()}


def _batches(iterable: Iterable) -> Iterator[list]:
    iterator = iter(iterable)
    while batch := list(islice(iterator, BATCH)):
        yield batch


@transaction.atomic
def _add(
    batch: list[tuple[int, Shelf, Item]], shelves: dict[str, ProductCategory]
) -> None:
    """Add a batch of products with their stock and its first movement."""
    products = [
        rows.product(item, shelves[shelf.slug], number) for number, shelf, item in batch
    ]
    Product.objects.bulk_create(products)
    items = [item for _, _, item in batch]
    by_product = list(map(rows.variants, items, products))
    variants = list(chain.from_iterable(by_product))
    Variant.objects.bulk_create(variants)
    images = map(rows.images, products, items, by_product)
    ProductImage.objects.bulk_create(chain.from_iterable(images))
    units = [sold.stock for item in items for sold in item.sold]
    Stock.objects.bulk_create(map(rows.stock, variants, units))
    StockMovement.objects.bulk_create(filter(None, map(rows.movement, variants, units)))


# --- Sales ------------------------------------------------------------------------


def load_sale() -> int:
    """Begin a sale of some products if none is running; return how many sales began."""
    now = clock.now()
    if Sale.objects.running(now).exists():
        return 0
    ends_at = now.replace(microsecond=0) + SALE_TIME
    sale = Sale(name="Demo", percent=20, starts_at=now, ends_at=ends_at)
    flips.save_sale(sale)
    sale.products.set(Product.objects.filter(variants__sku__in=ON_SALE))
    flips.settle(sale)
    return 1


def load_code() -> int:
    """Add the code `WELCOME10` if it is not there; return how many codes were added."""
    if Discount.objects.filter(code=CODE).exists():
        return 0
    discount_flips.save_discount(
        Discount(
            name="Demo",
            code=CODE,
            percent=10,
            minimum=25,
            uses_limit=1000,
            uses_each=1,
            starts_at=clock.now(),
        )
    )
    return 1


def load_line_discount() -> int:
    """Take 2.00 off each product for the bath if no discount is on lines; return how
    many discounts were added."""
    shelf = ProductCategory.objects.filter(slug=REDUCED_SHELF).first()
    if shelf is None or Discount.objects.filter(is_on_lines=True).exists():
        return 0
    with transaction.atomic():
        discount = discount_flips.save_discount(
            Discount(
                name="Bath week", amount=2, is_on_lines=True, starts_at=clock.now()
            )
        )
        discount.categories.set([shelf])
    return 1


def load_preorder() -> int:
    """Let a product be ordered before it is here, if its stock was never moved."""
    row = Stock.objects.filter(variant__sku=PREORDER, version=0).first()
    if row is None:
        return 0
    preorders.offer(row.pk, 20, timezone.localdate() + PREORDER_TIME)
    return 1


# --- Drops ------------------------------------------------------------------------


def load_drop() -> int:
    """Plan a drop, if the shop has none; return how many drops were planned."""
    product = Product.objects.filter(variants__sku=DROPPED).first()
    if product is None or Drop.objects.exists():
        return 0
    starts_at = (clock.now() + DROP_TIME).replace(second=0, microsecond=0)
    drop = Drop(name=f"{product.name}, first edition", slug="first-edition")
    drop.product, drop.starts_at = product, starts_at
    drops.close_gate(drops.save(drop))
    return 1


# --- Accounts ---------------------------------------------------------------------


@transaction.atomic
def load_accounts() -> list[str]:
    """Add the missing accounts; return their names.

    The email addresses of all demo accounts are verified, also of those that exist.
    """
    added = [name for name in ACCOUNTS if _load_account(name)]
    emails = [email_of(name) for name in ACCOUNTS]
    people = get_user_model().objects.filter(username__in=ACCOUNTS, email__in=emails)
    for user in people:
        _verify(user)
        if user.username == "staff":  # it may be older than these permissions
            user.user_permissions.add(*order_permissions())
    return added


def _load_account(username: str) -> bool:
    users = get_user_model().objects
    if users.filter(username=username).exists():
        return False
    user = users.create_user(
        username,
        email_of(username),
        password_of(username),
        is_staff=username in ("staff", "admin"),
        is_superuser=username == "admin",
    )
    if username == "staff":
        user.user_permissions.set(staff_permissions())
    return True


def _verify(user: AbstractUser) -> None:
    """Verify the user's address, unless another account has verified it."""
    address, _is_new = EmailAddress.objects.get_or_create(user=user, email=user.email)
    if address.set_verified() and not address.primary:
        address.set_as_primary()


def staff_permissions() -> Iterable[Permission]:
    """Return the permissions of the shop's staff.

    They may view the shop's data, people and mails (without their text), change
    products and stock, and handle orders.
    """
    of_the_shop = Permission.objects.filter(content_type__app_label="products")
    may_view = of_the_shop.filter(codename__startswith="view_")
    may_view |= Permission.objects.filter(
        content_type__app_label__in=["account", "post_office", "users"],
        codename__in=[
            f"view_{model}"
            for model in ("user", "emailaddress", "emailconfirmation", "email")
        ],
    )
    may_change = of_the_shop.filter(
        codename__in=[
            f"{verb}_{model}" for verb in ("add", "change") for model in MODELS_OF_STAFF
        ]
    )
    return may_view | may_change | order_permissions()


def order_permissions() -> QuerySet[Permission]:
    """Return the permissions for the board of orders."""
    return Permission.objects.filter(
        content_type__app_label="products",
        codename__in=["view_order", "change_order"],
    )
