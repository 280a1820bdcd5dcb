"""The product form of the admin."""

import itertools
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import FileExtensionValidator
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from products.catalogue import options, thumbnails
from products.catalogue.exceptions import WrongOptions
from products.models import Product, ProductImage, TaxClass, Variant
from project.edits.forms import ListEditForm
from project.pictures import ACCEPT, EXTENSIONS


class PictureField(forms.FileField):
    """An upload that has not been decoded.

    Django's own field would decode it with Pillow in the process that serves pages.
    """

    default_validators = [FileExtensionValidator(EXTENSIONS)]


# Owners edit the price without sales.
STORED_AS = {"price": "base_price"}


class ProductForm(forms.ModelForm):
    """A product in the admin, without its stock.

    A product without options has one variant, whose SKU and price are edited here too.
    """

    stored_elsewhere = ("sku", "price")

    sku = Variant._meta.get_field("sku").formfield(
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text=_("The stock-keeping unit (SKU) that the warehouse uses."),
    )
    price = Variant._meta.get_field("price").formfield(
        min_value=Decimal("0.00"), help_text=_("The price of one unit, including tax.")
    )

    class Meta:
        model = Product
        fields = "__all__"
        field_classes = {"image": PictureField}
        help_texts = {
            "image": _(
                "JPEG, PNG or WebP, up to 8 MB. Thumbnails are cropped to a "
                "square, so leave some space around the product. This is the first "
                "picture, which lists show. Add more below."
            ),
            "is_active": _(
                "Untick to stop selling this product. Its page will say that it’s "
                "no longer sold. Past orders and stock records keep it."
            ),
        }

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.variant = self._only_variant()
        for name in self.stored_elsewhere:
            if self.variant is None:
                self.fields.pop(name, None)
            elif self.variant.pk:
                self.initial[name] = getattr(self.variant, STORED_AS.get(name, name))
        # Staff who may only view products get a form without these fields.
        if "slug" in self.fields:
            self.fields["slug"].required = False
            self.fields["slug"].help_text = _(
                "The last part of the page’s address. Leave it empty to create it "
                "from the name."
            )
        if "tax_class" in self.fields:
            tax_class = self.fields["tax_class"]
            assert isinstance(tax_class, forms.ModelChoiceField)
            tax_class.required = False
            tax_class.empty_label = None
        if "image" in self.fields:
            self.fields["image"].widget.attrs["accept"] = ACCEPT

    def _only_variant(self) -> Variant | None:
        """Return the variant that is edited here; None if the product has several."""
        if self.instance.pk is None:
            return Variant(product=self.instance)
        variants = list(self.instance.variants.all()[:2])
        return variants[0] if len(variants) == 1 else None

    def variants(self) -> list[Variant]:
        """Return the variant as it was entered, if it is edited here."""
        if self.variant is None:
            return []
        for name in self.stored_elsewhere:
            if name in self.cleaned_data:
                setattr(
                    self.variant, STORED_AS.get(name, name), self.cleaned_data[name]
                )
        return [self.variant]

    def clean_sku(self) -> str:
        sku = self.cleaned_data["sku"]
        assert self.variant is not None  # else there is no such field
        if Variant.objects.exclude(pk=self.variant.pk).filter(sku=sku).exists():
            raise forms.ValidationError(_("Another product has this SKU."))
        return sku

    def clean_image(self) -> Any:
        """Return the name under which an upload is stored.

        Without an upload, return the field's value: False to remove the picture, else
        the present picture.
        """
        picture = self.cleaned_data["image"]
        if isinstance(picture, UploadedFile):
            return thumbnails.give(picture, self.instance)
        return picture

    def clean_tax_class(self) -> TaxClass:
        """Return the class that was chosen, or else the one that the product has."""
        return self.cleaned_data["tax_class"] or self.instance.tax_class

    def clean(self) -> dict:
        data = super().clean() or self.cleaned_data
        if self.instance.pk:
            self._check_options()
        if not data.get("slug") and data.get("name") and "slug" not in self.errors:
            data["slug"] = free_slug(data["name"], self.instance.pk)
        return data

    def _check_options(self) -> None:
        """Add an error if the stored variants don't fit: the service refuses them."""
        try:
            options.check(self.instance, self.instance.variants.all())
        except WrongOptions as refusal:
            text = _("%(problem)s Correct the variants first.")
            self.add_error(None, text % {"problem": refusal})


class PictureForm(ListEditForm):
    """One picture of a product. The file of a picture that is stored cannot change.

    A field that only one of two people changed is saved as that one left it; see
    `ListEditForm`.
    """

    class Meta:
        model = ProductImage
        fields = ["file", "alt", "variant", "position"]
        field_classes = {"file": PictureField}
        widgets = {"file": forms.FileInput, "alt": forms.TextInput(attrs={"size": 50})}
        help_texts = {
            "alt": _(
                "What the picture shows, for people who can’t see it. If you leave it "
                "empty, the product’s name is used."
            ),
            "variant": _("Variants in the same colour show it too."),
            "position": _(
                "1 is first. If you leave it empty, a new picture comes last."
            ),
        }

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if "file" not in self.fields:  # staff who may only view products
            return
        self.fields["file"].show_hidden_initial = False
        self.fields["file"].widget.attrs["accept"] = ACCEPT
        self.fields["file"].disabled = bool(self.instance.pk)
        self.fields["position"].required = False
        if not self.instance.pk:
            self.instance.position = self.initial["position"] = None

    def clean_file(self) -> Any:
        """Return the name under which an upload is stored."""
        picture = self.cleaned_data["file"]
        if isinstance(picture, UploadedFile):
            return thumbnails.give(picture, Product())
        return picture

    def clean_position(self) -> int | None:
        """Return the position; None for a new picture that comes last."""
        position = self.cleaned_data["position"]
        if position is None and self.instance.pk:
            return self.instance.position
        return position


def offer_variants(form_field: forms.Field, variants: Sequence[Variant]) -> None:
    """Let people choose one of these variants, with one query for many forms."""
    assert isinstance(form_field, forms.ModelChoiceField)
    form_field.queryset = Variant.objects.filter(pk__in=[v.pk for v in variants])
    named = [(variant.pk, ", ".join(variant.option_values)) for variant in variants]
    form_field.choices = [("", _("All variants")), *named]


def free_slug(name: str, product_id: int | None) -> str:
    """Return a slug made of `name` that no other product has.

    `product_id` is the product that the slug is for; None for a new one.
    """
    base = slugify(name)[:170] or "product"
    others = Product.objects.filter(slug__startswith=base)
    if product_id is not None:
        others = others.exclude(pk=product_id)
    taken = set(others.values_list("slug", flat=True))
    if base not in taken:
        return base
    candidates = (f"{base}-{number}" for number in itertools.count(2))
    return next(slug for slug in candidates if slug not in taken)
