"""Pictures of people: small squares that hold nothing but the picture."""

import secrets

from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from project import pictures
from users.models import User

MAX_BYTES = 5 * 1024 * 1024
SIDE = 256  # pixels


def square(upload: UploadedFile) -> ContentFile:
    """`upload` the right way up, cut to a square, as a WebP of at most `SIDE` pixels
    without metadata, under a name that nobody can guess. Raises `PictureRefused`.

    Call it before anything is locked.
    """
    (data,) = pictures.squares(upload, [SIDE], max_bytes=MAX_BYTES)
    return ContentFile(data, f"{secrets.token_urlsafe(16)}.webp")


def put(user: User, picture: ContentFile | None) -> None:
    """Make `picture` theirs, or none; the one before is deleted after the commit. The
    caller saves `user`, whose row is locked."""
    storage, old = user.picture.storage, user.picture.name
    if picture:
        user.picture.save(picture.name, picture, save=False)
    else:
        user.picture = ""

    def forget() -> None:
        storage.delete(old)

    if old:
        transaction.on_commit(forget)
