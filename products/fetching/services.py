"""Fetches pictures of products from the web.

An import asks for pictures by their addresses, and a worker fetches them. A picture
that a product has already, by its address, is not fetched again.
"""

from collections import defaultdict
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
    variants: tuple[int, ...] = ()  # that show it first


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
        images = present.get((picture.product_id, picture.url))
        if images:
            _adapt(images, picture)
        else:
            missing[picture.product_id, picture.url] = _fetch_of(picture, job)
    PictureFetch.objects.bulk_create(
        missing.values(),
        update_conflicts=True,
        unique_fields=["product", "url"],
        update_fields=[
            *("alt", "position", "variant", "job", "line"),
            *("problem", "failures", "retry_at"),
        ],
    )
    if job:
        PictureJob.objects.filter(pk=job.pk).update(wanted=F("wanted") + len(missing))
    return len(missing)


def _fetch_of(picture: Wanted, job: PictureJob | None) -> PictureFetch:
    """Return an unsaved request. A picture belongs to the first of its variants."""
    return PictureFetch(
        product_id=picture.product_id,
        url=picture.url,
        alt=picture.alt,
        position=picture.position,
        line=picture.line,
        variant_id=next(iter(picture.variants), None),
        job=job,
    )


def _present(ids: Collection[int]) -> dict[tuple[int, str], list[ProductImage]]:
    """Return the pictures of products, by product and address.

    The address is where a picture is, or where it was fetched from.
    """
    present = defaultdict(list)
    for image in ProductImage.objects.filter(product__in=ids).order_by("pk"):
        for url in {absolute(image.file.url), image.source_url}:
            present[image.product_id, url].append(image)
    return present


def _adapt(images: list[ProductImage], picture: Wanted) -> None:
    """Save what is different about a picture that is there, perhaps several times."""
    changes = [_changes(image, picture) for image in images]
    if all(changes):
        catalogue.save_pictures(images[0].product, changes={images[0].pk: changes[0]})


def _changes(image: ProductImage, picture: Wanted) -> dict[str, str | int | None]:
    """Return the fields of a picture that the wanted one has otherwise."""
    changes: dict[str, str | int | None] = {}
    if picture.alt and picture.alt != " ".join(image.alt.split()):
        changes["alt"] = picture.alt
    if picture.position is not None and picture.position != image.position:
        changes["position"] = picture.position
    if picture.variants and image.variant_id not in picture.variants:
        changes["variant"] = picture.variants[0]
    return changes


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
            variant_id=row.variant_id,
        )
        catalogue.save_pictures(row.product, new=[image])
        row.delete()
        if row.job_id:
            PictureJob.objects.filter(pk=row.job_id).update(fetched=F("fetched") + 1)
    return True
