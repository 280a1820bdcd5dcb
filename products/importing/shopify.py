"""Converts the rows of Shopify's product export to our fields.

A product has a row for each variant and for each further picture. The first row has
the fields of the product; `products.importing.groups` puts the rows together.
"""

from products.importing.columns import OPTIONS

# A row with none of these is not a variant: it is only a picture, for example.
VARIANT_FIELDS = ["sku", "price", "stock", "weight", "option1 value"]
VARIANT_FIELDS += ["option2 value", "option3 value"]
NO_OPTION = "Default Title"  # Shopify's only value for a product without options
NO_OPTION_NAME = "Title"  # and the name of that option
OWN_FIELDS = ["name", "html", "price", "stock", "weight", "sold", "tax_class"]
OWN_FIELDS += ["published", "status", *OPTIONS]


def is_variant(fields: dict[str, str]) -> bool:
    """Return whether a row has anything that only variants have."""
    return any(fields.get(name) for name in VARIANT_FIELDS)


def to_our_fields(fields: dict[str, str]) -> dict[str, str]:
    """Return a row with the fields of `products.importing.rows`."""
    ours = {key: fields[key] for key in OWN_FIELDS if fields.get(key)}
    ours["handle"] = fields.get("handle") or fields.get("name", "")
    ours["sku"] = fields.get("sku", "")
    category = fields.get("category")
    ours["category"] = category or _last_level(fields.get("taxonomy", ""))
    if not ours.get("tax_class"):
        ours["taxable"] = fields.get("taxable", "")
    return ours


def _last_level(taxonomy: str) -> str:
    """Return “Clothing” for “Apparel & Accessories > Clothing”."""
    return taxonomy.rpartition(">")[2].strip()
