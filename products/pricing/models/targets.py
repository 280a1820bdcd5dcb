"""The columns of what concerns some goods: products, categories or single variants."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from products.catalogue.models import Product, ProductCategory
from products.pricing.models.timed import Timed
from products.variants.models import Variant


class Targeted(Timed):
    """Something that holds for some time, for the goods that staff choose."""

    products = models.ManyToManyField(
        Product, blank=True, related_name="+", verbose_name=_("products")
    )
    categories = models.ManyToManyField(
        ProductCategory, blank=True, related_name="+", verbose_name=_("categories")
    )
    variants = models.ManyToManyField(
        Variant, blank=True, related_name="+", verbose_name=_("variants")
    )

    class Meta(Timed.Meta):
        abstract = True
