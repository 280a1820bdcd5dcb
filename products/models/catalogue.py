"""What is for sale."""

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from imagekit.models import ImageSpecField
from imagekit.processors import ResizeToFill, Transpose


class ProductCategory(models.Model):
    """A shelf of the shop."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    slug = models.SlugField(_("slug"), max_length=80, unique=True)
    description = models.TextField(_("description"), blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        ordering = ["position", "name"]
        verbose_name = _("category")
        verbose_name_plural = _("categories")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("products:category", args=[self.slug])


class ProductQuerySet(models.QuerySet):
    """The reading rules of the catalogue, shared by pages, sitemap and admin."""

    def active(self) -> "ProductQuerySet":
        """What shoppers may find: inactive products are gone from lists."""
        return self.filter(is_active=True)

    def with_stock(self) -> "ProductQuerySet":
        """Stock and category in the same query; a product without stock is left out."""
        return self.select_related("stock", "category").filter(stock__isnull=False)

    def matching(self, text: str) -> "ProductQuerySet":
        """Products whose name, sku or description hold every word of `text`."""
        found = self
        for word in text.split():
            found = found.filter(
                models.Q(name__icontains=word)
                | models.Q(sku__icontains=word)
                | models.Q(description__icontains=word)
            )
        return found


def thumbnail(size: int) -> ImageSpecField:
    """A square WebP of `size` pixels, upright, made when the picture is saved."""
    return ImageSpecField(
        source="image",
        processors=[Transpose(), ResizeToFill(size, size)],
        format="WEBP",
        options={"quality": 82},
    )


class Product(models.Model):
    """One article. Its stock is a row of its own, narrow and hot."""

    category = models.ForeignKey(
        ProductCategory,
        models.PROTECT,
        related_name="products",
        verbose_name=_("category"),
    )
    name = models.CharField(_("name"), max_length=160)
    slug = models.SlugField(_("slug"), max_length=180, unique=True)
    sku = models.CharField(_("sku"), max_length=40, unique=True)
    description = models.TextField(_("description"), blank=True)
    price = models.DecimalField(
        _("price"),
        max_digits=12,
        decimal_places=2,
        validators=[MinValueValidator(Decimal("0.00"))],
    )
    image = models.ImageField(_("picture"), upload_to="products/", blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    image_small = thumbnail(320)
    image_medium = thumbnail(640)
    image_large = thumbnail(960)

    objects = ProductQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        verbose_name = _("product")
        verbose_name_plural = _("products")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(price__gte=0), name="product_price_not_negative"
            )
        ]
        indexes = [
            models.Index(
                fields=["category", "name", "id"],
                name="product_shelf",
                condition=models.Q(is_active=True),
            ),
            models.Index(
                fields=["-created_at", "-id"],
                name="product_newest",
                condition=models.Q(is_active=True),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("products:detail", args=[self.slug])

    @property
    def stock_facts(self) -> dict:
        """The facts of this product's live topic, for the partial; needs `stock`."""
        return self.stock.facts(price=self.price, is_active=self.is_active)
