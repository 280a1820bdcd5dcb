"""Thumbnails of pictures that products no longer have, and those that are missing."""

from datetime import timedelta

from django.core.files.storage import default_storage
from django.utils import timezone

from products.catalogue import thumbnails
from products.models import Product

KEPT = timedelta(days=1)  # pages that are open, or kept, may still show what is gone


def forget_old_thumbnails() -> int:
    """Delete thumbnails of pictures that no product has, and those that are drawn
    otherwise now, once they are `KEPT` old; how many there were.

    The pictures themselves stay: nobody could draw them again.
    """
    before, used = timezone.now() - KEPT, _used()
    old = [
        name
        for picture, name, stored_at in thumbnails.stored()
        if stored_at < before
        and (picture not in used or not thumbnails.is_current(name))
    ]
    for name in old:
        default_storage.delete(name)
    return len(old)


def make_missing_thumbnails() -> int:
    """Make thumbnails of products' pictures that have none, because somebody saved them
    past the forms, or because they are drawn otherwise now; of how many pictures."""
    there = {name for _picture, name, _at in thumbnails.stored()}
    bare = [p for p in sorted(_used()) if not there.issuperset(thumbnails.names_of(p))]
    return sum(thumbnails.make(Product(image=picture).image) for picture in bare)


def _used() -> set[str]:
    return set(Product.objects.exclude(image="").values_list("image", flat=True))
