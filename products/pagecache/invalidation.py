"""A change of the catalogue, and what it makes out of date.

The services say after each change what was touched. A worker hears of it on commit and
touches just those generations (see `products.pagecache.caching`). It is a hint: what is
lost with a broker that is away, the maximum age makes good.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from products.models import Product
from products.pagecache import caching
from project.celery import later

MANY = 500  # products; of more than that everything is dropped


class Place(NamedTuple):
    """Where a product is found: what pages show it."""

    pk: int
    slug: str
    category: str


def places(ids: Iterable[int]) -> list[Place]:
    """Where these products are found now, at most one more than `MANY` of them."""
    rows = Product.objects.filter(pk__in=list(ids)).order_by("pk")
    found = rows.values_list("pk", "slug", "category__slug")
    return [Place(*row) for row in found[: MANY + 1]]


def products_changed(touched: Iterable[Place]) -> None:
    """On commit, drop what shows these products: say where they were before the change
    and where they are after it."""
    touched = sorted(set(touched))
    if len(touched) > MANY:
        everything_changed()
    elif touched:
        transaction.on_commit(lambda: later(drop_products, touched), robust=True)


def everything_changed() -> None:
    """On commit, drop all: the categories have changed, which every page shows, or a
    good part of the catalogue."""
    transaction.on_commit(lambda: later(drop_everything), robust=True)


@shared_task
def drop_products(touched: list[list]) -> None:
    """Touch the generations of what shows these products."""
    caching.touch(shown_on([Place(*each) for each in touched]))


@shared_task
def drop_everything() -> None:
    """Touch the generations that all pages have."""
    caching.touch([caching.SHELVES, caching.CATALOGUE])


def shown_on(touched: Iterable[Place]) -> set[str]:
    """The generations of the pages that show, or have shown, these products."""
    touched = list(touched)
    names = {caching.CATALOGUE}
    names |= {caching.category(place.category) for place in touched}
    names |= {caching.product(place.slug) for place in touched}
    for slug in {place.category for place in touched}:
        names |= _neighbours(slug, [p.pk for p in touched if p.category == slug])
    return names


def _neighbours(category: str, ids: list[int]) -> set[str]:
    """The pages of the category, if one of these products is or was among its newest:
    each of them shows those."""
    shelf = Product.objects.filter(category__slug=category)
    # A page leaves its own product out, so it may show one more.
    shown = settings.RELATED_PRODUCTS + 1
    newest = shelf.active().order_by("-created_at", "-pk")
    found = list(newest.values_list("created_at", "pk")[:shown])
    if len(found) == shown and not _is_any_newer(ids, *found[-1]):
        return set()
    return {caching.product(slug) for slug in shelf.values_list("slug", flat=True)}


def _is_any_newer(ids: list[int], created_at: datetime, pk: int) -> bool:
    """Whether one of these is at least as new; what is deleted may have been."""
    rows = Product.objects.filter(pk__in=ids)
    older = Q(created_at__lt=created_at) | Q(created_at=created_at, pk__lt=pk)
    return rows.filter(older).count() < len(set(ids))
