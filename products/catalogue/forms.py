"""The product form of the admin."""

import itertools
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import FileExtensionValidator
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from products.catalogue import thumbnails
from products.models import Product
from project.pictures import ACCEPT, EXTENSIONS


class PictureField(forms.FileField):
    """An upload that has not been decoded.

    Django's own field would decode it with Pillow in the process that serves pages.
    """

    default_validators = [FileExtensionValidator(EXTENSIONS)]


class ProductForm(forms.ModelForm):
    """A product in the admin, without its stock."""

    class Meta:
        model = Product
        fields = "__all__"
        field_classes = {"image": PictureField}
        help_texts = {
            "sku": _("The number under which the warehouse knows it."),
            "price": _("What one unit costs, tax included."),
            "image": _(
                "JPEG, PNG or WebP, at most 8 MB. Thumbnails are cut square, so leave"
                " some room round the thing."
            ),
            "is_active": _(
                "Untick it to take the product out of the shop: its page says that it"
                " is gone, orders and books keep it."
            ),
        }

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        # Staff who may only view products get a form without these fields.
        if "slug" in self.fields:
            self.fields["slug"].required = False
            self.fields["slug"].help_text = _(
                "The last part of the page's address. Left empty, it is made of the"
                " name."
            )
        if "image" in self.fields:
            self.fields["image"].widget.attrs["accept"] = ACCEPT

    def clean_image(self) -> Any:
        """Return the name under which an upload is stored.

        Without an upload, return the field's value: False to remove the picture, else
        the present picture.
        """
        picture = self.cleaned_data["image"]
        if isinstance(picture, UploadedFile):
            return thumbnails.give(picture, self.instance)
        return picture

    def clean(self) -> dict:
        data = super().clean()
        if not data.get("slug") and data.get("name") and "slug" not in self.errors:
            data["slug"] = free_slug(data["name"], self.instance.pk)
        return data


def free_slug(name: str, product_id: int | None) -> str:
    """Return a slug made of `name` that no other product has.

    `product_id` is the product that the slug is for; None for a new one.
    """
    base = slugify(name)[:170] or "product"
    others = Product.objects.exclude(pk=product_id).filter(slug__startswith=base)
    taken = set(others.values_list("slug", flat=True))
    if base not in taken:
        return base
    candidates = (f"{base}-{number}" for number in itertools.count(2))
    return next(slug for slug in candidates if slug not in taken)
