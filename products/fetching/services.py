"""Fetches pictures of products from the web.

An import asks for pictures by their addresses, and a worker fetches them. A picture
that a product has already, by its address, is not fetched again.
"""

from collections.abc import Collection
from typing import NamedTuple

from django.db import transaction
from django.db.models import Count, F, Q, QuerySet

from products.catalogue import services as catalogue
from products.catalogue import thumbnails
from products.fetching import web
from products.models import PictureFetch, PictureJob, Product, ProductImage
from products.sweeps import services as sweeps
from project.views import absolute

AT_MOST = 50  # pictures in one run of the task


class Wanted(NamedTuple):
    """A picture that a product should have."""

    product_id: int
    url: str
    alt: str = ""
    position: int | None = None  # None: after the others
    line: int | None = None  # of an imported file


class Progress(NamedTuple):
    """How far the downloads of an import are."""

    wanted: int
    fetched: int
    waiting: int
    failed: int

    @property
    def other(self) -> int:
        """How many a later import has asked for again, or staff have deleted."""
        return self.wanted - self.fetched - self.waiting - self.failed


@transaction.atomic
def request(pictures: Collection[Wanted], job: PictureJob | None = None) -> int:
    """Ask a worker to fetch these pictures; return how many are new.

    A picture that its product has gets the new alternative text and position. A request
    that has failed too often is tried again.
    """
    present = _present({picture.product_id for picture in pictures})
    missing: dict[tuple[int, str], PictureFetch] = {}
    for picture in pictures:
        image = present.get((picture.product_id, picture.url))
        if image:
            _adapt(image, picture)
        else:
            fetch = PictureFetch(**picture._asdict(), job=job)
            missing[picture.product_id, picture.url] = fetch
    PictureFetch.objects.bulk_create(
        missing.values(),
        update_conflicts=True,
        unique_fields=["product", "url"],
        update_fields=[
            *("alt", "position", "job", "line"),
            *("problem", "failures", "retry_at"),
        ],
    )
    if job:
        PictureJob.objects.filter(pk=job.pk).update(wanted=F("wanted") + len(missing))
    return len(missing)


def _present(ids: Collection[int]) -> dict[tuple[int, str], ProductImage]:
    """Return the pictures of products, by product and address: where each is, and
    where it was fetched from.
    """
    images = list(ProductImage.objects.filter(product__in=ids))
    present = {(image.product_id, absolute(image.file.url)): image for image in images}
    return present | {(i.product_id, i.source_url): i for i in images if i.source_url}


def _adapt(image: ProductImage, picture: Wanted) -> None:
    """Save another alternative text or position of a picture that is there."""
    changes: dict[str, str | int] = {}
    if picture.alt and picture.alt != image.alt:
        changes["alt"] = picture.alt
    if picture.position is not None and picture.position != image.position:
        changes["position"] = picture.position
    if changes:
        catalogue.save_pictures(image.product, changes={image.pk: changes})


def progress(job: PictureJob) -> Progress:
    """Return how far the downloads of an import are."""
    counts = job.fetches.aggregate(
        waiting=Count("pk", filter=Q(failures=0)),
        failed=Count("pk", filter=Q(failures__gt=0)),
    )
    return Progress(job.wanted, job.fetched, **counts)


def failed(job: PictureJob) -> QuerySet[PictureFetch]:
    """Return the downloads of an import that failed, in the order of their lines."""
    fetches = job.fetches.filter(failures__gt=0).order_by("line", "pk")
    return fetches.select_related("product")


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
        if row.job_id:
            PictureJob.objects.filter(pk=row.job_id).update(fetched=F("fetched") + 1)
    return True
