"""Pictures of products and of their variants."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from products.catalogue import thumbnails
from products.catalogue.models import Product
from products.variants.models import Variant
from project.constraints import SqlConstraint

OF_ITS_PRODUCT = """
ALTER TABLE {table} ADD CONSTRAINT {name}
    FOREIGN KEY (variant_id, product_id) REFERENCES products_variant (id, product_id)
    DEFERRABLE INITIALLY DEFERRED
"""


class OfItsProduct(SqlConstraint):
    """Lets a picture belong to a variant of its own product only."""

    create = OF_ITS_PRODUCT
    remove = "ALTER TABLE {table} DROP CONSTRAINT {name}"


class ProductImage(models.Model):
    """A picture of a product, or of one of its variants.

    The first one is the product's `image` too. `galleries` has the rules for which
    pictures a variant shows.
    """

    product = models.ForeignKey(
        Product, models.CASCADE, related_name="pictures", verbose_name=_("product")
    )
    variant = models.ForeignKey(
        Variant,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="pictures",
        verbose_name=_("variant"),
    )
    file = models.ImageField(_("picture"), upload_to=thumbnails.upload_name)
    alt = models.CharField(_("alternative text"), max_length=250, blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=1)
    # Where it was fetched from; empty for an upload.
    source_url = models.URLField(max_length=2000, blank=True, editable=False)

    image_small = thumbnails.field(thumbnails.SIDES[0], "file")
    image_medium = thumbnails.field(thumbnails.SIDES[1], "file")
    image_large = thumbnails.field(thumbnails.SIDES[2], "file")

    class Meta:
        ordering = ["position", "pk"]
        verbose_name = _("picture")
        verbose_name_plural = _("pictures")
        constraints = [OfItsProduct(name="picture_variant_of_its_product")]

    def __str__(self) -> str:
        return self.alt or self.file.name or ""
