"""Gates: which variants are sold by a drop alone.

`Variant.drop` names the drop. `products.stock.services.claim` reads it in the statement
that reserves the units, so nothing can be claimed past it.
"""

from django.db.models import Q
from django.utils.translation import gettext as _

from products.drops.exceptions import DropConflict
from products.models import Drop, Variant
from products.variants.models import VariantQuerySet


def close(drop: Drop) -> None:
    """Let nobody buy the drop's variants but those whose turn it is.

    Variants that no longer belong to the drop are sold normally. Raises `DropConflict`
    if another drop sells one of the variants.
    """
    own = variants_of(drop)
    others = own.exclude(Q(drop=None) | Q(drop=drop.pk)).select_related("drop")
    if other := others.first():
        assert other.drop is not None
        text = _("“%(name)s” sells some of these variants.")
        raise DropConflict(text % {"name": other.drop.name})
    keep_closed(drop)
    Variant.objects.filter(drop=drop.pk).exclude(pk__in=own.values("pk")).update(
        drop=None
    )


def keep_closed(drop: Drop) -> None:
    """Close the gate for variants that were added to the product since."""
    variants_of(drop).filter(drop=None).update(drop=drop)


def open_(drop: Drop) -> None:
    """Let everybody buy the drop's variants."""
    Variant.objects.filter(drop=drop.pk).update(drop=None)


def variants_of(drop: Drop) -> VariantQuerySet:
    """Return the variants that the drop sells, as staff have planned it."""
    chosen = Drop.variants.through.objects.filter(drop=drop.pk).values("variant")
    variants = Variant.objects.filter(product=drop.product_id)
    return variants.filter(pk__in=chosen) if chosen.exists() else variants
