"""Fetches pictures of products from the web.

An import asks for pictures by their addresses, and a worker fetches them. A picture
that a product has already, by its address, is not fetched again.
"""

from collections.abc import Collection
from typing import NamedTuple

from django.db import transaction

from products.catalogue import services as catalogue
from products.catalogue import thumbnails
from products.fetching import web
from products.fetching.models import PictureFetch
from products.models import Product, ProductImage
from products.sweeps import services as sweeps

AT_MOST = 50  # pictures in one run of the task


class Wanted(NamedTuple):
    """A picture that a product should have."""

    product_id: int
    url: str
    alt: str = ""
    position: int | None = None  # None: after the others


@transaction.atomic
def request(pictures: Collection[Wanted]) -> int:
    """Ask a worker to fetch these pictures; return how many are new.

    A request that has failed too often is tried again.
    """
    ids = {picture.product_id for picture in pictures}
    rows = ProductImage.objects.filter(product__in=ids).exclude(source_url="")
    present = set(rows.values_list("product_id", "source_url"))
    missing = [
        PictureFetch(**picture._asdict())
        for picture in pictures
        if (picture.product_id, picture.url) not in present
    ]
    PictureFetch.objects.bulk_create(
        {(row.product_id, row.url): row for row in missing}.values(),
        update_conflicts=True,
        unique_fields=["product", "url"],
        update_fields=["alt", "position", "problem", "failures", "retry_at"],
    )
    return len(missing)


def retry(fetches: Collection[int]) -> int:
    """Let the worker try these fetches again at once; return how many."""
    rows = PictureFetch.objects.filter(pk__in=fetches)
    return rows.update(problem="", failures=0, retry_at=None)


def fetch_due() -> int:
    """Fetch pictures whose turn it is; return how many products got one."""
    rows = PictureFetch.objects.open().filter(sweeps.is_due()).order_by("pk")
    return sweeps.each(rows[:AT_MOST], _fetch)


def _fetch(fetch: PictureFetch) -> bool:
    """Fetch one picture; return False if another worker was faster.

    Raises `FetchFailed`, or `PictureRefused` if it cannot be decoded.
    """
    name = thumbnails.give(web.download(fetch.url), Product())
    with transaction.atomic():
        row = PictureFetch.objects.select_for_update().filter(pk=fetch.pk).first()
        if row is None:
            return False
        image = ProductImage(
            file=name,
            alt=row.alt,
            position=row.position,  # type: ignore[misc]  # None: after the others
            source_url=row.url,
        )
        catalogue.save_pictures(row.product, new=[image])
        row.delete()
    return True
