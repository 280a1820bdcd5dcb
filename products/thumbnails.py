"""When thumbnails are made: as soon as a picture is saved, never for a page."""

import logging

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
