"""Deletes thumbnails that no product needs, and makes those that are missing."""

from datetime import timedelta

from django.core.files.storage import default_storage
from django.utils import timezone

from products.catalogue import thumbnails
from products.models import ProductImage

GRACE_PERIOD = timedelta(days=1)  # open and cached pages may still show them


def forget_old_thumbnails() -> int:
    """Delete thumbnails that no product needs; return how many.

    These are thumbnails of pictures that no product has, and those of an earlier
    version. They are deleted once they are `GRACE_PERIOD` old. The pictures themselves
    stay, because nobody could restore them.
    """
    deadline = timezone.now() - GRACE_PERIOD
    pictures_in_use = _pictures_in_use()
    unneeded = []
    for picture, name, stored_at in thumbnails.stored():
        is_needed = picture in pictures_in_use and thumbnails.is_current(name)
        if stored_at < deadline and not is_needed:
            unneeded.append(name)
    for name in unneeded:
        default_storage.delete(name)
    return len(unneeded)


def make_missing_thumbnails() -> int:
    """Make thumbnails for pictures that lack some; return for how many pictures.

    They are missing if a picture was saved without our forms, or if the thumbnails'
    version is new.
    """
    stored_names = {name for _picture, name, _stored_at in thumbnails.stored()}
    completed = 0
    for picture in sorted(_pictures_in_use()):
        if not stored_names.issuperset(thumbnails.names_of(picture)):
            completed += thumbnails.make(ProductImage(file=picture).file)
    return completed


def _pictures_in_use() -> set[str]:
    return set(ProductImage.objects.values_list("file", flat=True))
