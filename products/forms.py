"""What shoppers and staff may send."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import FileExtensionValidator
from django.template.defaultfilters import filesizeformat
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from PIL import Image

from products.exceptions import BadQuantity
from products.models import Product, StockMovement
from products.services import stock

PICTURE_EXTENSIONS = ["jpg", "jpeg", "png", "webp"]
PICTURE_FORMATS = {"JPEG", "PNG", "WEBP"}
PICTURE_MAX_BYTES = 8 * 1024 * 1024
PICTURE_MAX_PIXELS = 50_000_000  # decoded it takes four bytes each


class QuantityField(forms.IntegerField):
    """A quantity of one product: 1 to what a basket's line takes."""

    def __init__(self, **kwargs) -> None:
        super().__init__(
            min_value=1, max_value=settings.BASKET_LINE_LIMIT, localize=False, **kwargs
        )


def quantity_from(text: str | None) -> int:
    """The quantity that `text` says. Raises `BadQuantity`."""
    try:
        return QuantityField().clean(text)
    except forms.ValidationError:
        raise BadQuantity(settings.BASKET_LINE_LIMIT) from None


# --- For staff --------------------------------------------------------------------


class ProductForm(forms.ModelForm):
    """A product in the admin; its stock moves elsewhere."""

    class Meta:
        model = Product
        fields = "__all__"
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
        # Who may only look gets a form without these fields.
        if "slug" in self.fields:
            self.fields["slug"].required = False
            self.fields["slug"].help_text = _(
                "The last part of the page's address. Left empty, it is made of the"
                " name."
            )
        if "image" in self.fields:
            accept = ",".join(f".{ending}" for ending in PICTURE_EXTENSIONS)
            self.fields["image"].widget.attrs["accept"] = accept

    def clean_image(self) -> UploadedFile | Any:
        picture = self.cleaned_data["image"]
        if isinstance(picture, UploadedFile):
            check_picture(picture)
        return picture

    def clean(self) -> dict:
        data = super().clean()
        if not data.get("slug") and data.get("name") and "slug" not in self.errors:
            data["slug"] = free_slug(data["name"], self.instance.pk)
        return data


def check_picture(picture: UploadedFile) -> None:
    """Raises `ValidationError` for what the shop would not show as it should.

    `ImageField` has looked at the header only; a picture that breaks off in the
    middle would fail when its thumbnails are made.
    """
    FileExtensionValidator(PICTURE_EXTENSIONS)(picture)
    if picture.size > PICTURE_MAX_BYTES:
        raise forms.ValidationError(
            _("The picture has %(size)s; at most %(limit)s are allowed."),
            params={
                "size": filesizeformat(picture.size),
                "limit": filesizeformat(PICTURE_MAX_BYTES),
            },
        )
    if picture.image.format not in PICTURE_FORMATS:
        raise forms.ValidationError(_("The picture must be a JPEG, a PNG or a WebP."))
    width, height = picture.image.size
    if width * height > PICTURE_MAX_PIXELS:
        raise forms.ValidationError(
            _("The picture has too many pixels: %(width)d × %(height)d."),
            params={"width": width, "height": height},
        )
    try:
        picture.seek(0)
        Image.open(picture).load()
    except Exception as error:  # Pillow raises whatever its decoders do
        raise forms.ValidationError(_("The picture is damaged.")) from error
    finally:
        picture.seek(0)


def free_slug(name: str, product_id: int | None) -> str:
    """An address made of `name` that no other product has."""
    base = slugify(name)[:170] or "product"
    others = Product.objects.exclude(pk=product_id).filter(slug__startswith=base)
    taken = set(others.values_list("slug", flat=True))
    if base not in taken:
        return base
    return next(s for n in range(2, 10**9) if (s := f"{base}-{n}") not in taken)


class MovementForm(forms.Form):
    """A change of one product's stock by staff, always as a delta or a count."""

    verb: str  # of `services.stock`
    number: str  # the field that holds the units
    button: str

    # The newest movement by staff that the page showed: see `is_outdated`.
    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    note = forms.CharField(
        label=_("Note"),
        max_length=StockMovement._meta.get_field("note").max_length,
        required=False,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text=_("Kept with the movement: a delivery's number, a reason."),
    )

    def __init__(self, data: Mapping | None, *, seen: int) -> None:
        is_mine = data is not None and self.number in data
        super().__init__(
            data if is_mine else None,
            initial={"seen": seen},
            auto_id=f"id_{self.number}_%s",  # two forms share a page
        )
        self.newest = seen

    def is_outdated(self) -> bool:
        """Whether staff moved this stock after the page was shown: a double click,
        or a colleague who counted the same shelf."""
        return self.cleaned_data["seen"] != self.newest

    def move(self, product_id: int, actor) -> stock.Level:
        """Call the service. Raises `ShopError`."""
        verb = getattr(stock, self.verb)
        units, note = self.cleaned_data[self.number], self.cleaned_data["note"]
        return verb(product_id, units, note=note, actor=actor)


class ReceiveForm(MovementForm):
    verb, number, button = "receive", "received", _("Receive")

    received = forms.IntegerField(
        label=_("Units received"),
        min_value=1,
        max_value=stock.MAX_UNITS,
        help_text=_("They are added to what is on hand: 20 makes 27 of 7."),
        widget=forms.NumberInput(attrs={"class": "vIntegerField"}),
    )
    field_order = ["received", "note"]


class CountForm(MovementForm):
    verb, number, button = "count", "counted", _("Count")

    counted = forms.IntegerField(
        label=_("Units on the shelf"),
        min_value=0,
        max_value=stock.MAX_UNITS,
        help_text=_("What you counted, with those reserved: it is now on hand."),
        widget=forms.NumberInput(attrs={"class": "vIntegerField"}),
    )
    field_order = ["counted", "note"]
