"""Load the demo shop. Each step can be cut off and done again: it adds what is
missing and leaves alone what people have changed."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path, PurePosixPath

from allauth.account.models import EmailAddress
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Model, QuerySet
from django.db.models.fields.files import ImageFieldFile

from products.catalogue import thumbnails
from products.demo import rows
from products.demo.catalogue import Item, Shelf
from products.models import Product, ProductCategory, Stock, StockMovement
from products.search import services as search

BATCH = 2000
PICTURES = Path(__file__).parent / "pictures"  # each as WebP, and the SVG behind it
ACCOUNTS = ("shopper", "staff", "admin")

# Wraps an iterable of so many to show how far it is: (iterable, total, what).
Progress = Callable[[Iterable, int, str], Iterable]


def silent(iterable: Iterable, total: int, what: str) -> Iterable:
    """A `Progress` that shows nothing."""
    return iterable


def email_of(username: str) -> str:
    """The e-mail address of a demo account, at a domain that gets no mail."""
    return f"{username}@example.com"


def password_of(username: str) -> str:
    """The password of a demo account, printed by `make run`."""
    return f"{username}-demo-pass"


# --- Pictures ---------------------------------------------------------------------


def load_pictures(items: Iterable[Item], progress: Progress = silent) -> int:
    """Copy each item's picture to the media storage and make its thumbnails, where
    they are missing. Returns how many pictures were copied."""
    names = sorted({rows.picture_of(item) for item in items})
    there = {name for name, _at in default_storage.files_below(thumbnails.FOLDER)}
    new = [name for name in names if name not in there]
    for name in progress(new, len(new), "Pictures"):
        _copy_picture(name)
    made = {name for _picture, name, _at in thumbnails.stored()}
    missing = [n for n in names if not made.issuperset(thumbnails.names_of(n))]
    # Each is drawn by a process of its own.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        drawn = pool.map(_make_thumbnails, missing)
        list(progress(drawn, len(missing), "Thumbnails"))
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
    """Add the catalogue's products that are missing, and made-up ones until the demo
    has `count` (never fewer than the catalogue); how many were added."""
    more = max(0, (count or 0) - rows.CATALOGUE_SIZE)
    wanted = [*rows.items(), *rows.more_items(more)]
    present = set(Product.objects.values_list("sku", flat=True))
    numbered = enumerate(wanted)
    missing = [(n, s, item) for n, (s, item) in numbered if item.sku not in present]
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
    """Products with their stock and its first movement, all or none of the batch."""
    products = [
        rows.product(item, shelves[shelf.slug], number) for number, shelf, item in batch
    ]
    Product.objects.bulk_create(products)
    units = [item.stock for _, _, item in batch]
    Stock.objects.bulk_create(map(rows.stock, products, units))
    StockMovement.objects.bulk_create(filter(None, map(rows.movement, products, units)))


# --- Accounts ---------------------------------------------------------------------


@transaction.atomic
def load_accounts() -> list[str]:
    """Add a shopper, a staff member and an administrator where they are missing; their
    e-mail addresses are verified, those of earlier days too."""
    added = [name for name in ACCOUNTS if _load_account(name)]
    emails = [email_of(name) for name in ACCOUNTS]
    people = get_user_model().objects.filter(username__in=ACCOUNTS, email__in=emails)
    for user in people:
        _verify(user)
        if user.username == "staff":  # from before there were orders
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


def _verify(user: Model) -> None:
    """By allauth's rules: if anyone else has verified the address, it stays theirs."""
    address, _ = EmailAddress.objects.get_or_create(user=user, email=user.email)
    if address.set_verified() and not address.primary:
        address.set_as_primary()


def staff_permissions() -> Iterable[Permission]:
    """What a shop's staff may do: see everything of the shop, and its people and mails
    (not what the mails say), change what is sold, and pack what was ordered."""
    of_the_shop = Permission.objects.filter(content_type__app_label="products")
    may_see = of_the_shop.filter(codename__startswith="view_")
    may_see |= Permission.objects.filter(
        content_type__app_label__in=["account", "post_office", "users"],
        codename__in=[
            f"view_{model}"
            for model in ("user", "emailaddress", "emailconfirmation", "email")
        ],
    )
    may_change = of_the_shop.filter(
        codename__in=[
            f"{verb}_{model}"
            for verb in ("add", "change")
            for model in ("product", "productcategory", "stock")
        ]
    )
    return may_see | may_change | order_permissions()


def order_permissions() -> QuerySet[Permission]:
    """What it takes to work at the board."""
    return Permission.objects.filter(
        content_type__app_label="products",
        codename__in=["view_order", "change_order"],
    )
