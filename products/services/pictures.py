"""What is left of pictures that products no longer have."""

from datetime import datetime, timedelta

from django.core.files.storage import default_storage
from django.utils import timezone

from products import thumbnails
from products.models import Product

KEPT = timedelta(days=1)  # pages that are open, or kept, may still show what is gone


def forget_old_thumbnails() -> int:
    """Delete thumbnails of pictures that no product has, and those that are drawn
    otherwise now, once they are `KEPT` old; how many there were.

    The pictures themselves stay: nobody could draw them again.
    """
    before = timezone.now() - KEPT
    return sum(
        _forget(names if _is_unused(picture) else _outdated(names), before)
        for picture, names in list(thumbnails.stored())
    )


def _is_unused(picture: str) -> bool:
    return not Product.objects.filter(image=picture).exists()


def _outdated(names: list[str]) -> list[str]:
    return [name for name in names if not thumbnails.is_current(name)]


def _forget(names: list[str], before: datetime) -> int:
    old = [n for n in names if default_storage.get_modified_time(n) < before]
    for name in old:
        default_storage.delete(name)
    return len(old)
