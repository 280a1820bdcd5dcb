"""Turns records into rows, which say what a variant should be, or into problems."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from django.utils.translation import gettext as _

from products.importing import cells, numbers, shopify
from products.importing.cells import BadCell
from products.importing.columns import Layout
from products.importing.detection import CONTROL, REPLACEMENT
from products.importing.pictures import Picture, picture_of, variant_picture_of
from products.importing.problems import Problem
from products.importing.reading import Record
from products.models import TaxClass

# Cells with numbers and flags, whose readers refuse everything else.
NUMBERS = {"price", "stock", "weight", "active", "sold", "taxable"}
NUMBERS |= {"published", "status"}


@dataclass(slots=True)
class Row:
    """What a row says about a variant and its product.

    Fields that it doesn't mention are None. A row with `warnings` is imported, but
    somebody should look at it.
    """

    line: int
    sku: str | None = None
    slug: str | None = None
    handle: str | None = field(default=None, compare=False)  # as it is in the file
    name: str | None = None
    category: str | None = None
    price: Decimal | None = None
    description: str | None = None
    stock: int | None = None
    active: bool | None = None
    # Only in Shopify's files:
    group: str = ""  # rows with the same text are of one product
    is_variant: bool = True  # else it has only fields of the product, or a picture
    weight: int | None = None
    tax_class: str | None = None
    sold: bool | None = None  # whether the variant itself is active
    published: bool | None = None  # a product is active if both this
    status: bool | None = None  # and this say yes
    option_names: dict[int, str] = field(default_factory=dict)  # by number, from 1
    option_values: dict[int, str] = field(default_factory=dict)
    picture: Picture | None = None
    variant_picture: Picture | None = None
    warnings: list[Problem] | None = None

    @property
    def key(self) -> str:
        """The SKU or slug by which the product is found."""
        return self.sku or self.slug or ""

    @property
    def values(self) -> list[str]:
        """The option values in order."""
        return [self.option_values[number] for number in sorted(self.option_values)]


@dataclass(slots=True)
class BadRow:
    """A row with problems."""

    problems: list[Problem]
    group: str = ""  # as in `Row`

    @property
    def line(self) -> int:
        return self.problems[0].line


def group_of(layout: Layout, texts: list[str]) -> str:
    """Return a text that the rows of one product have in common; "" if there is none.

    Shopify makes the handle of the title if there is none.
    """
    if not layout.is_shopify:
        return ""
    for name in ("handle", "name"):
        place = layout.places.get(name, len(texts))
        text = texts[place].casefold().split() if place < len(texts) else []
        if text:
            return " ".join(text)
    return ""


def rows_of(
    layout: Layout, records: Iterable[Record | Problem]
) -> Iterator[Row | BadRow]:
    """Yield each record as a row, or with its problems."""
    for record in records:
        if isinstance(record, Problem):
            yield BadRow([record])
        else:
            yield _row_of(layout, *record)


def _row_of(layout: Layout, line: int, texts: list[str]) -> Row | BadRow:
    problem = _problem_of_record(layout, line, texts)
    if problem:
        return BadRow([problem], group_of(layout, texts))
    warnings = []
    if len(texts) < layout.width:
        warnings.append(_pad(layout, line, texts))
    fields = layout.pick(texts)
    if not layout.is_shopify:
        return _read_all(Row(line), layout, fields, warnings)
    row = Row(line, group=group_of(layout, texts))
    row.is_variant = shopify.is_variant(fields)
    row.picture, about_picture = picture_of(layout, line, fields)
    row.variant_picture, about_variant = variant_picture_of(layout, line, fields)
    warnings += about_picture + about_variant
    fields = shopify.to_our_fields(fields)
    if numbers.is_negative(fields.get("stock", "")):
        warnings.append(_count_as_zero(layout, line, fields))
    read = _read_all(row, layout, fields, warnings)
    if row.sku:
        # An apostrophe keeps spreadsheets from taking a SKU for a number.
        row.sku = row.sku.removeprefix("'")
    return read


def _problem_of_record(layout: Layout, line: int, texts: list[str]) -> Problem | None:
    """Return what is wrong with the record as a whole, if anything."""
    width = len(texts)
    if width > layout.width and any(map(str.strip, texts[layout.width :])):
        text = _("The row has %(there)d cells, the first line has %(width)d.")
        return Problem(line, "", text % {"there": width, "width": layout.width})
    text = "".join(texts)
    if REPLACEMENT in text:
        return Problem(line, "", _("Some characters don’t fit the file’s encoding."))
    if CONTROL.search(text):
        return Problem(line, "", _("The row contains control characters, such as NUL."))
    return None


def _pad(layout: Layout, line: int, texts: list[str]) -> Problem:
    """Add the missing cells to a short record; return a warning.

    Spreadsheets leave out empty cells at the end. But the row could also be one that a
    line break has cut in two.
    """
    text = _(
        "The row has only %(there)d of %(width)d cells. The others are treated "
        "as empty."
    )
    text %= {"there": len(texts), "width": layout.width}
    texts += [""] * (layout.width - len(texts))
    return Problem(line, "", text)


def _count_as_zero(layout: Layout, line: int, fields: dict[str, str]) -> Problem:
    """Set a negative stock to 0; return a warning. Shopify sells below zero."""
    text = _("Shopify’s stock is below zero: “%(text)s”. It is treated as 0.")
    text %= cells.shown(fields["stock"])
    fields["stock"] = "0"
    return Problem(line, layout.name("stock"), text)


def _read_all(
    row: Row, layout: Layout, fields: dict[str, str], warnings: list[Problem]
) -> Row | BadRow:
    """Read the cells of a record into `row`."""
    row.warnings = warnings or None
    problems = []
    for name, text in fields.items():
        try:
            _read(row, name, text)
        except BadCell as bad:
            problems.append(Problem(row.line, layout.name(name), str(bad)))
    if not problems and not row.key:
        column = "handle" if layout.is_shopify or "sku" not in layout.places else "sku"
        problems.append(Problem(row.line, layout.name(column), _("This is empty.")))
    return BadRow(problems, row.group) if problems else row


def _read(row: Row, name: str, text: str) -> None:
    """Read a cell into the row. An empty cell changes nothing. Raises `BadCell`."""
    text = cells.without_quotes(text)
    if not text:
        return
    if name not in NUMBERS:
        text = cells.without_guard(text)
    match name:
        case "handle":
            row.slug = cells.read_slug(text)
            row.handle = text
        case "html":
            row.description = cells.read_html(text)
        case "taxable":
            row.tax_class = None if cells.read_flag(text) else TaxClass.ZERO
        case "published" | "status" | "sold":
            setattr(row, name, cells.read_flag(text))
        case _ if name.startswith("option"):
            number, part = int(name[6]), name[8:]
            texts = row.option_names if part == "name" else row.option_values
            texts[number] = cells.OPTION_READERS[part](text)
        case _:
            setattr(row, name, cells.READERS[name](text))
