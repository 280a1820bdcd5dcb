"""A spreadsheet's text file as records, whatever its encoding, delimiter and size.

Nothing is ever read as a whole: a file of gigabytes, in one line even, costs the memory
of a few lines. What is wrong with one record ends that record, not the reading.
"""

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from django.utils.translation import gettext as _

from products.importing.problems import Problem, Unreadable

CHUNK = 1 << 16
BOM = "\ufeff"
MAX_LINE = 1_000_000  # characters
MAX_BROKEN = 100  # records that cannot be read; then it is not this kind of file
DELIMITERS = ",;\t|"
SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|:^~#])"?[,;\s]*', re.IGNORECASE)  # Excel's

# Files that people upload by mistake, by how they begin.
OTHERS = {
    b"PK\x03\x04": "Excel (xlsx), OpenDocument, ZIP",
    b"PK\x05\x06": "ZIP",
    b"\xd0\xcf\x11\xe0": "Excel (xls)",
    b"\x1f\x8b": "GZIP",
    b"7z\xbc\xaf": "7-Zip",
    b"Rar!": "RAR",
    b"%PDF": "PDF",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"RIFF": "WebP",
    b"SQLite format 3": "SQLite",
    b"\x7fELF": "ELF",
}
MARKS = [  # the longer first: UTF-32's begins as UTF-16's
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
]
CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1f]")
CYRILLIC_WORD = re.compile(rb"[\xc0-\xff\xa8\xb8]{3,}")
HIGH = re.compile(rb"[\x80-\xff]")
UNKNOWN = "\ufffd"  # stands for what could not be decoded

Record = tuple[int, list[str]]


class Table(NamedTuple):
    """A file that is being read: its first record, and the others."""

    encoding: str
    delimiter: str
    header: list[str]
    records: Iterator[Record | Problem]


@contextmanager
def reading(file: BinaryIO, known: Callable[[list[str]], int]) -> Iterator[Table]:
    """Open a table for reading. `known` says how many names of columns it recognises
    among cells, which tells delimiters apart.

    Raises `Unreadable` for what is no text of lines with columns.
    """
    encoding = encoding_of(file)
    file.seek(0)
    text = io.TextIOWrapper(file, encoding, errors="replace", newline="")
    try:
        lines = Lines(text)
        delimiter = _delimiter(lines, known)
        records = _records(lines, delimiter)
        yield Table(encoding, delimiter, _header(records), records)
    finally:
        text.detach()  # the file stays its owner's


# --- Encoding ---------------------------------------------------------------------


def encoding_of(file: BinaryIO) -> str:
    """The name of the encoding: by its mark, else UTF-8 if it can be, else the code
    page of Western or Cyrillic Windows. Raises `Unreadable` for what is no text."""
    file.seek(0)
    sample = file.read(CHUNK)
    if not sample.strip():
        raise Unreadable(_("The file is empty."))
    for start, kind in OTHERS.items():
        if sample.startswith(start):
            raise Unreadable(
                _("This is a %(kind)s file. Save the table as CSV and use that.")
                % {"kind": kind}
            )
    for mark, encoding in MARKS:
        if sample.startswith(mark):
            return encoding
    wide = _wide(sample)
    if wide is None and len(CONTROLS.findall(sample)) > len(sample) / 100:
        raise Unreadable(_("This is no text file. Save the table as CSV."))
    return wide or _narrow(file)


def _wide(sample: bytes) -> str | None:
    """UTF-16 without a mark: in most scripts' tables every other byte is nothing."""
    enough = len(sample) / 2 * 0.4
    if sample[1::2].count(0) > enough > sample[0::2].count(0):
        return "utf-16-le"
    if sample[0::2].count(0) > enough > sample[1::2].count(0):
        return "utf-16-be"
    return None


def _narrow(file: BinaryIO) -> str:
    """UTF-8 unless it has more wrong characters than right ones beyond ASCII."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    right = wrong = 0
    high = b""  # a part with letters beyond ASCII, to tell scripts by
    file.seek(0)
    while chunk := file.read(CHUNK):
        text = decoder.decode(chunk)
        if chunk.isascii():
            continue
        bad = text.count(UNKNOWN)
        wrong += bad
        right += sum(not c.isascii() for c in text) - bad
        high = high or chunk
    if right >= wrong:
        return "utf-8"
    cyrillic = sum(map(len, CYRILLIC_WORD.findall(high)))
    return "cp1251" if cyrillic * 2 > len(HIGH.findall(high)) else "cp1252"


# --- Lines ------------------------------------------------------------------------


class LineTooLong(Exception):
    pass


class Lines:
    """Numbered lines of which those of a broken record can be read once more."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self._record: list[str] = []
        self.number = 0  # of the line read last
        self.first = 1  # of the record's first

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        if self.number < 2:  # the names of columns, and Excel's line before them
            line = line.lstrip(BOM)
        if not line:
            raise StopIteration
        self.number += 1
        self._record.append(line)
        return line

    def begin(self) -> None:
        """A new record begins with the next line."""
        self.first, self._record = self.number + 1, []

    def give_back(self, keep: int) -> None:
        """All lines of the record but the first `keep` are read again."""
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


def _delimiter(lines: Lines, known: Callable[[list[str]], int]) -> str:
    """What separates the names of the columns: what makes the most known ones."""
    lines.begin()
    try:
        first = next(lines)
    except LineTooLong:
        raise Unreadable(_("Its first line is too long to name columns.")) from None
    if said := SEPARATOR_LINE.fullmatch(first):
        return said[1]
    lines.give_back(0)

    def worth(delimiter: str) -> tuple[int, int]:
        cells = _cells(first, delimiter)
        return known(cells), len(cells)

    return max(DELIMITERS, key=worth)


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
    """Each record with the number of its first line; empty ones are left out."""
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
            # A quote that is not closed swallows the lines after it: those again.
            lines.give_back(1)
            yield Problem(lines.first, "", _reason(str(error)))
        broken += 1
        if broken == MAX_BROKEN:
            raise Unreadable(
                _("%(count)d rows cannot be read: is this a CSV file?")
                % {"count": broken}
            )


def _good_records(lines: Lines, reader) -> Iterator[Record]:
    while True:
        lines.begin()
        cells = next(reader, None)
        if cells is None:
            return
        if any(map(str.strip, cells)):
            yield lines.first, cells


def _reason(error: str) -> str:
    if "field limit" in error:
        return _("A cell is too long; perhaps a quote is opened and never closed.")
    if "unexpected end" in error:
        return _("A quote is opened and never closed.")
    return _("A quote inside a quoted cell must be written twice.")
