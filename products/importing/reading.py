"""Reads a spreadsheet's text file as records.

The file is never in memory as a whole, not even if it is a single line of gigabytes. An
error in a record ends that record, not the reading.
"""

import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple

from django.utils.translation import gettext as _

from products.importing.detection import BOM, encoding_of, lines_to_show
from products.importing.problems import Problem, Unreadable

MAX_LINE = 1_000_000  # characters
MAX_BROKEN = 100  # broken records, after which the file counts as no CSV
DELIMITERS = ",;\t|"
SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|:^~#])"?[,;\s]*', re.IGNORECASE)  # Excel's

Record = tuple[int, list[str]]  # the number of its first line, and its cells


class Table(NamedTuple):
    """An open file: its first record, and an iterator over the others.

    `again` begins anew after the first record. Only the newest iterator may be used.
    """

    encoding: str
    delimiter: str
    header: list[str]
    records: Iterator[Record | Problem]
    sample: list[str]  # lines with letters beyond ASCII
    again: Callable[[], Iterator[Record | Problem]]


@contextmanager
def reading(
    file: IO[bytes],
    count_known: Callable[[list[str]], int],
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> Iterator[Table]:
    """Open a table for reading.

    `encoding` and `delimiter` are a person's choice; None to detect them. `count_known`
    returns how many of some cells are names of columns, which decides the delimiter.

    Raises `Unreadable` for a file that is no table, and `UnknownEncoding` if its
    encoding is not certain.
    """
    encoding = encoding_of(file, encoding)
    sample = lines_to_show(file, encoding)
    file.seek(0)
    text = io.TextIOWrapper(file, encoding, errors="replace", newline="")
    try:
        lines = Lines(text)
        delimiter = _delimiter(lines, count_known, delimiter)
        records = _records(lines, delimiter)

        def again() -> Iterator[Record | Problem]:
            text.seek(0)
            lines = Lines(text)
            records = _records(lines, _delimiter(lines, count_known, delimiter))
            _header(records)
            return records

        yield Table(encoding, delimiter, _header(records), records, sample, again)
    finally:
        text.detach()  # so that the caller's file stays open


# --- Lines ------------------------------------------------------------------------


class LineTooLong(Exception):
    """A line has `MAX_LINE` characters or more. It is skipped."""


class Lines:
    """Numbered lines of a text. Those of a broken record can be read once more."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self._record: list[str] = []
        self.number = 0  # of the last line that was read
        self.first = 1  # of the first line of the record

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        if self.number < 2:  # the names of columns, or Excel's line before them
            line = line.lstrip(BOM)
        if not line:
            raise StopIteration
        self.number += 1
        self._record.append(line)
        return line

    def begin(self) -> None:
        """Begin a new record with the next line."""
        self.first, self._record = self.number + 1, []

    def give_back(self, keep: int) -> None:
        """Read the lines of this record again, but for the first `keep`."""
        back = self._record[keep:]
        self._again.extendleft(reversed(back))
        self.number -= len(back)

    def _read(self) -> str:
        line = self._text.readline(MAX_LINE)
        if len(line) < MAX_LINE:
            return line
        while part := self._text.readline(MAX_LINE):
            if part.endswith(("\n", "\r")):
                break
        self.number += 1
        raise LineTooLong


# --- Records ----------------------------------------------------------------------


def _delimiter(
    lines: Lines, count_known: Callable[[list[str]], int], chosen: str | None
) -> str:
    """Return the chosen delimiter, or the one that yields the most names of columns."""
    lines.begin()
    try:
        first = next(lines)
    except LineTooLong:
        raise Unreadable(
            _("The first line is too long to contain column names.")
        ) from None
    separator = SEPARATOR_LINE.fullmatch(first)
    if separator:
        return chosen or separator[1]
    lines.give_back(0)
    if chosen:
        return chosen

    def score(delimiter: str) -> tuple[int, int]:
        cells = _cells(first, delimiter)
        return count_known(cells), len(cells)

    return max(DELIMITERS, key=score)


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _header(records: Iterator[Record | Problem]) -> list[str]:
    match next(records, None):
        case None:
            raise Unreadable(_("The file is empty."))
        case Problem() as problem:
            raise Unreadable(str(problem))
        case (_, cells):
            return cells


def _records(lines: Lines, delimiter: str) -> Iterator[Record | Problem]:
    """Yield each record that is not empty, or its problem."""
    broken = 0
    while True:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            yield from _good_records(lines, reader)
            return
        except LineTooLong:
            text = _("The line is longer than %(limit)d characters.") % {
                "limit": MAX_LINE
            }
            yield Problem(lines.first, "", text)
        except csv.Error as error:
            # An open quote swallows the lines after it, so read those again.
            lines.give_back(1)
            yield Problem(lines.first, "", _describe(str(error)))
        broken += 1
        if broken == MAX_BROKEN:
            raise Unreadable(
                _("%(count)d rows can’t be read. Is this a CSV file?")
                % {"count": broken}
            )


def _good_records(lines: Lines, reader: Iterator[list[str]]) -> Iterator[Record]:
    while True:
        lines.begin()
        cells = next(reader, None)
        if cells is None:
            return
        if any(map(str.strip, cells)):
            yield lines.first, cells


def _describe(error: str) -> str:
    if "field limit" in error:
        return _("A cell is too long. A closing quote may be missing.")
    if "unexpected end" in error:
        return _("A closing quote is missing.")
    return _("A quote inside a quoted cell must be written twice.")
