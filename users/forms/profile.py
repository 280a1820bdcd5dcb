"""Forms for the profile and for postal addresses."""

from allauth.core import ratelimit
from django import forms
from django.core.files.base import ContentFile
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from project.address_forms import PostalFormMixin
from project.pictures import ACCEPT, refusal
from project.widgets import CountrySelect
from users import addresses, pictures
from users.models import Address, User


class ProfileForm(forms.ModelForm):
    picture = forms.FileField(
        label=_("Picture"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ACCEPT}),
        help_text=_("JPEG, PNG or WebP, up to 5 MB. We crop it to a square."),
    )
    remove_picture = forms.BooleanField(label=_("Remove my picture"), required=False)

    class Meta:
        model = User
        fields = ["first_name", "last_name"]
        widgets = {
            "first_name": forms.TextInput(attrs={"autocomplete": "given-name"}),
            "last_name": forms.TextInput(attrs={"autocomplete": "family-name"}),
        }

    def __init__(self, *args, request: HttpRequest, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        if not self.instance.picture:
            del self.fields["remove_picture"]

    def clean_picture(self) -> ContentFile | None:
        """Return the picture as a square, or None without an upload.

        Nothing is locked meanwhile. Raises `PictureRefused`.
        """
        upload = self.cleaned_data["picture"]
        if not upload:
            return None
        user = self.request.user
        if not ratelimit.consume(self.request, action="picture", user=user):
            raise refusal("too_often")
        return pictures.square(upload)

    def save(self, commit: bool = True) -> User:
        """Save only the form's fields, to the locked row.

        Raises `PictureRefused`, and saves nothing, if the picture cannot be stored.
        """
        picture = self.cleaned_data["picture"]
        return self._write(pictures.store(picture) if picture else "")

    @transaction.atomic
    def _write(self, picture: str) -> User:
        user = User.objects.select_for_update(no_key=True).get(pk=self.instance.pk)
        for name in self.Meta.fields:
            setattr(user, name, self.cleaned_data[name])
        if picture or self.cleaned_data.get("remove_picture"):
            pictures.put(user, picture)
        user.save(update_fields=[*self.Meta.fields, "picture"])
        return user


class AddressForm(PostalFormMixin, forms.ModelForm):
    """A postal address of a person."""

    class Meta:
        model = Address
        fields = {
            "full_name": "name",
            "line1": "address-line1",
            "line2": "address-line2",
            "postcode": "postal-code",
            "city": "address-level2",
            "region": "address-level1",
            "country": "country",
            "phone": "tel",
        }
        help_texts = {"phone": _("Only used if the carrier can’t find you.")}
        widgets = {"country": CountrySelect}

    def __init__(self, *args, user: User, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        for name, autocomplete in self.Meta.fields.items():
            self.fields[name].widget.attrs["autocomplete"] = autocomplete
        self.fields["phone"].widget.input_type = "tel"

    def save(self, commit: bool = True) -> Address:
        """Save the address. Raises `TooManyAddresses`.

        This doesn't change which address is the default, except for the first.
        """
        if self.instance.pk is None:
            return addresses.add(self.user, self.instance)
        self.instance.save(update_fields=self.Meta.fields)
        return self.instance
