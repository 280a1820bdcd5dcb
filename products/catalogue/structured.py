"""Products as JSON-LD, for search engines.

Vocabulary: https://schema.org/Product, https://schema.org/ProductGroup,
https://schema.org/ItemAvailability.
"""

from collections.abc import Sequence

from django.conf import settings
from django.utils import timezone

from products.catalogue import chooser, galleries
from products.catalogue.offers import Offer, variant_address
from products.models import Product, ProductImage
from project.views import absolute

AVAILABILITY = {
    "in": "InStock",
    "low": "LimitedAvailability",
    "preorder": "PreOrder",
    "out": "OutOfStock",
}
# The properties that schema.org has for options; other options are additional ones.
PROPERTIES = {
    "colour": "color",
    "color": "color",
    "size": "size",
    "material": "material",
    "pattern": "pattern",
}


def product_ld(product: Product, offer: Offer) -> dict:
    """Return a product in the shop with its offer, or with all its variants.

    `offer` is the one that the page shows.
    """
    page = product.get_absolute_url()
    data = {"@context": "https://schema.org"} | _page(product, offer)
    if not product.option_names:
        return data | {"@type": "Product"} | _sold(offer, absolute(page))
    names = [name.lower() for name in product.option_names]
    return data | {
        "@type": "ProductGroup",
        "productGroupID": str(product.pk),
        "variesBy": [
            f"https://schema.org/{PROPERTIES[name]}"
            for name in names
            if name in PROPERTIES
        ],
        "hasVariant": [_variant(product, each) for each in chooser.for_sale(product)],
    }


def _page(product: Product, offer: Offer) -> dict:
    """Return what all variants of a product share. The pictures shown come first."""
    data: dict = {
        "name": product.name,
        "description": product.description,
        "category": product.category.name,
        "url": absolute(product.get_absolute_url()),
    }
    if product.image:
        pictures: Sequence[Product | ProductImage] = [
            *galleries.of_offer(product, offer),
            *product.gallery,
        ]
        addresses = [absolute(each.image_large.url) for each in pictures or [product]]
        data["image"] = list(dict.fromkeys(addresses))
    return data


def _variant(product: Product, offer: Offer) -> dict:
    """Return a variant of a product, with its option values."""
    address = variant_address(product.get_absolute_url(), offer.sku)
    name = ", ".join([product.name, *offer.option_values])
    data: dict = {"@type": "Product", "name": name, "url": absolute(address)}
    for option, value in zip(product.option_names, offer.option_values, strict=True):
        if option.lower() in PROPERTIES:
            data[PROPERTIES[option.lower()]] = value
        else:
            more = {"@type": "PropertyValue", "name": option, "value": value}
            data.setdefault("additionalProperty", []).append(more)
    if any(picture.variant_id for picture in product.gallery):
        first = galleries.of_offer(product, offer)[0]
        data["image"] = absolute(first.image_large.url)
    return data | _sold(offer, absolute(address))


def _sold(offer: Offer, address: str) -> dict:
    """Return the SKU and the offer of a variant that is for sale."""
    facts = offer.facts
    data = {
        "@type": "Offer",
        "url": address,
        "price": f"{offer.price:.2f}",
        "priceCurrency": settings.CURRENCY,
        "availability": f"https://schema.org/{AVAILABILITY[facts['state']]}",
        "seller": {"@type": "Organization", "name": settings.SHOP_NAME},
    }
    if facts["state"] == "preorder":
        data["availabilityStarts"] = facts["ships_from"]
    if offer.prices.price_until:
        day = timezone.localdate(offer.prices.price_until)
        data["priceValidUntil"] = day.isoformat()
    return {"sku": offer.sku, "offers": data}
