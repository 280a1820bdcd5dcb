"""Thumbnails: what they are called, when they are made, and when they go.

Pages work a thumbnail's address out of the picture's name: no query, no question to
the storage. So a name stands for one picture for ever (`upload_name`), and a
thumbnail's name holds all of it, with its ending: `mug.jpg` and `mug.png` are two
pictures.

A form stores a picture with its thumbnails before its row is locked (`store`). What is
saved otherwise gets them when it is saved (`settle`), and what is still missing by a
daily task. A row that is saved with the picture it had asks the storage nothing.
"""

import logging
import secrets
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from pathlib import PurePosixPath

from django.conf import settings
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import models
from django.db.models.fields.files import ImageFieldFile
from imagekit import ImageSpec
from imagekit.cachefiles import ImageCacheFile
from imagekit.cachefiles.strategies import Optimistic
from PIL import Image

from project import pictures, unused_files

logger = logging.getLogger(__name__)

FOLDER = "products"
SIDES = (320, 640, 960)  # pixels
MAX_BYTES = 8 * 1024 * 1024
VERSION = 2  # another one when the same picture would be drawn otherwise


# --- Names ------------------------------------------------------------------------


def upload_name(instance: models.Model, filename: str) -> str:
    """Where an upload is stored: under a name that no picture has had before, even one
    that was deleted."""
    path = PurePosixPath(filename)
    return f"{FOLDER}/{path.stem[:40]}-{secrets.token_hex(8)}{path.suffix.lower()}"


def named(spec: ImageSpec) -> str:
    """Where the thumbnail of `spec.source` lies."""
    return f"{folder_of(spec.source.name)}/{file_of(spec.options['side'])}"


def folder_of(picture: str) -> str:
    """Where the thumbnails of the picture of this name lie."""
    return str(PurePosixPath(settings.IMAGEKIT_CACHEFILE_DIR, picture))


def file_of(side: int) -> str:
    return f"{side}-{VERSION}.webp"


# --- Making them ------------------------------------------------------------------


def draw(upload: UploadedFile, *, is_allowed: bool = True) -> None:
    """Draw the thumbnails of `upload`, which carries them from then on, or the reason
    why there are none. Call it before anything is locked.

    It is not drawn for who `is_allowed` no more pictures for now.
    """
    if not is_allowed:
        upload.thumbnails = pictures.refusal("too_often")
    elif not hasattr(upload, "thumbnails"):
        try:
            upload.thumbnails = _drawn(upload)
        except pictures.PictureRefused as refusal:
            upload.thumbnails = refusal


def store(upload: UploadedFile, owner: models.Model) -> None:
    """Store `upload`, if it could be drawn, and its thumbnails; they go again after an
    hour unless a row with that picture is saved. Call it after `draw`, before anything
    is locked."""
    if isinstance(upload.thumbnails, pictures.PictureRefused):
        return
    name = owner._meta.get_field("image").generate_filename(owner, upload.name)
    made = {thumbnail: upload.thumbnails[s] for s, thumbnail in _names(name).items()}
    try:
        unused_files.store({name: upload} | made)
    except OSError as error:
        logger.error("A picture was not stored: %s", error)
        upload.thumbnails = pictures.refusal("not_stored")
    else:
        upload.stored_as = name


def give(upload: UploadedFile, owner: models.Model) -> str:
    """The name of the picture that `upload` is stored as, with its thumbnails, for
    `owner`. Raises `PictureRefused`."""
    if not hasattr(upload, "stored_as"):
        draw(upload)
        store(upload, owner)
    if isinstance(upload.thumbnails, pictures.PictureRefused):
        raise upload.thumbnails
    return upload.stored_as


def settle(picture: ImageFieldFile) -> None:
    """See that a picture that is new to its row stays, and has thumbnails."""
    if not unused_files.claim(picture.name):
        make(picture)


def make(picture: ImageFieldFile, *, in_line: bool = True) -> bool:
    """Make those thumbnails of `picture` that are missing. A picture that cannot be
    drawn gets plain squares instead. One that is missing gets none, and a line in the
    log; nor does any while the storage is away. Returns whether all are there now.
    `in_line` as for `pictures.squares`."""
    storage = picture.storage
    try:
        names = _names(picture.name)
        missing = {s: name for s, name in names.items() if not storage.exists(name)}
        if missing:
            drawn = _drawn_or_plain(picture, in_line=in_line)
        for side, name in missing.items():
            storage.save(name, ContentFile(drawn[side]))
        return True
    except FileNotFoundError as error:
        logger.warning("No thumbnail, the picture is missing: %s", error.filename)
    except (OSError, pictures.PictureRefused) as error:  # the daily task tries again
        why = getattr(error, "code", error)
        logger.warning("No thumbnail of %s for now: %s", picture.name, why)
    return False


def names_of(picture: str) -> list[str]:
    """The names of the thumbnails of the picture of this name."""
    return list(_names(picture).values())


def _names(picture: str) -> dict[int, str]:
    folder = folder_of(picture)
    return {side: f"{folder}/{file_of(side)}" for side in SIDES}


def _drawn_or_plain(
    picture: ImageFieldFile, *, in_line: bool = True
) -> dict[int, bytes]:
    """Pictures that came past the forms are not to take the shop down either. Raises
    `PictureRefused` if it is too `busy` to say."""
    try:
        with picture.storage.open(picture.name) as file:
            return _drawn(file, in_line=in_line)
    except pictures.PictureRefused as refusal:
        if refusal.code == "busy":
            raise
        text = "No thumbnail of %s: %s"
        logger.warning(text, picture.name, " ".join(refusal.messages))
        return dict.fromkeys(SIDES, _plain())


def _drawn(file: File, *, in_line: bool = True) -> dict[int, bytes]:
    options = {"max_bytes": MAX_BYTES, "in_line": in_line}
    made = pictures.squares(file, SIDES, **options)
    return dict(zip(SIDES, made, strict=True))


def _plain() -> bytes:
    data = BytesIO()
    Image.new("RGB", (SIDES[0], SIDES[0]), "#e4e7e9").save(data, "WEBP")
    return data.getvalue()


class MadeOnSave(Optimistic):
    """imagekit takes the first save of any row that it has loaded for a new picture.
    `Product.save` knows better, and settles it."""

    def on_source_saved(self, file: ImageCacheFile) -> None:
        pass


class Thumbnail(ImageSpec):
    """A square WebP, as wide as `options` say, or as the picture is."""

    format = "WEBP"

    def generate(self) -> ContentFile:
        """Its contents. Raises `FileNotFoundError` if the picture is missing."""
        return ContentFile(_drawn_or_plain(self.source)[self.options["side"]])


def of_side(side: int) -> type[Thumbnail]:
    """The recipe of a thumbnail of `side` pixels, for an `ImageSpecField`."""
    return type(f"Thumbnail{side}", (Thumbnail,), {"options": {"side": side}})


# --- Forgetting them --------------------------------------------------------------


def stored() -> Iterator[tuple[str, str, datetime]]:
    """(a picture's name, the name of a thumbnail of it, when it was stored) for all
    thumbnails that are stored."""
    for name, stored_at in default_storage.files_below(folder_of(FOLDER)):
        folder = PurePosixPath(name).parent
        picture = folder.relative_to(settings.IMAGEKIT_CACHEFILE_DIR)
        yield str(picture), name, stored_at


def is_current(thumbnail: str) -> bool:
    """Whether it is drawn as we draw them now."""
    return PurePosixPath(thumbnail).name in map(file_of, SIDES)
