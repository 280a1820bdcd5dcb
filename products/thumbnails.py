"""When thumbnails are made: as soon as a picture is saved, never for a page. And what
they are called."""

import functools
import logging
from pathlib import PurePosixPath

from django.conf import settings
from imagekit import ImageSpec, hashers
from imagekit.cachefiles import ImageCacheFile
from imagekit.cachefiles.strategies import Optimistic

logger = logging.getLogger(__name__)


class MadeOnSave(Optimistic):
    """Make what is missing when a picture is saved.

    imagekit takes the first save of any row it has loaded for a new picture. A name
    stands for one picture for ever, so what is there is right; and a price can be
    changed while the picture's file is missing.
    """

    def on_source_saved(self, file: ImageCacheFile) -> None:
        if file.storage.exists(file.name):
            return
        try:
            file.generate()
        except FileNotFoundError as error:
            logger.warning("No thumbnail, the picture is missing: %s", error.filename)


def named(spec: ImageSpec) -> str:
    """Where the thumbnail of `spec.source` lies. imagekit's own way pickles the recipe
    for each picture that a page shows: 0.5 ms, and a list shows 96."""
    picture = PurePosixPath(spec.source.name)
    folder = PurePosixPath(settings.IMAGEKIT_CACHEFILE_DIR, picture.with_suffix(""))
    return str(folder / f"{_recipe(type(spec))}.{spec.format.lower()}")


@functools.cache
def _recipe(kind: type[ImageSpec]) -> str:
    """Another one for another size, or quality."""
    parts = [kind.processors, kind.format, kind.options, kind.autoconvert]
    return hashers.pickle(parts)
