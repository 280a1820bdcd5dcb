"""Forms of the checkout."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.apps import apps
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from products.models import Order, VatNumber
from products.orders.terms import Contact
from products.pricing import tax
from products.shipping import services as shipping
from products.vat import services as vat
from products.vat.exceptions import BadVatNumber
from project.address_forms import PostalFormMixin
from project.mail.fields import EmailFormField
from project.widgets import CountrySelect, known_countries

ANOTHER = "new"  # none of the saved addresses
# The fields of a postal address, and how browsers know what to fill in.
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

Choices = list[tuple[str, str | Promise]]


def choice_field(form: forms.BaseForm, name: str) -> forms.ChoiceField:
    """Return a field of a form whose choices are set when the form is made."""
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    return field


class ContactForm(PostalFormMixin, forms.ModelForm):
    """Who gets the parcel, and where.

    Guests enter an e-mail address. An account has a verified one, and may have saved
    postal addresses to choose from.
    """

    email = EmailFormField(
        label=_("Email address"),
        max_length=Order._meta.get_field("email").max_length,
        help_text=_("We’ll send your order confirmation and delivery updates here."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    saved = forms.ChoiceField(
        label=_("Where should we send it?"), widget=forms.RadioSelect
    )
    keep = forms.BooleanField(
        label=_("Save this address for next time"), required=False
    )
    vat_number = forms.CharField(
        label=_("VAT number"),
        required=False,
        max_length=40,
        help_text=_(
            "For businesses in other countries of the EU. When we’ve accepted the "
            "number, you account for the VAT."
        ),
    )
    company = forms.CharField(
        label=_("Company name"),
        required=False,
        max_length=VatNumber._meta.get_field("company").max_length,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    field_order = ["email", "saved", *AUTOCOMPLETE, "keep", "vat_number", "company"]

    class Meta:
        model = apps.get_model("users", "Address")
        fields = list(AUTOCOMPLETE)
        help_texts = {"phone": _("Only used if the carrier can’t find you.")}
        widgets = {"country": CountrySelect}

    def __init__(self, *args, user: Any, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self._limit_countries()
        for name, kind in AUTOCOMPLETE.items():
            self.fields[name].widget.attrs["autocomplete"] = kind
        self.fields["phone"].widget.input_type = "tel"
        self.chosen = None
        if user.is_authenticated:
            del self.fields["email"]
            self._offer({str(a.pk): a for a in user.addresses.all()})
        else:
            del self.fields["saved"], self.fields["keep"]
        if not (user.is_authenticated and tax.takes_vat_numbers()):
            del self.fields["vat_number"], self.fields["company"]

    def _limit_countries(self) -> None:
        """Offer the countries to which the shop delivers."""
        self.delivered = shipping.countries()
        if self.delivered is not None:
            country = choice_field(self, "country")
            country.choices = known_countries(country.widget.choices, self.delivered)

    def clean_vat_number(self) -> str:
        """Return the number without spaces, or "" if there is none."""
        text = self.cleaned_data["vat_number"]
        try:
            return vat.parse(text) if text else ""
        except BadVatNumber as refusal:
            raise forms.ValidationError(str(refusal)) from refusal

    def clean(self) -> dict:
        data = super().clean()
        if data.get("vat_number") and not data.get("company"):
            text = _("Enter the name of the company that has this VAT number.")
            self.add_error("company", text)
        if self.chosen and self.delivered is not None:
            country = self.chosen.country
            if str(country) not in self.delivered:
                text = _("We don’t deliver to this country: %(country)s.")
                self.add_error("saved", text % {"country": country.name})
        return data

    def _offer(self, addresses: Mapping[str, Any]) -> None:
        if not addresses:
            del self.fields["saved"]
            return
        choices = [*addresses.items(), (ANOTHER, _("Another address"))]
        choice_field(self, "saved").choices = choices
        self.initial.setdefault("saved", next(iter(addresses)))
        if self.initial["saved"] not in addresses:
            self.initial["saved"] = ANOTHER
        # While a saved address is chosen, the fields for another one are hidden. Hidden
        # required fields would keep the browser from sending the form.
        self.use_required_attribute = False
        self.chosen = addresses.get(self.data.get("saved", ""))
        if self.chosen:
            for name in [*AUTOCOMPLETE, "keep"]:
                del self.fields[name]

    @property
    def contact(self) -> Contact:
        """The contact that was entered, or that of the saved address."""
        address = self.chosen or self.instance
        place = {name: str(getattr(address, name)) for name in AUTOCOMPLETE}
        number = self.cleaned_data.get("vat_number", "")
        company = self.cleaned_data["company"] if number else ""
        email = self.cleaned_data.get("email", "")
        return Contact(email, company=company, vat_number=number, **place)

    @property
    def saves_address(self) -> bool:
        """Whether to save the address: it is wanted, and not saved yet."""
        if not self.cleaned_data.get("keep"):
            return False
        same = self.user.addresses.filter(**self.cleaned_address)
        return not same.exists()

    @property
    def cleaned_address(self) -> dict[str, str]:
        return {name: getattr(self.contact, name) for name in AUTOCOMPLETE}


class DeliveryForm(forms.Form):
    """The key of a method of delivery. The page shows what there is to choose from."""

    delivery = forms.IntegerField(required=False, min_value=1)


class PlaceForm(DeliveryForm):
    """How to deliver and to pay, and what the page showed (`products.orders.shown`)."""

    method = forms.ChoiceField(label=_("Payment"), widget=forms.RadioSelect)
    shown = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args, methods: Choices, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.offer(methods)

    def offer(self, methods: Choices) -> None:
        """Set the methods to choose from, as (value, label)."""
        choice_field(self, "method").choices = methods
