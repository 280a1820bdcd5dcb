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
    """Return an upload as an upright square WebP.

    It has at most `SIDE` pixels and no metadata. Call this before you lock any row.
    Raises `PictureRefused`.
    """
    (data,) = pictures.squares(upload, [SIDE], max_bytes=MAX_BYTES)
    return ContentFile(data)


def store(picture: ContentFile) -> str:
    """Store a square; return its name, which nobody can guess, for `put`.

    Call this before you lock any row. Raises `PictureRefused` if the storage fails.
    """
    name = f"{User.picture.field.upload_to}{secrets.token_urlsafe(16)}.webp"
    try:
        unused_files.store({name: picture})
    except OSError as error:
        logger.error("A picture was not stored: %s", error)
        raise pictures.refusal("not_stored") from error
    return name


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
