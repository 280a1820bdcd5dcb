"""Thumbnails: their names, and when they are made and deleted.

Pages compute a thumbnail's address from the picture's name, without a query and without
a request to the storage. So a name stands for one picture for ever (`upload_name`). The
thumbnail's name contains all of it, with its extension: `mug.jpg` and `mug.png` are two
pictures.

A form stores a picture and its thumbnails before the row is locked (`store`). Pictures
that are saved another way get thumbnails when they are saved (`settle`), and a daily
task makes those that are still missing. Saving a row with an unchanged picture makes no
request to the storage.
"""

import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import PurePosixPath
from typing import Protocol, runtime_checkable

from django.conf import settings
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import models
from django.db.models.fields.files import ImageFieldFile
from imagekit import ImageSpec
from imagekit.cachefiles import ImageCacheFile
from imagekit.cachefiles.strategies import Optimistic
from imagekit.models import ImageSpecField
from PIL import Image

from project import pictures, unused_files

logger = logging.getLogger(__name__)

FOLDER = "products"
SIDES = (320, 640, 960)  # pixels
MAX_BYTES = 8 * 1024 * 1024
VERSION = 2  # raise it when the same picture would give other thumbnails


# --- Names ------------------------------------------------------------------------


def upload_name(instance: models.Model, filename: str) -> str:
    """Return a new name for an upload, which not even a deleted picture has had."""
    path = PurePosixPath(filename)
    return f"{FOLDER}/{path.stem[:40]}-{secrets.token_hex(8)}{path.suffix.lower()}"


def named(spec: ImageSpec) -> str:
    """Return the name of the thumbnail of `spec.source`, for imagekit."""
    return f"{folder_of(spec.source.name)}/{file_of(spec.options['side'])}"


def folder_of(picture: str) -> str:
    """Return the folder for the thumbnails of the picture with this name."""
    return str(PurePosixPath(settings.IMAGEKIT_CACHEFILE_DIR, picture))


def address(picture: str, side: int) -> str:
    """Return the address of a thumbnail of the picture with this name."""
    return default_storage.url(_names(picture)[side])


def file_of(side: int) -> str:
    """Return the file name of a thumbnail of `side` pixels."""
    return f"{side}-{VERSION}.webp"


# --- Making them ------------------------------------------------------------------


@dataclass
class Picture:
    """What became of an upload: its thumbnails by side, or why it was refused."""

    thumbnails: dict[int, bytes] | pictures.PictureRefused | None = None
    stored_as: str = ""


def picture_of(upload: UploadedFile) -> Picture:
    """Return what became of an upload so far. It lives as long as the upload."""
    return vars(upload).setdefault("picture", Picture())


def draw(upload: UploadedFile, *, is_allowed: bool = True) -> None:
    """Draw the thumbnails of an upload, or refuse it.

    Call it before you lock any row. With `is_allowed` false, because of a rate limit,
    nothing is drawn and the picture is refused.
    """
    picture = picture_of(upload)
    if not is_allowed:
        picture.thumbnails = pictures.refusal("too_often")
    elif picture.thumbnails is None:
        try:
            picture.thumbnails = _drawn(upload)
        except pictures.PictureRefused as refusal:
            picture.thumbnails = refusal


def store(upload: UploadedFile, owner: models.Model) -> None:
    """Store `upload` and its thumbnails.

    Call it after `draw`, before you lock any row. An upload that could not be drawn is
    not stored. The files are deleted after an hour unless a row with that picture is
    saved. If the storage fails, the upload counts as refused.
    """
    picture = picture_of(upload)
    if not isinstance(picture.thumbnails, dict):
        return
    field = owner._meta.get_field("image")
    assert isinstance(field, models.FileField)
    name = field.generate_filename(owner, upload.name or "")
    files: dict[str, File | bytes] = {name: upload}
    for side, thumbnail in _names(name).items():
        files[thumbnail] = picture.thumbnails[side]
    try:
        unused_files.store(files)
    except OSError as error:
        logger.error("A picture was not stored: %s", error)
        picture.thumbnails = pictures.refusal("not_stored")
    else:
        picture.stored_as = name


def give(upload: UploadedFile, owner: models.Model) -> str:
    """Return the name under which `upload` is stored for `owner`, storing it if needed.

    Raises `PictureRefused` if it could not be drawn or stored.
    """
    picture = picture_of(upload)
    if not picture.stored_as:
        draw(upload)
        store(upload, owner)
    if isinstance(picture.thumbnails, pictures.PictureRefused):
        raise picture.thumbnails
    return picture.stored_as


def settle(picture: ImageFieldFile) -> None:
    """Keep a picture that is new to its row, and make thumbnails if it has none."""
    if not unused_files.claim(_name(picture)):
        make(picture)


def make(picture: ImageFieldFile, *, in_line: bool = True) -> bool:
    """Make the missing thumbnails of `picture`; return whether all exist now.

    A picture that cannot be drawn gets plain squares instead. If the picture is missing
    or the storage fails, this logs a warning. `in_line` is passed to
    `pictures.squares`.
    """
    storage = picture.storage
    try:
        names = _names(_name(picture))
        missing = {
            side: name for side, name in names.items() if not storage.exists(name)
        }
        if missing:
            drawn = _drawn_or_plain(picture, in_line=in_line)
        for side, name in missing.items():
            storage.save(name, ContentFile(drawn[side]))
        return True
    except FileNotFoundError as error:
        logger.warning("No thumbnail, the picture is missing: %s", error.filename)
    except (OSError, pictures.PictureRefused) as error:  # the daily task tries again
        reason = getattr(error, "code", error)
        logger.warning("No thumbnail of %s for now: %s", picture.name, reason)
    return False


def names_of(picture: str) -> list[str]:
    """Return the names of the thumbnails of the picture with this name."""
    return list(_names(picture).values())


def _name(picture: ImageFieldFile) -> str:
    """Return the name of a picture's file."""
    assert picture.name is not None
    return picture.name


def _names(picture: str) -> dict[int, str]:
    folder = folder_of(picture)
    return {side: f"{folder}/{file_of(side)}" for side in SIDES}


def _drawn_or_plain(
    picture: ImageFieldFile, *, in_line: bool = True
) -> dict[int, bytes]:
    """Return thumbnails by side; plain squares if the picture cannot be drawn.

    A bad picture that bypassed our forms must not break the shop. Raises
    `PictureRefused` with the code "busy" if it should be tried again later.
    """
    try:
        with picture.storage.open(_name(picture)) as file:
            return _drawn(file, in_line=in_line)
    except pictures.PictureRefused as refusal:
        if refusal.code == "busy":
            raise
        text = "No thumbnail of %s: %s"
        logger.warning(text, picture.name, " ".join(refusal.messages))
        return dict.fromkeys(SIDES, _plain())


def _drawn(file: File, *, in_line: bool = True) -> dict[int, bytes]:
    squares = pictures.squares(file, SIDES, max_bytes=MAX_BYTES, in_line=in_line)
    return dict(zip(SIDES, squares, strict=True))


def _plain() -> bytes:
    data = BytesIO()
    Image.new("RGB", (SIDES[0], SIDES[0]), "#e4e7e9").save(data, "WEBP")
    return data.getvalue()


class MadeOnSave(Optimistic):
    """An imagekit strategy that makes nothing when a row is saved.

    imagekit takes the first save of a loaded row for a new picture. `Product.save`
    compares the names, and makes thumbnails only for a picture that is really new.
    """

    def on_source_saved(self, file: ImageCacheFile) -> None:
        pass


class Thumbnail(ImageSpec):
    """A square WebP of `options["side"]` pixels, or smaller if the picture is."""

    format = "WEBP"

    def generate(self) -> ContentFile:
        """Return its content. Raises `FileNotFoundError` if the picture is missing."""
        return ContentFile(_drawn_or_plain(self.source)[self.options["side"]])


def of_side(side: int) -> type[Thumbnail]:
    """Return the spec of a thumbnail of `side` pixels, for an `ImageSpecField`."""
    return type(f"Thumbnail{side}", (Thumbnail,), {"options": {"side": side}})


def field(side: int, source: str) -> ImageSpecField:
    """Return a field for a square WebP of `side` pixels of the picture in `source`.

    It is made when the picture is saved.
    """
    return ImageSpecField(source=source, spec=of_side(side))


# --- Stored thumbnails ------------------------------------------------------------


@runtime_checkable
class Listed(Protocol):
    """A storage that lists its files, in a folder or in a bucket."""

    def files_below(self, folder: str) -> Iterator[tuple[str, datetime]]: ...


def files_below(folder: str) -> Iterator[tuple[str, datetime]]:
    """Yield name and time of each stored file in `folder` and the folders below it."""
    assert isinstance(default_storage, Listed)
    return default_storage.files_below(folder)


def stored() -> Iterator[tuple[str, str, datetime]]:
    """Yield (picture's name, thumbnail's name, time) for each stored thumbnail."""
    for name, stored_at in files_below(folder_of(FOLDER)):
        folder = PurePosixPath(name).parent
        picture = folder.relative_to(settings.IMAGEKIT_CACHEFILE_DIR)
        yield str(picture), name, stored_at


def is_current(thumbnail: str) -> bool:
    """Return whether a thumbnail is of the present version."""
    return PurePosixPath(thumbnail).name in map(file_of, SIDES)
