"""Pictures that are still to be fetched."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from products.catalogue.models import Product
from products.sweeps.models import Swept, problem_index
from products.variants.models import Variant

URL_LENGTH = 2000
TRIES = 6  # the last one is about six hours after the first


class PictureJob(models.Model):
    """The pictures that one import asks for. Only `products.fetching.services` and the
    import write it.
    """

    name = models.CharField(_("file"), max_length=100)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    wanted = models.PositiveIntegerField(_("pictures"), default=0)
    fetched = models.PositiveIntegerField(_("downloaded"), default=0)

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("pictures of an import")
        verbose_name_plural = _("pictures of imports")

    def __str__(self) -> str:
        return self.name


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
    variant = models.ForeignKey(
        Variant,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("variant"),
    )
    # The import that asked for it last, and the line of its file.
    job = models.ForeignKey(
        PictureJob,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="fetches",
        verbose_name=_("import"),
    )
    line = models.PositiveIntegerField(_("line"), null=True, blank=True)

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

    @property
    def is_given_up(self) -> bool:
        """Whether it failed so often that staff have to try again."""
        return self.failures >= TRIES
