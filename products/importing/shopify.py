"""Converts the rows of Shopify's product export to our columns.

A product has a row for each variant and for each further picture. Only the first row
has the fields of the product. Each variant becomes a product of its own.
"""

from products.importing.texts import to_text

# Fields that only the first row of a product has.
PRODUCT_FIELDS = [
    *("name", "description", "category", "taxonomy", "published", "status")
]
# A row with none of these is only a picture.
VARIANT_FIELDS = ["name", "option1", "option2", "option3", "sku", "price", "stock"]
NO_OPTION = "Default Title"  # Shopify's only option of a product without options


def with_product_fields(
    fields: dict[str, str], previous: dict[str, str]
) -> dict[str, str]:
    """Return a row, completed from the previous one if it is of the same product."""
    handle = fields.get("handle")
    is_same = handle and handle == previous.get("handle") and not fields.get("name")
    if not is_same:
        return fields
    completed = dict(fields)
    for name in PRODUCT_FIELDS:
        if name in previous:
            completed[name] = fields[name] or previous[name]
    return completed


def is_picture(fields: dict[str, str]) -> bool:
    """Return whether a row is only a further picture of its product."""
    return not any(fields.get(name) for name in VARIANT_FIELDS)


def to_our_fields(fields: dict[str, str]) -> dict[str, str]:
    """Return a completed row with the fields of our own columns."""
    options = [fields.get(f"option{n}", "") for n in (1, 2, 3)]
    options = [option for option in options if option and option != NO_OPTION]
    name = fields.get("name", "")
    handle = fields.get("handle") or name  # Shopify makes the handle of the name too
    if options:
        handle = f"{handle}-{'-'.join(options)}"
        name = f"{name}, {' / '.join(options)}" if name else ""
    ours = {"handle": handle, "name": name}
    ours |= {key: fields[key] for key in ("price", "stock") if key in fields}
    # An apostrophe keeps spreadsheets from taking a SKU for a number.
    ours["sku"] = fields.get("sku", "").removeprefix("'")
    category = fields.get("category")
    ours["category"] = category or _last_level(fields.get("taxonomy", ""))
    ours["description"] = to_text(fields.get("description", ""))
    if "published" in fields or "status" in fields:
        ours |= {key: fields.get(key, "") for key in ("published", "status")}
    return ours


def _last_level(taxonomy: str) -> str:
    """Return “Clothing” for “Apparel & Accessories > Clothing”."""
    return taxonomy.rpartition(">")[2].strip()
