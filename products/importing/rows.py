"""What a record says a product is to be, or why it cannot."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.text import slugify
from django.utils.translation import gettext as _

from products.importing import numbers
from products.importing.columns import Layout
from products.importing.problems import Problem
from products.importing.reading import UNKNOWN, Record
from products.importing.texts import to_text
from products.importing.words import FLAGS, plain
from products.models import Product, ProductCategory
from products.stock.services import MAX_UNITS

# What a spreadsheet's formula looks like, where its value should be. Signs begin names
# too: "-20% bundle", "@home mug". So after one of them it takes a function's call, or
# a command to another program: "+cmd|'/c calc'!A0".
FORMULA = re.compile(
    r"""[=＝]
    | [-+@－＋＠][-+@\s]*[A-Z][A-Z0-9.]*\( (?: [^)]*(?:\$?[A-Z]{1,3}\$?[0-9]|["'|=]) | \) )
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
# What is left of a formula that failed: in any language but for these without a "!".
# Spain's begin with "¡" or "¿"; LibreOffice numbers some.
FAILED = re.compile(
    r"[#](?: N/?[ABDV]!? | N/DISP | [IН]/[TД] | YOK | HIÁNYZIK | GETTING_DATA"
    r" | [¡¿]?[^\W\d_]+(?:/0)?[!?] ) | (?:Err|Fehler|Erreur) ?: ?5\d\d",
    re.IGNORECASE | re.VERBOSE,
)
# 4006381333931 as a spreadsheet shows it: "4,00639E+12", "4E+12"; Java: "4.0E12". An
# "1E5" or "2E10" is a sku: no spreadsheet writes a number so.
ROUNDED = re.compile(r"\d+(?:[.,]\d+)?E[-+]\d+|\d+[.,]\d+E\d+", re.IGNORECASE)
# How a file keeps a spreadsheet from dropping zeros: ="0012".
KEPT_AS_TEXT = re.compile(r'="([^"]*)"')
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
PRICE_BELOW = 10**10
DESCRIPTION_MAX = 20_000
SKU_MAX, NAME_MAX, SLUG_MAX = (
    Product._meta.get_field(name).max_length for name in ("sku", "name", "slug")
)
CATEGORY_MAX = ProductCategory._meta.get_field("name").max_length


@dataclass(slots=True)
class Row:
    """What a row says of one product; None where it says nothing. `warnings` are what
    is taken, and should be looked at."""

    line: int
    sku: str | None = None
    slug: str | None = None
    name: str | None = None
    category: str | None = None
    price: Decimal | None = None
    description: str | None = None
    stock: int | None = None
    active: bool | None = None
    warnings: list[Problem] | None = None

    @property
    def key(self) -> str:
        """What the product is found by."""
        return self.sku or self.slug or ""


class Bad(Exception):
    """`str()` says what is wrong with a cell."""


def rows_of(
    layout: Layout, records: Iterable[Record | Problem]
) -> Iterator[Row | list[Problem]]:
    """Each record as a row or as its problems; those of pictures only are left out."""
    carried: dict[str, str] = {}
    for record in records:
        if isinstance(record, Problem):
            yield [record]
            continue
        line, cells = record
        if problem := _shape(layout, line, cells):
            yield [problem]
            continue
        warnings = []
        if len(cells) < layout.width:
            warnings.append(_padded(layout, line, cells))
        fields = layout.pick(cells)
        if layout.is_shopify:
            only_picture = _is_picture(fields)
            carried = fields = _carry(fields, carried)
            if only_picture:
                continue
            fields = _from_shopify(fields)
            if numbers.is_negative(fields.get("stock", "")):
                warnings.append(_oversold(layout, line, fields))
        yield _row(layout, line, fields, warnings)


def _shape(layout: Layout, line: int, cells: list[str]) -> Problem | None:
    """What is wrong with the row as a whole."""
    there = len(cells)
    if there > layout.width and any(map(str.strip, cells[layout.width :])):
        text = _("The row has %(there)d cells, the first line has %(width)d.")
        return Problem(line, "", text % {"there": there, "width": layout.width})
    text = "".join(cells)
    if UNKNOWN in text:
        return Problem(line, "", _("Some characters are not in the file's encoding."))
    if CONTROL.search(text):
        return Problem(line, "", _("The row holds control characters (NUL, say)."))
    return None


def _padded(layout: Layout, line: int, cells: list[str]) -> Problem:
    """Give a short row its missing cells: spreadsheets leave out empty ones at the end.
    It could also be one that is broken in two: so the warning."""
    text = _(
        "The row has only %(there)d of %(width)d cells. The others count as empty."
    )
    text %= {"there": len(cells), "width": layout.width}
    cells += [""] * (layout.width - len(cells))
    return Problem(line, "", text)


# --- Shopify ----------------------------------------------------------------------

# Said once, in the first of a product's rows; the others leave it empty.
OF_THE_PRODUCT = [
    *("name", "description", "category", "taxonomy", "published", "status")
]
OF_WHAT_IS_SOLD = ["name", "option1", "option2", "option3", "sku", "price", "stock"]
SAME_AS_NONE = "Default Title"  # the only option of a product without any


def _carry(fields: dict[str, str], before: dict[str, str]) -> dict[str, str]:
    """A row with what the first one of its handle says."""
    handle = fields.get("handle")
    if not handle or handle != before.get("handle") or fields.get("name"):
        return fields
    said = {name: before[name] for name in OF_THE_PRODUCT if name in before}
    return fields | {name: fields[name] or said[name] for name in said}


def _is_picture(fields: dict[str, str]) -> bool:
    """A further picture, of which such a file has a row each."""
    return not any(fields.get(name) for name in OF_WHAT_IS_SOLD)


def _from_shopify(fields: dict[str, str]) -> dict[str, str]:
    """The same as in our columns. Each variant is a product of its own."""
    options = [fields.get(f"option{n}", "") for n in (1, 2, 3)]
    options = [each for each in options if each and each != SAME_AS_NONE]
    name = fields.get("name", "")
    handle = fields.get("handle") or name  # as Shopify makes one
    if options:
        handle = f"{handle}-{'-'.join(options)}"
        name = f"{name}, {' / '.join(options)}" if name else ""
    ours = {"handle": handle, "name": name}
    ours |= {key: fields[key] for key in ("price", "stock") if key in fields}
    ours["sku"] = fields.get("sku", "").removeprefix("'")  # kept from being a number
    ours["category"] = fields.get("category") or _leaf(fields.get("taxonomy", ""))
    ours["description"] = to_text(fields.get("description", ""))
    if "published" in fields or "status" in fields:
        ours |= {key: fields.get(key, "") for key in ("published", "status")}
    return ours


def _oversold(layout: Layout, line: int, fields: dict[str, str]) -> Problem:
    """Shopify goes on selling below nothing; count it as nothing."""
    text = _("Shopify's stock is below zero: “%(text)s”. It is counted as 0.")
    text %= _shown(fields["stock"])
    fields["stock"] = "0"
    return Problem(line, layout.name("stock"), text)


def _leaf(taxonomy: str) -> str:
    """“Clothing” of “Apparel & Accessories > Clothing”."""
    return taxonomy.rpartition(">")[2].strip()


# --- Cells ------------------------------------------------------------------------


def _row(
    layout: Layout, line: int, fields: dict[str, str], warnings: list[Problem]
) -> Row | list[Problem]:
    row, problems = Row(line, warnings=warnings or None), []
    for field, text in fields.items():
        try:
            _read(row, field, text)
        except Bad as bad:
            problems.append(Problem(line, layout.name(field), str(bad)))
    if not problems and not row.key:
        field = "sku" if "sku" in layout.places else "handle"
        problems.append(Problem(line, layout.name(field), _("It is empty.")))
    return problems or row


def _read(row: Row, field: str, text: str) -> None:
    """Put one cell into the row; an empty one says nothing."""
    if kept := KEPT_AS_TEXT.fullmatch(text):
        text = kept[1].strip()
    if not text:
        return
    match field:
        case "status":  # both are to say yes
            row.active = _flag(text) and row.active is not False
        case "published":
            row.active = _flag(text)
        case "handle":
            row.slug = _slug(text)
        case _:
            setattr(row, field, READERS[field](text))


def _text(limit: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        text = " ".join(text.split())
        _refuse_formulas(text)
        if len(text) > limit:
            raise Bad(_too_long(text, limit))
        return text

    return read


_short_text = _text(SKU_MAX)


def _sku(text: str) -> str:
    _refuse_rounded(text)
    return _short_text(text)


def _refuse_rounded(text: str) -> None:
    if ROUNDED.fullmatch(text):
        raise Bad(_("A spreadsheet has rounded this number. Format its cells as text."))


def _slug(text: str) -> str:
    """An address made of a handle; one in letters that addresses do not have gets a
    name of its own, always the same."""
    _refuse_formulas(text)
    _refuse_rounded(text)
    slug = slugify(text)
    if not slug or not text.isascii():
        slug = f"{slug[:160]}-{digest(text)}".strip("-")
    if len(slug) > SLUG_MAX:
        raise Bad(_too_long(slug, SLUG_MAX))
    return slug


def digest(text: str) -> str:
    """A few letters that stand for `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _description(text: str) -> str:
    _refuse_formulas(text)
    if len(text) > DESCRIPTION_MAX:
        raise Bad(_too_long(text, DESCRIPTION_MAX))
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _price(text: str) -> Decimal:
    try:
        price = numbers.amount(text, settings.CURRENCY)
    except numbers.Negative:
        raise Bad(
            _("A price must not be negative: “%(text)s”.") % _shown(text)
        ) from None
    except numbers.OtherCurrency as sign:
        raise Bad(
            _("This price is in %(sign)s. The shop's prices are in %(ours)s.")
            % {"sign": sign, "ours": settings.CURRENCY}
        ) from None
    except numbers.Ambiguous:
        raise Bad(_ambiguous(text)) from None
    except numbers.NotANumber:
        raise Bad(_no_price(text)) from None
    if price != (cents := round(price, 2)) or price >= PRICE_BELOW:
        raise Bad(_no_price(text))
    return cents


def _no_price(text: str) -> str:
    return _("This is no price: “%(text)s”. Write it as 1234.50.") % _shown(text)


def _ambiguous(text: str) -> str:
    return _(
        "It is not clear which number “%(text)s” is. Write it without a thousands "
        "separator, like 1234 or 1234.50."
    ) % _shown(text)


def _units(text: str) -> int:
    try:
        units = numbers.number(text)
    except numbers.Ambiguous:
        raise Bad(_ambiguous(text)) from None
    except numbers.NotANumber:
        raise Bad(_no_units(text)) from None
    if units != int(units) or units > MAX_UNITS:
        raise Bad(_no_units(text))
    return int(units)


def _no_units(text: str) -> str:
    return _("Stock must be a whole number, 0 or more: “%(text)s”.") % _shown(text)


def _flag(text: str) -> bool:
    flag = FLAGS.get(plain(text))
    if flag is None:
        raise Bad(_("Write yes or no, not “%(text)s”.") % _shown(text))
    return flag


READERS: dict[str, Callable[[str], Any]] = {
    "sku": _sku,
    "name": _text(NAME_MAX),
    "category": _text(CATEGORY_MAX),
    "price": _price,
    "description": _description,
    "stock": _units,
    "active": _flag,
}


def _refuse_formulas(text: str) -> None:
    if FAILED.fullmatch(text):
        raise Bad(_("A formula has failed here: “%(text)s”.") % _shown(text))
    if not text.startswith(STARTS):
        return
    bar = text.find("|")
    if FORMULA.match(text) or -1 < bar < text.rfind("!"):
        raise Bad(
            _("This looks like a formula: “%(text)s”. Write its value.") % _shown(text)
        )


def _too_long(text: str, limit: int) -> str:
    return _("It has %(length)d characters, at most %(limit)d are allowed.") % {
        "length": len(text),
        "limit": limit,
    }


def _shown(text: str) -> dict[str, str]:
    return {"text": text if len(text) <= 40 else f"{text[:39]}…"}
