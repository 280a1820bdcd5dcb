"""Pictures of people: small squares that hold nothing but the picture."""

import logging
import secrets

from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile

from project import pictures, unused_files
from users.models import User

logger = logging.getLogger(__name__)

MAX_BYTES = 5 * 1024 * 1024
SIDE = 256  # pixels


def square(upload: UploadedFile) -> ContentFile:
    """`upload` the right way up, cut to a square, as a WebP of at most `SIDE` pixels
    without metadata, under a name that nobody can guess. Raises `PictureRefused`.

    Call it before anything is locked.
    """
    (data,) = pictures.squares(upload, [SIDE], max_bytes=MAX_BYTES)
    folder = User.picture.field.upload_to
    return ContentFile(data, f"{folder}{secrets.token_urlsafe(16)}.webp")


def store(picture: ContentFile) -> str:
    """Store a square; its name, to be `put`. Raises `PictureRefused` if the storage is
    away.

    Call it before anything is locked.
    """
    try:
        unused_files.store({picture.name: picture})
    except OSError as error:
        logger.error("A picture was not stored: %s", error)
        raise pictures.refusal("not_stored") from error
    return picture.name


def put(user: User, name: str) -> None:
    """Make the stored picture of that name theirs, or none; the one before is deleted
    after the commit. The caller saves `user`, whose row is locked."""
    old, user.picture = user.picture.name, name
    if name and not unused_files.claim(name):
        raise pictures.refusal("not_stored")
    if old:
        unused_files.discard(old)
