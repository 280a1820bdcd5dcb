"""Pictures of people: small squares without metadata."""

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
    """Return an upload as an upright square WebP, with a name that nobody can guess.

    It has at most `SIDE` pixels and no metadata. Call this before you lock any row.
    Raises `PictureRefused`.
    """
    (data,) = pictures.squares(upload, [SIDE], max_bytes=MAX_BYTES)
    folder = User.picture.field.upload_to
    return ContentFile(data, f"{folder}{secrets.token_urlsafe(16)}.webp")


def store(picture: ContentFile) -> str:
    """Store a square; return its name, for `put`.

    Call this before you lock any row. Raises `PictureRefused` if the storage fails.
    """
    try:
        unused_files.store({picture.name: picture})
    except OSError as error:
        logger.error("A picture was not stored: %s", error)
        raise pictures.refusal("not_stored") from error
    return picture.name


def put(user: User, name: str) -> None:
    """Give `user` the stored picture with this name, or none for "".

    The old picture is deleted after the commit. The caller has locked the user's row,
    and saves `user`. Raises `PictureRefused` if the picture no longer exists.
    """
    old, user.picture = user.picture.name, name
    if name and not unused_files.claim(name):
        raise pictures.refusal("not_stored")
    if old:
        unused_files.discard(old)
