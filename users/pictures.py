"""Pictures of people: small squares that hold nothing but the picture."""

import secrets
import warnings
from io import BytesIO

from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from PIL import Image, ImageOps, UnidentifiedImageError

from users.models import User

FORMATS = ["JPEG", "PNG", "WEBP"]
MAX_BYTES = 5 * 1024 * 1024
MAX_PIXELS = 40_000_000  # decoded it takes up to four bytes each
SIDE = 256  # pixels


def square(upload: UploadedFile) -> ContentFile:
    """`upload` the right way up, cut to a square, as a WebP of `SIDE` pixels without
    metadata, under a name that nobody can guess. Raises `ValidationError`."""
    if upload.size > MAX_BYTES:
        raise ValidationError(
            _("The picture has %(size)s; at most %(limit)s are allowed.")
            % {
                "size": filesizeformat(upload.size),
                "limit": filesizeformat(MAX_BYTES),
            },
            code="too_large",
        )
    picture = _opened(upload)
    try:
        # A JPEG is decoded at the smallest of its sizes that is big enough.
        picture.draft(None, (2 * SIDE, 2 * SIDE))
        picture = ImageOps.exif_transpose(picture)
        mode = "RGBA" if picture.has_transparency_data else "RGB"
        picture = ImageOps.fit(picture.convert(mode), (SIDE, SIDE))
    except Exception as error:  # Pillow raises whatever its decoders do
        raise ValidationError(_("The picture is damaged."), code="broken") from error
    # What came with the picture (where it was taken) is not pasted along.
    bare, data = Image.new(mode, picture.size), BytesIO()
    bare.paste(picture)
    bare.save(data, "WEBP", quality=85)
    return ContentFile(data.getvalue(), f"{secrets.token_urlsafe(16)}.webp")


def _opened(upload: UploadedFile) -> Image.Image:
    """The picture, of which only the header has been read."""
    try:
        with warnings.catch_warnings():  # our limit is below Pillow's
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(upload, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except UnidentifiedImageError as error:
        raise ValidationError(
            _("That is no picture we can read. Please choose a JPEG, PNG or WebP."),
            code="not_a_picture",
        ) from error
    except Exception as error:
        raise ValidationError(_("The picture is damaged."), code="broken") from error
    if picture.width * picture.height > MAX_PIXELS:
        raise _too_many_pixels()
    return picture


def _too_many_pixels() -> ValidationError:
    return ValidationError(
        _("The picture has too many pixels; at most %(limit)d million are allowed.")
        % {"limit": MAX_PIXELS // 1_000_000},
        code="too_many_pixels",
    )


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
