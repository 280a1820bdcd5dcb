"""Puts the rows of a file together that are about one product.

Shopify's files have a row for each variant and for each further picture. Rows of one
product usually follow each other, but don't have to. A product is imported as a whole:
if one of its rows has a problem, all are left out.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from products.importing.columns import Layout
from products.importing.pictures import Picture
from products.importing.problems import Problem, Unreadable
from products.importing.reading import Record
from products.importing.rows import BadRow, Row, group_of
from products.importing.shopify import NO_OPTION, NO_OPTION_NAME

# The most rows that wait for the last row of their product.
MOST_WAITING = 20_000
# What all rows of a product have in common.
PRODUCT_FIELDS = [
    *("name", "category", "description", "published", "status", "tax_class")
]


@dataclass(slots=True)
class Group:
    """The rows of a product, one for each variant; the first has its fields.

    `option_names` are None if the file doesn't mention them, and empty if it says that
    there are no options.
    """

    rows: list[Row]
    line: int  # of the first row
    group: str = ""  # as in `Row`
    size: int = 1  # rows of the file, with those that are only pictures
    is_shopify: bool = False
    option_names: list[str] | None = None
    pictures: list[Picture] = field(default_factory=list)

    @property
    def head(self) -> Row:
        return self.rows[0]

    def mentions_options(self, row: Row) -> bool:
        """Return whether the file says what the row's option values are."""
        return bool(row.option_values) or self.option_names == []


@dataclass(slots=True)
class BadGroup:
    """The rows of a product that is left out."""

    problems: list[Problem]
    line: int  # of the first row
    group: str = ""  # as in `Row`
    size: int = 1


def last_lines(layout: Layout, records: Iterable[Record | Problem]) -> dict[str, int]:
    """Return the line of the last row of each product of a Shopify file."""
    lines: dict[str, int] = {}
    try:
        for record in records:
            if not isinstance(record, Problem):
                line, texts = record
                lines[group_of(layout, texts)] = line
    except Unreadable:  # it will be reported when the rows are read
        pass
    return lines


def groups_of(
    layout: Layout, rows: Iterable[Row | BadRow], last: dict[str, int]
) -> Iterator[Group | BadGroup]:
    """Yield the products of a file, each when its last row has been read.

    `last` are the `last_lines`. Raises `Unreadable` if too many rows would have to
    wait.
    """
    waiting: dict[str, list[Row | BadRow]] = {}
    count = 0
    for row in rows:
        if not layout.is_shopify or not row.group:
            yield _alone(row)
            continue
        members = waiting.setdefault(row.group, [])
        members.append(row)
        count += 1
        if row.line >= last.get(row.group, 0):
            del waiting[row.group]
            count -= len(members)
            yield _together(layout, members)
        elif count > MOST_WAITING:
            text = _(
                "the rows of a product are too far apart. Sort the file by handle."
            )
            raise Unreadable(text)


def _alone(row: Row | BadRow) -> Group | BadGroup:
    if isinstance(row, Row):
        return Group([row], row.line)
    return BadGroup(row.problems, row.line)


def _together(layout: Layout, members: list[Row | BadRow]) -> Group | BadGroup:
    place = (members[0].line, members[0].group, len(members))
    problems = [p for row in members if isinstance(row, BadRow) for p in row.problems]
    rows = [row for row in members if isinstance(row, Row)]
    if rows:
        group = Group(_variants(rows), *place, is_shopify=True)
        group.pictures = _pictures(rows)
        problems += _merge(layout, rows, group.head)
        if not problems:
            problems = _set_options(layout, rows, group)
    if not problems:
        return group
    return BadGroup(problems, *place)


def _variants(rows: list[Row]) -> list[Row]:
    """Return the rows that are variants. Others have a picture, or only the product."""
    return [row for row in rows if row.is_variant] or rows[:1]


def _pictures(rows: list[Row]) -> list[Picture]:
    """Return each picture of a product once, those of variants included."""
    pictures = [row.picture for row in rows if row.picture]
    pictures += [row.variant_picture for row in rows if row.variant_picture]
    by_url: dict[str, Picture] = {}
    for picture in pictures:
        by_url.setdefault(picture.url, picture)
    return list(by_url.values())


def _merge(layout: Layout, rows: list[Row], head: Row) -> list[Problem]:
    """Set what the rows say about the product in `head`; return where they disagree."""
    problems = []
    for name in PRODUCT_FIELDS:
        values = [(row, getattr(row, name)) for row in rows]
        value, differing = _agreed(layout.name(name), values)
        setattr(head, name, value)
        problems += differing
    flags = [flag for flag in (head.published, head.status) if flag is not None]
    head.active = all(flags) if flags else None
    return problems


def _agreed(column: str, values: list[tuple[Row, Any]]) -> tuple[Any, list[Problem]]:
    """Return the first value that is not None, and a problem for each other one."""
    present = [(row, value) for row, value in values if value is not None]
    if not present:
        return None, []
    first, agreed = present[0]
    text = _("This differs from line %(line)d, which is about the same product.")
    text %= {"line": first.line}
    return agreed, [
        Problem(row.line, column, text) for row, value in present if value != agreed
    ]


# --- Options ----------------------------------------------------------------------


def _set_options(layout: Layout, rows: list[Row], group: Group) -> list[Problem]:
    """Set the names of the product's options; return what is wrong with options."""
    names: dict[int, str] = {}
    problems = []
    for number in (1, 2, 3):
        column = layout.name(f"option{number} name")
        values = [(row, row.option_names.get(number)) for row in rows]
        name, differing = _agreed(column, values)
        problems += differing
        if name is not None:
            names[number] = name
    if problems:
        return problems
    if _has_no_options(names, group.rows):
        group.option_names = []
        for row in group.rows:
            row.option_values = {}
        return []
    used = {number for row in group.rows for number in row.option_values} | names.keys()
    if not used:
        return []
    for number in range(1, max(used) + 1):
        problems += _gaps(layout, group.rows, names, number)
    if names:
        group.option_names = [names.get(n, "") for n in range(1, max(used) + 1)]
    return problems


def _has_no_options(names: dict[int, str], rows: list[Row]) -> bool:
    """Return whether the option is the one that stands for none."""
    values = {text for row in rows for text in row.option_values.values()}
    is_named = names == {1: NO_OPTION_NAME}
    return values == {NO_OPTION} or (is_named and not values)


def _gaps(
    layout: Layout, rows: list[Row], names: dict[int, str], number: int
) -> Iterator[Problem]:
    """Yield a problem for each value, and for the name, that is missing."""
    empty = _("This is empty.")
    if names and number not in names:
        column = layout.name(f"option{number} name")
        yield Problem(rows[0].line, column, empty)
    for row in rows:
        if row.option_values and number not in row.option_values:
            yield Problem(row.line, layout.name(f"option{number} value"), empty)
