"""Reads the text of one cell as the value of a product's field."""

import hashlib
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db.models import CharField, Model
from django.utils.text import slugify
from django.utils.translation import gettext as _

from products.importing import numbers
from products.importing.texts import to_text
from products.importing.words import FLAGS, plain
from products.models import Product, ProductCategory, TaxClass, Variant
from products.stock.services import MAX_UNITS
from project.spreadsheets import restored

# A formula of a spreadsheet, where its value should be. Names may begin with the same
# signs: "-20% bundle", "@home mug". So after a sign other than "=", only a function's
# call counts, or a command to another program: "+cmd|'/c calc'!A0".
FORMULA = re.compile(
    r"""[=＝]
    | [-+@－＋＠][-+@\s]*[A-Z][A-Z0-9.]*\( (?: [^)]*(?:\$?[A-Z]{1,3}\$?[0-9]|["'|=]) | \) )
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
FORMULA_SIGNS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
# The value of a failed formula, in any language: those without a "!" are listed.
# Spanish ones begin with "¡" or "¿"; LibreOffice numbers some.
FAILED_FORMULA = re.compile(
    r"[#](?: N/?[ABDV]!? | N/DISP | [IН]/[TД] | YOK | HIÁNYZIK | GETTING_DATA"
    r" | [¡¿]?[^\W\d_]+(?:/0)?[!?] ) | (?:Err|Fehler|Erreur) ?: ?5\d\d",
    re.IGNORECASE | re.VERBOSE,
)
# 4006381333931 as a spreadsheet shows it: "4,00639E+12", "4E+12"; Java: "4.0E12". But
# "1E5" and "2E10" are SKUs: no spreadsheet writes a number like that.
ROUNDED = re.compile(r"\d+(?:[.,]\d+)?E[-+]\d+|\d+[.,]\d+E\d+", re.IGNORECASE)
# Files write ="0012" so that a spreadsheet keeps the zeros.
FORCED_TEXT = re.compile(r'="([^"]*)"')
PRICE_BELOW = 10**10
DESCRIPTION_MAX = 20_000
MOST_GRAMS = 2**31 - 1  # the column's limit


def _longest(model: type[Model], name: str) -> int:
    """Return how many characters a field of text, or an item of a list, can hold."""
    field = model._meta.get_field(name)
    if isinstance(field, ArrayField):
        field = field.base_field
    assert isinstance(field, CharField) and field.max_length is not None
    return field.max_length


SKU_MAX = _longest(Variant, "sku")
NAME_MAX, SLUG_MAX = _longest(Product, "name"), _longest(Product, "slug")
CATEGORY_MAX = _longest(ProductCategory, "name")


class BadCell(Exception):
    """A cell that has no valid value. `str()` is a sentence to show."""


def without_quotes(text: str) -> str:
    """Return the text of a cell, without the formula around ="0012"."""
    forced = FORCED_TEXT.fullmatch(text)
    return forced[1].strip() if forced else text


def without_guard(text: str) -> str:
    """Return a text without the apostrophes of our export's guard against formulas.

    Raises `BadCell` for a formula.
    """
    _refuse_formulas(text)
    return restored(text)


def digest(text: str) -> str:
    """Return a few letters that are always the same for `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


# --- Readers: each returns a value, or raises `BadCell` ---------------------------


def _line(limit: int) -> Callable[[str], str]:
    """Return a reader of one line of text."""

    def read(text: str) -> str:
        text = " ".join(text.split())
        if len(text) > limit:
            raise BadCell(_too_long(text, limit))
        return text

    return read


_sku_line = _line(SKU_MAX)


def _sku(text: str) -> str:
    _refuse_rounded(text)
    return _sku_line(text)


def read_slug(text: str) -> str:
    """Return the slug for a handle.

    Letters that slugs don't have are lost. So a handle with such letters gets a digest
    too, which keeps two of them apart.
    """
    _refuse_rounded(text)
    slug = slugify(text)
    if not slug or not text.isascii():
        slug = f"{slug[:160]}-{digest(text.casefold())}".strip("-")
    if len(slug) > SLUG_MAX:
        raise BadCell(_too_long(slug, SLUG_MAX))
    return slug


def _description(text: str) -> str:
    if len(text) > DESCRIPTION_MAX:
        raise BadCell(_too_long(text, DESCRIPTION_MAX))
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_html(text: str) -> str:
    """Return a description as plain text."""
    return _description(to_text(text))


def _price(text: str) -> Decimal:
    try:
        price = numbers.amount(text, settings.CURRENCY)
    except numbers.Negative:
        raise BadCell(
            _("A price must not be negative: “%(text)s”.") % shown(text)
        ) from None
    except numbers.OtherCurrency as sign:
        raise BadCell(
            _("This price is in %(sign)s. The shop's prices are in %(ours)s.")
            % {"sign": sign, "ours": settings.CURRENCY}
        ) from None
    except numbers.Ambiguous:
        raise BadCell(_ambiguous(text)) from None
    except numbers.NotANumber:
        raise BadCell(_no_price(text)) from None
    rounded = round(price, 2)
    if price != rounded or price >= PRICE_BELOW:
        raise BadCell(_no_price(text))
    return rounded


def _units(text: str) -> int:
    try:
        units = numbers.number(text)
    except numbers.Ambiguous:
        raise BadCell(_ambiguous(text)) from None
    except numbers.NotANumber:
        raise BadCell(_no_units(text)) from None
    if units != int(units) or units > MAX_UNITS:
        raise BadCell(_no_units(text))
    return int(units)


def _grams(text: str) -> int:
    try:
        grams = round(numbers.number(text))
    except numbers.NotANumber:
        grams = -1
    if not 0 <= grams <= MOST_GRAMS:
        raise BadCell(_("This is not a weight in grams: “%(text)s”.") % shown(text))
    return grams


def read_flag(text: str) -> bool:
    """Return whether the text is a word for yes; False if it is a word for no."""
    flag = FLAGS.get(plain(text))
    if flag is None:
        raise BadCell(_("Enter yes or no, not “%(text)s”.") % shown(text))
    return flag


READERS: dict[str, Callable[[str], Any]] = {
    "sku": _sku,
    "name": _line(NAME_MAX),
    "category": _line(CATEGORY_MAX),
    "price": _price,
    "description": _description,
    "stock": _units,
    "active": read_flag,
    "weight": _grams,
    "tax_class": _line(_longest(TaxClass, "name")),
}
# Of the name of an option, and of a variant's value for it.
OPTION_READERS = {
    "name": _line(_longest(Product, "option_names")),
    "value": _line(_longest(Variant, "option_values")),
}


# --- Refusals ---------------------------------------------------------------------


def _refuse_rounded(text: str) -> None:
    if ROUNDED.fullmatch(text):
        raise BadCell(
            _("A spreadsheet has rounded this number. Format its cells as text.")
        )


def _refuse_formulas(text: str) -> None:
    if FAILED_FORMULA.fullmatch(text):
        raise BadCell(_("This formula failed: “%(text)s”.") % shown(text))
    if not text.startswith(FORMULA_SIGNS):
        return
    bar = text.find("|")
    calls_a_program = bar != -1 and bar < text.rfind("!")
    if calls_a_program or FORMULA.match(text):
        raise BadCell(
            _("This looks like a formula: “%(text)s”. Enter its value instead.")
            % shown(text)
        )


def _no_price(text: str) -> str:
    return _("This is not a price: “%(text)s”. Write it as 1234.50.") % shown(text)


def _ambiguous(text: str) -> str:
    return _(
        "“%(text)s” could mean more than one number. Write it without a thousands "
        "separator, like 1234 or 1234.50."
    ) % shown(text)


def _no_units(text: str) -> str:
    return _("Stock must be a whole number, 0 or more: “%(text)s”.") % shown(text)


def _too_long(text: str, limit: int) -> str:
    return _("This has %(length)d characters. The limit is %(limit)d.") % {
        "length": len(text),
        "limit": limit,
    }


def shown(text: str) -> dict[str, str]:
    """Return the value for a message's `text`: the beginning of a long text."""
    return {"text": text if len(text) <= 40 else f"{text[:39]}…"}
