"""Thumbnails: what they are called, when they are made, and when they go.

Pages work a thumbnail's address out of the picture's name: no query, no look at the
disk. So a name stands for one picture for ever (`upload_name`), and a thumbnail's name
holds all of it, with its ending: `mug.jpg` and `mug.png` are two pictures.
"""

import logging
import secrets
from collections.abc import Iterator
from io import BytesIO
from pathlib import PurePosixPath

from django.conf import settings
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage, default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import models
from django.db.models.fields.files import ImageFieldFile
from imagekit import ImageSpec
from imagekit.cachefiles import ImageCacheFile
from imagekit.cachefiles.strategies import Optimistic
from PIL import Image

from project import pictures

logger = logging.getLogger(__name__)

FOLDER = "products"
SIDES = (320, 640, 960)  # pixels
MAX_BYTES = 8 * 1024 * 1024
VERSION = 2  # another one when the same picture would be drawn otherwise
DRAWN = "_thumbnails_drawn"  # of a row that is about to be saved


# --- Names ------------------------------------------------------------------------


def upload_name(instance: models.Model, filename: str) -> str:
    """Where an upload is stored: under a name that no picture has had before, even one
    that was deleted."""
    path = PurePosixPath(filename)
    return f"{FOLDER}/{path.stem[:50]}-{secrets.token_hex(4)}{path.suffix.lower()}"


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


def give(upload: UploadedFile, owner: models.Model) -> None:
    """Let `owner` have the thumbnails of `upload` when it is saved with that picture.
    Raises `PictureRefused`."""
    draw(upload)
    if isinstance(upload.thumbnails, pictures.PictureRefused):
        raise upload.thumbnails
    setattr(owner, DRAWN, upload.thumbnails)


def make(picture: ImageFieldFile, *, in_line: bool = True) -> None:
    """Make those thumbnails of `picture` that are missing: from what a form has drawn,
    or now. A picture that cannot be drawn gets plain squares instead; one that is
    missing gets none, and a line in the log. `in_line` as for `pictures.squares`."""
    if are_made(picture):
        return
    try:
        drawn = vars(picture.instance).pop(DRAWN, None)
        drawn = drawn or _drawn_or_plain(picture, in_line=in_line)
    except FileNotFoundError as error:
        logger.warning("No thumbnail, the picture is missing: %s", error.filename)
        return
    except pictures.PictureRefused as refusal:  # for now only: the next save draws it
        logger.warning("No thumbnail of %s: %s", picture.name, refusal.code)
        return
    storage = picture.storage
    for side, name in _names(picture).items():
        if not storage.exists(name):
            storage.save(name, ContentFile(drawn[side]))


def are_made(picture: ImageFieldFile) -> bool:
    """Whether all thumbnails of `picture` are stored."""
    return all(map(picture.storage.exists, _names(picture).values()))


def _names(picture: ImageFieldFile) -> dict[int, str]:
    folder = folder_of(picture.name)
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
    """imagekit's way to say that a picture may be new: it takes the first save of any
    row that it has loaded for one. A price can be changed while the file is missing."""

    def on_source_saved(self, file: ImageCacheFile) -> None:
        make(file.generator.source)


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


def stored(storage: Storage = default_storage) -> Iterator[tuple[str, list[str]]]:
    """(a picture's name, the names of its thumbnails) for all that are stored."""
    yield from _walk(storage, folder_of(FOLDER))


def _walk(storage: Storage, folder: str) -> Iterator[tuple[str, list[str]]]:
    if not storage.exists(folder):
        return
    folders, files = storage.listdir(folder)
    if files:
        picture = PurePosixPath(folder).relative_to(settings.IMAGEKIT_CACHEFILE_DIR)
        yield str(picture), [f"{folder}/{name}" for name in files]
    for name in folders:
        yield from _walk(storage, f"{folder}/{name}")


def is_current(thumbnail: str) -> bool:
    """Whether it is drawn as we draw them now."""
    return PurePosixPath(thumbnail).name in map(file_of, SIDES)
