"""The mail that tells staff which products run low."""

from collections.abc import Sequence

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import ngettext

from products.emails import send
from products.models import Variant
from project.views import absolute


def low_stock(variants: Sequence[tuple[Variant, int]]) -> None:
    """Mail staff the variants that run out, each with the units that are left."""
    with translation.override(settings.LANGUAGE_CODE):
        send(
            "products/email/low_stock",
            ngettext(
                "%(count)d product is running low",
                "%(count)d products are running low",
                len(variants),
            )
            % {"count": len(variants)},
            settings.STAFF_ALERTS["low"],
            variants=[
                {"name": variant.name, "sku": variant.sku, "left": left}
                for variant, left in variants
            ],
            link=absolute(reverse("admin:products_stock_changelist")),
        )
