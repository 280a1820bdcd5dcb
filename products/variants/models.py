"""Variants: what is sold. A product is the page that shows them."""

import functools
import operator
from collections.abc import Iterable

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Cast, Coalesce, JSONArray, Upper
from django.utils.translation import gettext_lazy as _

from products.catalogue import thumbnails
from products.catalogue.models import MOST_OPTIONS, Product
from products.catalogue.offers import variant_address
from products.pricing.models import Priced
from project.constraints import SqlConstraint

PRICES = ("price", "full_price", "prior_price")
ORDER = ("position", "pk")  # of a product's variants
LAST = 2**63 - 1  # a key
STOCK = ("on_hand", "reserved", "version", "backorder_limit")


# The triggers read the rows as they are when the transaction ends, so a product and
# its variants may be saved in any order.
OPTIONS_MATCH = """
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE page bigint;
BEGIN
    IF TG_TABLE_NAME = 'products_product' THEN
        page := NEW.id;
    ELSE
        SELECT product_id INTO page FROM {table} WHERE id = NEW.id;
    END IF;
    IF EXISTS (
        SELECT FROM {table} AS v JOIN products_product AS p ON p.id = v.product_id
        WHERE p.id = page
          AND cardinality(v.option_values) <> cardinality(p.option_names)
    ) THEN
        RAISE EXCEPTION 'a variant needs a value for each option of its product'
            USING ERRCODE = 'check_violation', CONSTRAINT = '{name}';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER {name}_insert AFTER INSERT ON {table}
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION {name}();
CREATE CONSTRAINT TRIGGER {name}_update AFTER UPDATE ON {table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN ((OLD.option_values, OLD.product_id)
          IS DISTINCT FROM (NEW.option_values, NEW.product_id))
    EXECUTE FUNCTION {name}();
CREATE CONSTRAINT TRIGGER {name}_product AFTER UPDATE ON products_product
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.option_names IS DISTINCT FROM NEW.option_names)
    EXECUTE FUNCTION {name}();
"""
OPTIONS_MATCH_REMOVED = """
DROP TRIGGER {name}_insert ON {table};
DROP TRIGGER {name}_update ON {table};
DROP TRIGGER {name}_product ON products_product;
DROP FUNCTION {name}();
"""


class OptionsMatch(SqlConstraint):
    """Lets a variant have as many option values as its product has options."""

    create, remove = OPTIONS_MATCH, OPTIONS_MATCH_REMOVED


class VariantQuerySet(models.QuerySet["Variant"]):
    """Ways to find variants."""

    def for_sale(self) -> "VariantQuerySet":
        """Return the variants that are sold: active ones of active products."""
        return self.filter(is_active=True, product__is_active=True)

    def available(self) -> "VariantQuerySet":
        """Return active variants of which units can be ordered."""
        limit = models.F("stock__on_hand") + models.F("stock__backorder_limit")
        return self.filter(is_active=True, stock__reserved__lt=limit)

    def few_left(self) -> "VariantQuerySet":
        """Return active variants of which the last units are here."""
        left = models.F("stock__on_hand") - models.F("stock__reserved")
        rows = self.alias(left=left).filter(is_active=True, left__gt=0)
        return rows.filter(left__lte=settings.LOW_STOCK)

    def with_options(self, options: Iterable[tuple[str, str]]) -> "VariantQuerySet":
        """Return the variants with all these values: (name in small letters, value)."""
        variants = self
        for name, value in options:
            places = (
                models.Q(
                    **{
                        f"option_values__{place}": value,
                        f"product__option_names__{place}__iexact": name,
                    }
                )
                for place in range(MOST_OPTIONS)
            )
            variants = variants.filter(
                functools.reduce(operator.or_, places), option_values__contains=[value]
            )
        return variants

    def offer_rows(self) -> models.QuerySet:
        """Return a row of each variant for `Offer.read`, in the order of pages."""
        row = JSONArray(
            *("pk", "sku", "option_values", "is_active", "drop__slug"),
            *(Coalesce(f"stock__{name}", 0) for name in STOCK),
            "stock__ships_from",
            *(Cast(name, models.TextField()) for name in PRICES),
            "price_until",
        )
        return self.order_by(*ORDER).values_list(row)

    def with_stock(self) -> "VariantQuerySet":
        """Load product and stock in the same query; omit variants without stock."""
        return self.select_related("product", "stock").filter(stock__isnull=False)


class Variant(Priced):
    """What is sold: a product in one colour and one size, for example.

    Its stock is a row of its own, because it changes far more often.
    """

    product = models.ForeignKey(
        Product, models.CASCADE, related_name="variants", verbose_name=_("product")
    )
    sku = models.CharField(_("sku"), max_length=40, unique=True)
    # A value for each of the product's options, in the same order.
    option_values = ArrayField(
        models.CharField(max_length=60),
        verbose_name=_("option values"),
        size=MOST_OPTIONS,
        default=list,
        blank=True,
        editable=False,
    )
    weight = models.PositiveIntegerField(_("weight in grams"), default=0)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    is_active = models.BooleanField(_("active"), default=True)
    # The file of the first picture that it shows; empty if no variant of its product
    # has pictures of its own. Services keep it, so that lines need no other table.
    picture = models.CharField(max_length=100, blank=True, editable=False)
    limit_per_person = models.PositiveSmallIntegerField(
        _("units for each person"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("The most that one person can buy. Empty: no limit."),
    )
    # Only people whose turn it is in this drop may buy it. Only `products.drops.gates`
    # writes it.
    drop = models.ForeignKey(
        "products.Drop", models.SET_NULL, null=True, editable=False, related_name="+"
    )

    objects = VariantQuerySet.as_manager()

    class Meta:
        ordering = ["product", "position", "pk"]
        verbose_name = _("variant")
        verbose_name_plural = _("variants")
        constraints = [
            models.UniqueConstraint(
                fields=["product", "option_values"], name="variant_options_once"
            ),
            models.CheckConstraint(
                condition=~models.Q(option_values__contains=[""]),
                name="variant_options_filled",
            ),
            OptionsMatch(name="variant_options_match"),
            # A picture refers to both columns, so that it belongs to one product.
            models.UniqueConstraint(
                fields=["id", "product"], name="variant_of_product"
            ),
            *Priced.Meta.constraints,
        ]
        indexes = [
            models.Index(Upper("sku"), name="variant_sku_upper"),
            GinIndex(fields=["option_values"], name="variant_option_values"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of its product, with it chosen if there are others."""
        page = self.product.get_absolute_url()
        return variant_address(page, self.sku) if self.option_values else page

    @property
    def name(self) -> str:
        """The product's name and the option values: "Mug, blue, 300 ml"."""
        return ", ".join([self.product.name, *self.option_values])

    @property
    def thumbnail(self) -> str:
        """The address of a small picture of it, or of its product; empty for none."""
        picture = self.picture or self.product.image.name
        return thumbnails.address(picture, thumbnails.SIDES[0]) if picture else ""

    @property
    def is_for_sale(self) -> bool:
        """Whether it is sold: both it and its product are active."""
        return self.is_active and self.product.is_active

    @property
    def stock_facts(self) -> dict:
        """The facts of its live topic, for its partial. Reads `product`, `stock`."""
        return self.stock.facts(self.prices, is_for_sale=self.is_for_sale)


def summarise(product: Product, variants: Iterable[Variant]) -> None:
    """Set the lowest price and the SKUs of a product to those of all its variants.

    The price is None if no variant is active.
    """
    in_order = sorted(variants, key=lambda v: (v.position, v.pk or LAST))
    prices = [variant.price for variant in in_order if variant.is_active]
    product.lowest_price = min(prices, default=None)
    product.skus = [variant.sku for variant in in_order]
