"""Turns records into rows, which say what a product should be, or into problems."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from products.importing import cells, numbers, shopify
from products.importing.cells import BadCell
from products.importing.columns import Layout
from products.importing.detection import CONTROL, REPLACEMENT
from products.importing.problems import Problem
from products.importing.reading import Record


@dataclass(slots=True)
class Row:
    """What a row says about a product; None for fields that it doesn't mention.

    A row with `warnings` is imported, but somebody should look at it.
    """

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
        """The SKU or slug by which the product is found."""
        return self.sku or self.slug or ""


def rows_of(
    layout: Layout, records: Iterable[Record | Problem]
) -> Iterator[Row | list[Problem]]:
    """Yield each record as a row, or as its problems.

    Shopify's rows that are only pictures are left out.
    """
    previous: dict[str, str] = {}
    for record in records:
        if isinstance(record, Problem):
            yield [record]
            continue
        line, texts = record
        problem = _problem_of_record(layout, line, texts)
        if problem:
            yield [problem]
            continue
        warnings = []
        if len(texts) < layout.width:
            warnings.append(_pad(layout, line, texts))
        fields = layout.pick(texts)
        if layout.is_shopify:
            is_picture = shopify.is_picture(fields)
            fields = previous = shopify.with_product_fields(fields, previous)
            if is_picture:
                continue
            fields = shopify.to_our_fields(fields)
            if numbers.is_negative(fields.get("stock", "")):
                warnings.append(_count_as_zero(layout, line, fields))
        yield _row(layout, line, fields, warnings)


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


def _row(
    layout: Layout, line: int, fields: dict[str, str], warnings: list[Problem]
) -> Row | list[Problem]:
    row, problems = Row(line, warnings=warnings or None), []
    for field, text in fields.items():
        try:
            _read(row, field, text)
        except BadCell as bad:
            problems.append(Problem(line, layout.name(field), str(bad)))
    if not problems and not row.key:
        field = "sku" if "sku" in layout.places else "handle"
        problems.append(Problem(line, layout.name(field), _("This is empty.")))
    return problems or row


def _read(row: Row, field: str, text: str) -> None:
    """Read a cell into the row. An empty cell changes nothing. Raises `BadCell`."""
    text = cells.without_quotes(text)
    if not text:
        return
    match field:
        case "status":  # a product is active if both columns say yes
            row.active = cells.read_flag(text) and row.active is not False
        case "published":
            row.active = cells.read_flag(text)
        case "handle":
            row.slug = cells.read_slug(text)
        case _:
            setattr(row, field, cells.READERS[field](text))
