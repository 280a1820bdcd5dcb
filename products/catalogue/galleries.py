"""Which pictures a variant shows.

A picture may belong to one variant. Variants in the same colour share it, so that a
shirt in five sizes needs one picture for each colour.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

from products.catalogue.offers import Offer
from products.models import Product, ProductImage

# Of the options that owners name, the one that pictures show. It is the first option
# if none has such a name.
COLOURS = {"colour", "color", "farbe", "couleur", "kleur", "cor", "colore"}


class Picture(Protocol):
    """A picture with the variant that it belongs to, if any."""

    variant_id: int | None


AnyPicture = TypeVar("AnyPicture", bound=Picture)


class Values(NamedTuple):
    """A variant with its option values."""

    variant: int
    option_values: Sequence[str]


def shown(
    variant: int,
    option_names: Sequence[str],
    variants: Sequence[Values],
    pictures: Sequence[AnyPicture],
) -> list[AnyPicture]:
    """Return the pictures that a variant shows, the first one first.

    These are its own, or else those of the first variant in the same colour; then the
    pictures that belong to no variant. If there are none, these are all pictures.
    `variants` are all variants of the product in order, `pictures` all of its pictures.
    """
    whose = _owner(variant, option_names, variants, {p.variant_id for p in pictures})
    own = [picture for picture in pictures if picture.variant_id == whose]
    shared = [picture for picture in pictures if picture.variant_id is None]
    return (own if whose else []) + shared or list(pictures)


def of_offer(product: Product, offer: Offer) -> list[ProductImage]:
    """Return the pictures that a product's page shows with this offer chosen.

    Needs `with_offers` and `with_gallery`.
    """
    values = [Values(each.variant, each.option_values) for each in product.offers]
    return shown(offer.variant, product.option_names, values, product.gallery)


def _owner(
    variant: int,
    option_names: Sequence[str],
    variants: Sequence[Values],
    pictured: set[int | None],
) -> int | None:
    """Return the variant whose pictures this one shows, or None."""
    if variant in pictured:
        return variant
    values = {each.variant: each.option_values for each in variants}
    index = _pictured_option(option_names)
    if variant not in values or not option_names:
        return None
    for each in variants:
        if each.variant in pictured:
            if each.option_values[index] == values[variant][index]:
                return each.variant
    return None


def _pictured_option(names: Sequence[str]) -> int:
    names = [name.casefold() for name in names]
    return next((n for n, name in enumerate(names) if name in COLOURS), 0)
