"""Products, their categories and pictures."""

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Cast, JSONObject
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from products.catalogue import thumbnails
from products.catalogue.offers import Offer
from products.pricing.models import TaxClass
from products.search import queries, vectors

if TYPE_CHECKING:
    # These modules import this one.
    from products.pictures.models import ProductImage
    from products.variants.models import VariantQuerySet

MOST_OPTIONS = 3  # of a product
IN_SHOP = models.Q(is_active=True, lowest_price__isnull=False)


class ProductCategoryQuerySet(models.QuerySet["ProductCategory"]):
    """Ways to find categories."""

    def named_like(self, text: str) -> "ProductCategoryQuerySet":
        """Return categories with `text` in their name, in any spelling.

        Return none if `text` has no words.
        """
        if not queries.words(text):
            return self.none()
        return self.filter(queries.contains("name", text))


class ProductCategory(models.Model):
    """A category; each product is in one."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    slug = models.SlugField(_("slug"), max_length=80, unique=True)
    description = models.TextField(_("description"), blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    cover: "Product | None"  # only where a page needs it

    objects = ProductCategoryQuerySet.as_manager()

    class Meta:
        ordering = ["position", "name"]
        verbose_name = _("category")
        verbose_name_plural = _("categories")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return _category_url(self.slug)


@lru_cache(maxsize=256)
def _category_url(slug: str) -> str:
    """Return the path of a category, cached because each page has dozens of them."""
    return reverse("products:category", args=[slug])


class ProductQuerySet(models.QuerySet["Product"]):
    """Ways to find products, shared by pages, the sitemap and the admin."""

    def active(self) -> "ProductQuerySet":
        """Return the products that are in the shop: with an active variant."""
        return self.filter(IN_SHOP)

    def with_offers(self) -> "ProductQuerySet":
        """Load `offers` in the same query; omit products without variants."""
        rows = _variants().filter(product=models.OuterRef("pk")).offer_rows()
        return self.exclude(skus=[]).annotate(offer_rows=ArraySubquery(rows))

    def with_gallery(self) -> "ProductQuerySet":
        """Load each product's pictures in the same query; see `Product.gallery`."""
        rows = _pictures().filter(product=models.OuterRef("pk"))
        row = JSONObject(file="file", alt="alt", variant_id="variant_id")
        return self.annotate(gallery_rows=ArraySubquery(rows.values_list(row)))

    def without_gallery(self) -> "ProductQuerySet":
        """Have the columns of `with_gallery` without its rows, for a union with it."""
        no_rows = Cast(models.Value("{}"), ArrayField(models.JSONField()))
        return self.annotate(gallery_rows=no_rows)

    def matching(self, text: str) -> "ProductQuerySet":
        """Return products whose name, SKU or description have every word of `text`.

        A word matches in any grammatical form and spelling, and as one word or as
        several. In names and SKUs the beginning of a word matches too. Return none if
        `text` has no words.
        """
        query = queries.TextQuery(text)
        return self.filter(queries.matches(query)) if query else self.none()

    def sold_in(
        self, options: Iterable[tuple[str, str]], *, in_stock: bool
    ) -> "ProductQuerySet":
        """Return products of which one variant is as `is_sold_in` says."""
        return self.filter(self.is_sold_in(options, in_stock=in_stock))

    @staticmethod
    def is_sold_in(options: Iterable[tuple[str, str]], *, in_stock: bool) -> models.Q:
        """Return the condition that one active variant has all these option values.

        `options` are pairs of a name in small letters and a value. With `in_stock` the
        same variant has units that can be ordered.
        """
        options = list(options)
        if not options and not in_stock:
            return models.Q()
        variants = _variants().with_options(options)
        left = variants.available() if in_stock else variants.filter(is_active=True)
        return models.Q(pk__in=left.values("product"))

    def priced(self, least: Decimal | None, most: Decimal | None) -> "ProductQuerySet":
        """Return products whose lowest price is in these bounds; None: no bound."""
        products = self
        if least is not None:
            products = products.filter(lowest_price__gte=least)
        if most is not None:
            products = products.filter(lowest_price__lte=most)
        return products

    def by_relevance(self, text: str) -> "ProductQuerySet":
        """Put the best matches for `text` first; an equal SKU comes before all else."""
        equal_first = models.Case(models.When(_has_sku(text), then=0), default=1)
        return self.order_by(equal_first, *_rank(text), "name", "pk")

    def by_beginning(self, text: str) -> "ProductQuerySet":
        """Put names that begin with `text` first, for suggestions while typing."""
        begins = models.Q(name__istartswith=text) | _has_sku(text)
        begins_first = models.Case(models.When(begins, then=0), default=1)
        return self.order_by(begins_first, *_rank(text), "name", "pk")

    def page(self, start: int, stop: int, *, of: int) -> "ProductQuerySet":
        """Return the rows from `start` to `stop` of `of` rows in all, with offers.

        This first selects the keys, from the nearer end. An index returns them in order
        and skips other rows without reading them, so the last of a thousand pages is as
        fast as the first.
        """
        if start > of // 2:
            keys = self.reverse().values("pk")[max(0, of - stop) : of - start]
        else:
            keys = self.values("pk")[start:stop]
        rows = Product.objects.with_offers().filter(pk__in=keys)
        return rows.order_by(*self.query.order_by)


def _rank(text: str) -> list[models.expressions.OrderBy]:
    query = queries.TextQuery(text)
    return [queries.rank(query).desc()] if query else []


def _has_sku(text: str) -> models.Q:
    """Return the condition that a product has a variant with this SKU."""
    return models.Q(pk__in=_variants().filter(sku__iexact=text).values("product"))


def _variants() -> "VariantQuerySet":
    """Return all variants, whose module imports this one."""
    return apps.get_model("products", "Variant").objects.all()


def _pictures() -> models.QuerySet["ProductImage"]:
    """Return all pictures, whose module imports this one."""
    return apps.get_model("products", "ProductImage").objects.all()


_ProductManager = models.Manager.from_queryset(ProductQuerySet)


class ProductManager(_ProductManager["Product"]):
    """Leaves the search vector in the database, the only place that uses it."""

    def get_queryset(self) -> models.QuerySet["Product"]:
        return super().get_queryset().defer("search")


class Product(models.Model):
    """A page about something that is sold in one or more variants.

    `option_names` says in what its variants differ, such as colour and size. A product
    without options has exactly one variant.

    `image` is the file of its first picture, so that lists need no other table. To save
    another `image` is to replace the first of `pictures`. Code that changes `pictures`
    keeps `image` by `services.save_pictures`.
    """

    category = models.ForeignKey(
        ProductCategory,
        models.PROTECT,
        related_name="products",
        verbose_name=_("category"),
    )
    name = models.CharField(_("name"), max_length=160)
    slug = models.SlugField(_("slug"), max_length=180, unique=True)
    description = models.TextField(_("description"), blank=True)
    option_names = ArrayField(
        models.CharField(max_length=40),
        verbose_name=_("options"),
        size=MOST_OPTIONS,
        default=list,
        blank=True,
        editable=False,
    )
    # The variants' own, repeated for lists and the search (`variants.summarise`).
    lowest_price = models.DecimalField(
        _("lowest price"), max_digits=12, decimal_places=2, null=True, editable=False
    )
    skus = ArrayField(models.TextField(), default=list, editable=False)
    tax_class = models.ForeignKey(
        TaxClass,
        models.PROTECT,
        default=TaxClass.STANDARD,
        related_name="products",
        verbose_name=_("tax class"),
    )
    image = models.ImageField(
        _("picture"), upload_to=thumbnails.upload_name, blank=True
    )
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    search = vectors.VectorField(expression=vectors.vector())

    image_small = thumbnails.field(thumbnails.SIDES[0], "image")
    image_medium = thumbnails.field(thumbnails.SIDES[1], "image")
    image_large = thumbnails.field(thumbnails.SIDES[2], "image")

    objects = ProductManager()

    class Meta:
        ordering = ["name", "pk"]
        verbose_name = _("product")
        verbose_name_plural = _("products")
        indexes = [
            GinIndex(fields=["search"], name="product_search"),
            models.Index(
                fields=["name", "id"],
                name="product_name",
                condition=IN_SHOP,
            ),
            models.Index(
                fields=["lowest_price", "id"],
                include=["category"],  # an index-only scan counts facets
                name="product_price",
                condition=IN_SHOP,
            ),
            models.Index(
                fields=["category", "name", "id"],
                name="product_shelf",
                condition=IN_SHOP,
            ),
            models.Index(
                fields=["-created_at", "-id"],
                name="product_newest",
                condition=IN_SHOP,
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> "Product":
        product = super().from_db(*args, **kwargs)
        product._saved_picture = product.__dict__.get("image")
        return product

    def save(self, *args, update_fields=None, **kwargs) -> None:
        super().save(*args, update_fields=update_fields, **kwargs)
        if update_fields is None or "image" in update_fields:
            self._settle_picture()

    offer_rows: list[list]  # of `with_offers`
    # The name in the database, as far as we know; None for a row that was not loaded.
    _saved_picture: str | None = None

    def _settle_picture(self) -> None:
        if "image" not in self.__dict__:  # deferred, so unchanged
            return
        name = self.image.name or ""
        if name != (self._saved_picture or ""):
            if name:
                thumbnails.settle(self.image)
            self._replace_first_picture(name)
        self._saved_picture = name

    def _replace_first_picture(self, name: str) -> None:
        """Give the first picture the file `name`; delete it if `name` is empty.

        After a deletion the next picture is the first.
        """
        first = self.pictures.first()
        if not name:
            if first:
                first.delete()
            self.set_first_picture()
        elif first:
            self.pictures.filter(pk=first.pk).update(file=name)
        else:
            picture = self.pictures.model(product=self, file=name)
            self.pictures.bulk_create([picture])

    def set_first_picture(self) -> None:
        """Set `image` to the file of the first picture, here and in the database."""
        first = self.pictures.first()
        self.image = first.file.name if first else ""
        self._saved_picture = self.image.name or ""
        Product.objects.filter(pk=self.pk).update(image=self._saved_picture)

    def get_absolute_url(self) -> str:
        return reverse("products:detail", args=[self.slug])

    @property
    def gallery(self) -> list["ProductImage"]:
        """The pictures in order, if `with_gallery` loaded them."""
        model = _pictures().model
        return [model(**row) for row in getattr(self, "gallery_rows", [])]

    @property
    def is_in_shop(self) -> bool:
        """Whether it is one of the products of `ProductQuerySet.active`."""
        return self.is_active and self.lowest_price is not None

    @cached_property
    def offers(self) -> list[Offer]:
        """Its variants as pages show them. Needs `with_offers`."""
        return [Offer.read(row, self.is_active) for row in self.offer_rows]
