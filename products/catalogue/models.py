"""What is for sale."""

from decimal import Decimal
from functools import lru_cache

from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from imagekit.models import ImageSpecField

from products.catalogue import thumbnails
from products.search import queries, vectors


class ProductCategoryQuerySet(models.QuerySet):
    """The reading rules of categories."""

    def named_like(self, text: str) -> "ProductCategoryQuerySet":
        """Categories with `text` in their name, in any spelling; none if it has no
        words."""
        if not queries.words(text):
            return self.none()
        return self.filter(queries.contains("name", text))


class ProductCategory(models.Model):
    """A shelf of the shop."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    slug = models.SlugField(_("slug"), max_length=80, unique=True)
    description = models.TextField(_("description"), blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    objects = ProductCategoryQuerySet.as_manager()

    class Meta:
        ordering = ["position", "name"]
        verbose_name = _("category")
        verbose_name_plural = _("categories")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return _shelf(self.slug)


@lru_cache(maxsize=256)
def _shelf(slug: str) -> str:
    """The address of a category: each page has a few dozen of them."""
    return reverse("products:category", args=[slug])


class ProductQuerySet(models.QuerySet):
    """The reading rules of the catalogue, shared by pages, sitemap and admin."""

    def active(self) -> "ProductQuerySet":
        """What shoppers may find: inactive products are gone from lists."""
        return self.filter(is_active=True)

    def with_stock(self) -> "ProductQuerySet":
        """Stock and category in the same query; a product without stock is left out."""
        return self.select_related("stock", "category").filter(stock__isnull=False)

    def matching(self, text: str) -> "ProductQuerySet":
        """Products whose name, sku or description have every word of `text`, in any
        form and spelling, as one word or as several; the last letters of what names and
        skus have may be missing. None if there are no words in it."""
        query = queries.TextQuery(text)
        return self.filter(queries.matches(query)) if query else self.none()

    def available(self) -> "ProductQuerySet":
        """What can be had now: units are left that nobody has claimed."""
        return self.filter(stock__on_hand__gt=models.F("stock__reserved"))

    def priced(self, least: Decimal | None, most: Decimal | None) -> "ProductQuerySet":
        """From `least` to `most`, both included; None for no bound."""
        found = self
        if least is not None:
            found = found.filter(price__gte=least)
        return found if most is None else found.filter(price__lte=most)

    def by_relevance(self, text: str) -> "ProductQuerySet":
        """What answers `text` best comes first: a sku that is just that before all."""
        is_it = models.Case(models.When(sku__iexact=text, then=0), default=1)
        return self.order_by(is_it, *_rank(text), "name", "pk")

    def by_beginning(self, text: str) -> "ProductQuerySet":
        """For what is still being typed: names that begin so come first."""
        begins = models.Q(name__istartswith=text) | models.Q(sku__iexact=text)
        is_it = models.Case(models.When(begins, then=0), default=1)
        return self.order_by(is_it, *_rank(text), "name", "pk")

    def page(self, start: int, stop: int, *, of: int) -> "ProductQuerySet":
        """The rows from `start` to `stop` in this order, with stock, where there are
        `of` altogether.

        Keys first, which an index gives in that order without a look at the rows that
        are skipped, and counted from the nearer end, and only then the rest: the last
        of a thousand pages is as quick as the first.
        """
        if start > of // 2:
            keys = self.reverse().values("pk")[max(0, of - stop) : of - start]
        else:
            keys = self.values("pk")[start:stop]
        rows = self.model.objects.select_related("stock")
        rows = rows.filter(pk__in=keys, stock__isnull=False)
        return rows.order_by(*self.query.order_by)


def _rank(text: str) -> list[models.expressions.OrderBy]:
    query = queries.TextQuery(text)
    return [queries.rank(query).desc()] if query else []


class ProductManager(models.Manager.from_queryset(ProductQuerySet)):
    """Leaves in the database what is of use there only."""

    def get_queryset(self) -> ProductQuerySet:
        return super().get_queryset().defer("search")


def thumbnail(side: int) -> ImageSpecField:
    """A square WebP of `side` pixels, made when the picture is saved."""
    return ImageSpecField(source="image", spec=thumbnails.of_side(side))


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
    image = models.ImageField(
        _("picture"), upload_to=thumbnails.upload_name, blank=True
    )
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    search = vectors.VectorField(expression=vectors.vector())

    image_small = thumbnail(thumbnails.SIDES[0])
    image_medium = thumbnail(thumbnails.SIDES[1])
    image_large = thumbnail(thumbnails.SIDES[2])

    objects = ProductManager()

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
            GinIndex(fields=["search"], name="product_search"),
            models.Index(
                fields=["name", "id"],
                name="product_name",
                condition=models.Q(is_active=True),
            ),
            models.Index(
                fields=["price", "id"],
                include=["category"],  # facets are counted from it alone
                name="product_price",
                condition=models.Q(is_active=True),
            ),
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

    @classmethod
    def from_db(cls, db, field_names, values) -> "Product":
        product = super().from_db(db, field_names, values)
        product._picture_was = product.__dict__.get("image")
        return product

    def save(self, *args, update_fields=None, **kwargs) -> None:
        super().save(*args, update_fields=update_fields, **kwargs)
        if update_fields is None or "image" in update_fields:
            self._settle_picture()

    # What the row holds, as far as we know; None for a row that was not loaded.
    _picture_was: str | None = None

    def _settle_picture(self) -> None:
        if "image" not in self.__dict__:  # deferred, so it is as it was
            return
        name = self.image.name or ""
        if name and name != self._picture_was:
            thumbnails.settle(self.image)
        self._picture_was = name

    def get_absolute_url(self) -> str:
        return reverse("products:detail", args=[self.slug])

    @property
    def stock_facts(self) -> dict:
        """The facts of this product's live topic, for the partial; needs `stock`."""
        return self.stock.facts(price=self.price, is_active=self.is_active)
