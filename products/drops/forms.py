"""The forms with which staff plan a drop and change its pace."""

from datetime import datetime

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from products.drops.states import Status
from products.models import Drop, Variant
from products.pricing import clock


class DropForm(forms.ModelForm):
    """A drop in the admin. Its start is a whole second."""

    class Meta:
        model = Drop
        fields = [
            *("name", "slug", "product", "variants", "starts_at", "per_person"),
            *("needs_account", "admitted_at_once", "turn_s"),
        ]
        help_texts = {
            "product": _("Nobody can buy it before the start, nor past the room."),
            "slug": _("The last part of the page’s address."),
        }

    def clean_starts_at(self) -> datetime:
        starts_at = self.cleaned_data["starts_at"].replace(microsecond=0)
        if self.instance.status == Status.PLANNED and starts_at <= clock.now():
            raise forms.ValidationError(_("The start must be in the future."))
        return starts_at

    def clean(self) -> dict:
        data = super().clean() or self.cleaned_data
        product = data.get("product", getattr(self.instance, "product", None))
        chosen = data.get("variants", ())
        if product is None or "variants" in self.errors:
            return data
        if any(variant.product_id != product.pk for variant in chosen):
            self.add_error("variants", _("Choose variants of the product."))
            return data
        sold = Variant.objects.filter(product=product).exclude(drop=None)
        if chosen:
            sold = sold.filter(pk__in=[variant.pk for variant in chosen])
        if sold.exclude(Q(drop=self.instance.pk)).exists():
            self.add_error("product", _("Another drop sells some of these variants."))
        return data


class PaceForm(forms.ModelForm):
    """How many people are let in, and for how long, while a drop runs."""

    class Meta:
        model = Drop
        fields = ["admitted_at_once", "turn_s"]
