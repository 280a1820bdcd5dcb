"""What shoppers and staff may send."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django import forms
from django.apps import apps
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import FileExtensionValidator
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from products import thumbnails
from products.exceptions import BadQuantity
from products.models import Order, Product, StockMovement
from products.services import stock
from products.services.terms import Contact
from project.address_forms import PostalFormMixin
from project.email_fields import EmailFormField
from project.pictures import ACCEPT, EXTENSIONS
from project.widgets import CountrySelect


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


# --- Checkout ---------------------------------------------------------------------

ANOTHER = "new"  # none of the saved addresses
# Of the postal address: what browsers fill in by themselves.
AUTOCOMPLETE = {
    "full_name": "shipping name",
    "line1": "shipping address-line1",
    "line2": "shipping address-line2",
    "postcode": "shipping postal-code",
    "city": "shipping address-level2",
    "region": "shipping address-level1",
    "country": "shipping country",
    "phone": "shipping tel",
}


class ContactForm(PostalFormMixin, forms.ModelForm):
    """Who gets the parcel and where. Guests say where mail reaches them; who is signed
    in has an address of which we know that, and may have saved where they live."""

    email = EmailFormField(
        label=_("E-mail address"),
        max_length=Order._meta.get_field("email").max_length,
        help_text=_("We write there when your order is placed, and when it is sent."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    saved = forms.ChoiceField(label=_("Where to?"), widget=forms.RadioSelect)
    keep = forms.BooleanField(
        label=_("Save this address for the next time"), required=False
    )
    field_order = ["email", "saved", *AUTOCOMPLETE, "keep"]

    class Meta:
        model = apps.get_model("users", "Address")
        fields = list(AUTOCOMPLETE)
        help_texts = {"phone": _("Only for the carrier, if they cannot find you.")}
        widgets = {"country": CountrySelect}

    def __init__(self, *args, user: Any, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        for name, kind in AUTOCOMPLETE.items():
            self.fields[name].widget.attrs["autocomplete"] = kind
        self.fields["phone"].widget.input_type = "tel"
        self.chosen = None
        if user.is_authenticated:
            del self.fields["email"]
            self._offer({str(a.pk): a for a in user.addresses.all()})
        else:
            del self.fields["saved"], self.fields["keep"]

    def _offer(self, addresses: Mapping[str, Any]) -> None:
        if not addresses:
            del self.fields["saved"]
            return
        choices = [*addresses.items(), (ANOTHER, _("To another address"))]
        self.fields["saved"].choices = choices
        self.initial.setdefault("saved", next(iter(addresses)))
        if self.initial["saved"] not in addresses:
            self.initial["saved"] = ANOTHER
        # The fields of another address are hidden while a saved one is chosen: what is
        # hidden must not keep a browser from sending the form.
        self.use_required_attribute = False
        self.chosen = addresses.get(self.data.get("saved", ""))
        if self.chosen:
            for name in [*AUTOCOMPLETE, "keep"]:
                del self.fields[name]

    @property
    def contact(self) -> Contact:
        """What was entered, or what stands in the address that was chosen."""
        address = self.chosen or self.instance
        place = {name: str(getattr(address, name)) for name in AUTOCOMPLETE}
        return Contact(email=self.cleaned_data.get("email", ""), **place)

    @property
    def is_to_be_kept(self) -> bool:
        """Whether it is to be saved: not one that they have already."""
        if not self.cleaned_data.get("keep"):
            return False
        same = self.user.addresses.filter(**self.cleaned_address)
        return not same.exists()

    @property
    def cleaned_address(self) -> dict[str, str]:
        place = asdict(self.contact)
        del place["email"]
        return place


class PlaceForm(forms.Form):
    """How the order is paid, and what the page showed (`products.views.shown`)."""

    method = forms.ChoiceField(label=_("Payment"), widget=forms.RadioSelect)
    shown = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args, methods: list[tuple[str, str]], **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.offer(methods)

    def offer(self, methods: list[tuple[str, str]]) -> None:
        """Let one choose among these, (value, label) each."""
        self.fields["method"].choices = methods


# --- For staff --------------------------------------------------------------------


class PictureField(forms.FileField):
    """A picture that nobody has decoded yet. Django's own field opens it with Pillow,
    in the process that serves pages."""

    default_validators = [FileExtensionValidator(EXTENSIONS)]


class ProductForm(forms.ModelForm):
    """A product in the admin; its stock moves elsewhere."""

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
        # Who may only look gets a form without these fields.
        if "slug" in self.fields:
            self.fields["slug"].required = False
            self.fields["slug"].help_text = _(
                "The last part of the page's address. Left empty, it is made of the"
                " name."
            )
        if "image" in self.fields:
            self.fields["image"].widget.attrs["accept"] = ACCEPT

    def clean_image(self) -> Any:
        """The name of what was uploaded, which is stored by now; or what the field says
        else: False for none, or the picture that there was."""
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


# --- The staff's board ------------------------------------------------------------


class BoardForm(forms.Form):
    """Which orders the board shows. What is not understood is left out."""

    SORTS = [("", _("newest first")), ("oldest", _("oldest first"))]

    q = forms.CharField(required=False, max_length=100, label=_("Number or e-mail"))
    status = forms.ChoiceField(required=False, label=_("Status"))
    method = forms.ChoiceField(required=False, label=_("Payment"))
    sort = forms.ChoiceField(required=False, choices=SORTS, label=_("Order"))
    mine = forms.BooleanField(required=False, label=_("Mine"))

    def __init__(self, *args, statuses: list[tuple], **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["status"].choices = [("", _("All in work")), *statuses]
        self.fields["method"].choices = [("", _("Any payment")), *Order.Method.choices]

    @property
    def asked(self) -> dict[str, Any]:
        """The filters that are set and valid."""
        self.full_clean()
        return {name: value for name, value in self.cleaned_data.items() if value}


class ReasonForm(forms.Form):
    """Why an order is cancelled: its history keeps it."""

    note = forms.CharField(max_length=500, label=_("Reason"))


class NoteForm(forms.Form):
    """What staff write beside an order."""

    note = forms.CharField(
        max_length=500, label=_("Note"), widget=forms.Textarea({"rows": 2})
    )


class ExportForm(forms.Form):
    """Which days' orders are exported, both included; which rows; which format."""

    FORMATS = [
        ("csv", _("Other programs (comma)")),
        ("excel", _("Excel (comma)")),
        ("excel-eu", _("Excel in Europe (semicolon, decimal comma)")),
    ]
    ROWS = [
        ("orders", _("One row for each order")),
        ("lines", _("One row for each line")),
    ]

    since = forms.DateField(label=_("From"))
    until = forms.DateField(label=_("To"))
    rows = forms.ChoiceField(
        choices=ROWS,
        required=False,
        label=_("Rows"),
        widget=forms.Select({"class": "input"}),
    )
    format = forms.ChoiceField(
        choices=FORMATS,
        required=False,
        label=_("For"),
        widget=forms.Select({"class": "input"}),
    )
    bom = forms.BooleanField(required=False)  # "excel", in links made before `format`

    def clean(self) -> dict[str, Any]:
        asked = super().clean()
        since, until = asked.get("since"), asked.get("until")
        if since and until and until < since:
            self.add_error("until", _("The last day is before the first."))
        asked["format"] = asked.get("format") or ("excel" if asked["bom"] else "csv")
        asked["rows"] = asked.get("rows") or "orders"
        return asked

    @property
    def advice(self) -> str:
        """What to do about the errors, in a sentence."""
        if {"since", "until"} & self.errors.keys():
            return _("Please say from which day to which.")
        return _("Please choose the rows and the format from the lists.")
