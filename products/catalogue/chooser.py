"""The chooser of a product's page: which variant is shown, and links to the others."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from django.utils.translation import ngettext

from products.catalogue.offers import Offer, variant_address
from products.models import Product

# What lists call the values of an option; the names are those that owners type.
COUNTED: dict[str, Callable[[int], str]] = {
    "colour": lambda n: ngettext("%(n)d colour", "%(n)d colours", n) % {"n": n},
    "size": lambda n: ngettext("%(n)d size", "%(n)d sizes", n) % {"n": n},
}
COUNTED["color"] = COUNTED["colour"]


class Choice(NamedTuple):
    """A value of an option, with the variant that its link chooses.

    `offer` keeps the other values that are chosen. If no such variant exists, `missing`
    is those values, and `offer` is the nearest variant with this value.
    """

    value: str
    offer: Offer
    url: str
    is_chosen: bool
    missing: str
    others: str  # the other values of the offer


class Group(NamedTuple):
    """An option, its chosen value and all its values."""

    name: str
    chosen: str
    choices: list[Choice]


def for_sale(product: Product) -> list[Offer]:
    """Return the offers that visitors can choose. Needs `with_offers`."""
    return [offer for offer in product.offers if offer.is_for_sale]


def with_sku(product: Product, sku: str) -> Offer | None:
    """Return the offer for sale with this SKU in any case, or None."""
    for offer in for_sale(product):
        if offer.sku.upper() == sku.upper():
            return offer
    return None


def first_choice(product: Product) -> Offer:
    """Return the first offer with units left, or else the first one for sale."""
    offers = for_sale(product) or product.offers
    return next((offer for offer in offers if offer.is_available), offers[0])


def groups(product: Product, chosen: Offer) -> list[Group]:
    """Return the options of a product, with a link for each value."""
    return [
        Group(name, chosen.option_values[index], _choices(product, chosen, index))
        for index, name in enumerate(product.option_names)
    ]


def _choices(product: Product, chosen: Offer, index: int) -> list[Choice]:
    """Return the choices of the option with this index, in the variants' order."""
    offers = for_sale(product)
    values = dict.fromkeys(offer.option_values[index] for offer in offers)
    return [
        _choice(
            product, chosen, index, [o for o in offers if o.option_values[index] == v]
        )
        for v in values
    ]


def _choice(
    product: Product, chosen: Offer, index: int, offers: Sequence[Offer]
) -> Choice:
    """Return the choice of a value, which these offers have."""
    others = _without(chosen, index)

    def nearness(offer: Offer) -> tuple[int, bool]:
        equal = map(str.__eq__, _without(offer, index), others)
        return sum(equal), offer.is_available

    offer = max(offers, key=nearness)
    is_exact = _without(offer, index) == others
    return Choice(
        value=offer.option_values[index],
        offer=offer,
        url=variant_address(product.get_absolute_url(), offer.sku),
        is_chosen=offer == chosen,
        missing="" if is_exact else ", ".join(others),
        others=", ".join(_without(offer, index)),
    )


def _without(offer: Offer, index: int) -> list[str]:
    """Return the values of an offer without that of one option."""
    return offer.option_values[:index] + offer.option_values[index + 1 :]


# --- Lists ------------------------------------------------------------------------


class Variety(NamedTuple):
    """What a list shows of a product with several variants.

    `offer` is the cheapest one, if possible one with units left.
    """

    offer: Offer
    text: str  # such as "3 colours"
    prices_differ: bool
    is_sold_out: bool


def variety(product: Product) -> Variety:
    """Return what lists show of a product with options."""
    offers = for_sale(product) or product.offers
    cheapest = min(offers, key=lambda o: (o.price, not o.is_available))
    return Variety(
        cheapest,
        _counted(product, offers),
        len({offer.price for offer in offers}) > 1,
        not any(offer.is_available for offer in offers),
    )


def _counted(product: Product, offers: Sequence[Offer]) -> str:
    """Return how many values each option has, or else how many variants there are."""
    names = [name.lower() for name in product.option_names]
    if all(name in COUNTED for name in names):
        values = zip(*(offer.option_values for offer in offers), strict=True)
        counts = [
            COUNTED[name](len(set(each)))
            for name, each in zip(names, values, strict=True)
        ]
        return ", ".join(counts)
    n = len(offers)
    return ngettext("%(n)d variant", "%(n)d variants", n) % {"n": n}


def address(product: Product, text: str) -> str:
    """Return the address of a product, with the variant whose SKU is `text` chosen."""
    page = product.get_absolute_url()
    for sku in product.skus if product.option_names else ():
        if sku.upper() == text.upper():
            return variant_address(page, sku)
    return page
