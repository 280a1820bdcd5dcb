"""Pictures that are still to be fetched."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from products.catalogue.models import Product
from products.sweeps.models import Swept, problem_index

URL_LENGTH = 2000
TRIES = 6  # the last one is about six hours after the first


class PictureFetchQuerySet(models.QuerySet):
    """Ways to find pictures that are to be fetched."""

    def open(self) -> "PictureFetchQuerySet":
        """Return those that have not failed too often."""
        return self.filter(failures__lt=TRIES)


class PictureFetch(Swept):
    """A picture of a product that a worker is to fetch from the web.

    Only `products.fetching.services` writes it. The row is deleted when the product has
    the picture.
    """

    product = models.ForeignKey(
        Product, models.CASCADE, related_name="+", verbose_name=_("product")
    )
    url = models.URLField(_("address"), max_length=URL_LENGTH)
    alt = models.CharField(_("alternative text"), max_length=250, blank=True)
    # Empty for a picture that comes after those that the product has.
    position = models.PositiveSmallIntegerField(_("position"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = PictureFetchQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        verbose_name = _("picture to fetch")
        verbose_name_plural = _("pictures to fetch")
        constraints = [
            models.UniqueConstraint(
                fields=["product", "url"], name="picture_fetch_product_url"
            )
        ]
        indexes = [problem_index("picture_fetch_problem")]

    def __str__(self) -> str:
        return self.url
