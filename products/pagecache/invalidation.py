"""Invalidation: which cached pages a change of the catalogue makes out of date.

Services report each change. On commit a task touches the generations of the pages that
show it (see `products.pagecache.caching`). If the task is lost, because the broker is
down, pages are out of date until they expire.
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

MANY = 500  # products; a larger change invalidates everything


class Place(NamedTuple):
    """What says which pages show a product."""

    pk: int
    slug: str
    category: str


def places(ids: Iterable[int]) -> list[Place]:
    """Return the places of these products now, at most `MANY` + 1."""
    products = Product.objects.filter(pk__in=list(ids)).order_by("pk")
    rows = products.values_list("pk", "slug", "category__slug")
    return [Place(*row) for row in rows[: MANY + 1]]


def products_changed(touched: Iterable[Place]) -> None:
    """On commit, invalidate the pages that show these products. Pass their places both
    before and after the change."""
    touched = sorted(set(touched))
    if len(touched) > MANY:
        everything_changed()
    elif touched:
        transaction.on_commit(lambda: later(drop_products, touched), robust=True)


def everything_changed() -> None:
    """On commit, invalidate all pages: categories have changed, which every page shows,
    or much of the catalogue."""
    transaction.on_commit(lambda: later(drop_everything), robust=True)


@shared_task
def drop_products(touched: list[list]) -> None:
    """Touch the generations of the pages that show products at these places."""
    caching.touch(shown_on([Place(*each) for each in touched]))


@shared_task
def drop_everything() -> None:
    """Touch the generations that every page depends on."""
    caching.touch([caching.SHELVES, caching.CATALOGUE])


def shown_on(touched: Iterable[Place]) -> set[str]:
    """Return the generations of the pages that show products at these places."""
    touched = list(touched)
    names = {caching.CATALOGUE}
    names |= {caching.category(place.category) for place in touched}
    names |= {caching.product(place.slug) for place in touched}
    for slug in {place.category for place in touched}:
        names |= _neighbours(slug, [p.pk for p in touched if p.category == slug])
    return names


def _neighbours(category: str, ids: list[int]) -> set[str]:
    """Return the generations of all product pages of a category, if one of these
    products is among its newest or was deleted: each page shows the newest."""
    shelf = Product.objects.filter(category__slug=category)
    # A page leaves out its own product, so it may show the next one.
    shown = settings.RELATED_PRODUCTS + 1
    newest = shelf.active().order_by("-created_at", "-pk")
    rows = list(newest.values_list("created_at", "pk")[:shown])
    if len(rows) == shown and not _is_any_newer(ids, *rows[-1]):
        return set()
    return {caching.product(slug) for slug in shelf.values_list("slug", flat=True)}


def _is_any_newer(ids: list[int], created_at: datetime, pk: int) -> bool:
    """Return whether one of these products is at least as new. Deleted products may
    have been."""
    products = Product.objects.filter(pk__in=ids)
    older = Q(created_at__lt=created_at) | Q(created_at=created_at, pk__lt=pk)
    return products.filter(older).count() < len(set(ids))
