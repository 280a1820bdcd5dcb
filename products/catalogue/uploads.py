"""Pictures that staff upload in the admin's form of a product."""

import re

from allauth.core import ratelimit
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest

from products.catalogue import thumbnails
from products.models import Product

PICTURE_INPUTS = re.compile(r"image|pictures-\d+-file")
MOST_PICTURES = 12  # of one product


def draw_and_store(request: HttpRequest) -> None:
    """Draw and store the uploads of a product's form, or mark them as refused."""
    uploads = [
        upload
        for name, upload in request.FILES.items()
        if PICTURE_INPUTS.match(name) and isinstance(upload, UploadedFile)
    ]
    user, action = request.user, "product_picture"
    for number, upload in enumerate(uploads):
        is_allowed = number < MOST_PICTURES and bool(
            ratelimit.consume(request, action=action, user=user)
        )
        thumbnails.draw(upload, is_allowed=is_allowed)
        thumbnails.store(upload, Product())
