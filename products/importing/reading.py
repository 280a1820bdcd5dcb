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
from itertools import islice
from typing import BinaryIO, NamedTuple

from django.utils.translation import gettext as _

from products.importing import encodings
from products.importing.problems import (
    Choice,
    Problem,
    UnknownEncoding,
    Unreadable,
)

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
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
ASCII = bytes(range(128))
TELLING_SIZE = 12_000  # bytes of lines that the letters are looked at in
LONGEST_PIECE = 2_000
CUTS = re.compile(rb"[\x20-\x2f\x3a-\x3f]")  # never a part of another character
SHOWN, SHOWN_LENGTH = 5, 120  # lines that a person is shown
CHOICES = 8
# What is offered where the letters say nothing.
COMMON = ["cp1252", "cp1250", "cp1251", "mac-roman", "cp1253", "cp1254", "gb18030"]
UNKNOWN = "\ufffd"  # stands for what could not be decoded

Record = tuple[int, list[str]]


class Table(NamedTuple):
    """A file that is being read: its first record, and the others."""

    encoding: str
    delimiter: str
    header: list[str]
    records: Iterator[Record | Problem]
    sample: list[str]  # lines with letters beyond ASCII


@contextmanager
def reading(
    file: BinaryIO,
    known: Callable[[list[str]], int],
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> Iterator[Table]:
    """Open a table for reading. `known` says how many names of columns it recognises
    among cells, which tells delimiters apart. `encoding` and `delimiter` are a person's
    choice; without it they are found out.

    Raises `Unreadable` for what is no text of lines with columns, `UnknownEncoding` if
    it is not certain what its letters are.
    """
    found = encoding_of(file, encoding)
    sample = _shown(file, found)
    file.seek(0)
    text = io.TextIOWrapper(file, found, errors="replace", newline="")
    try:
        lines = Lines(text)
        delimiter = _delimiter(lines, known, delimiter)
        records = _records(lines, delimiter)
        yield Table(found, delimiter, _header(records), records, sample)
    finally:
        text.detach()  # the file stays its owner's


# --- Encoding ---------------------------------------------------------------------


def encoding_of(file: BinaryIO, chosen: str | None = None) -> str:
    """The name of the encoding: the chosen one, else by the file's mark, else UTF-8 if
    it can be, else by its letters. Raises `Unreadable` for what is no text, and
    `UnknownEncoding`."""
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
    if chosen is not None:
        return _chosen(chosen, sample)
    for mark, encoding in MARKS:
        if sample.startswith(mark):
            return encoding
    wide = _wide(sample)
    if wide is None and len(CONTROLS.findall(sample)) > len(sample) / 100:
        raise Unreadable(_("This is no text file. Save the table as CSV."))
    return wide or _narrow(file)


def _chosen(encoding: str, sample: bytes) -> str:
    """The encoding that a person chose. Raises `Unreadable` if it needs a mark that is
    not there."""
    needs_mark = encoding in ("utf-16", "utf-32")
    if needs_mark and (encoding not in (e for m, e in MARKS if sample.startswith(m))):
        raise Unreadable(
            _("This file does not begin with a %(encoding)s mark. Choose another one.")
            % {"encoding": encoding.upper()}
        )
    return "utf-8-sig" if encoding == "utf-8" else encoding


def _wide(sample: bytes) -> str | None:
    """UTF-16 without a mark: delimiters and names of columns leave every other byte
    zero, and few of those between."""
    odd, even = sample[1::2].count(0), sample[0::2].count(0)
    few = len(sample) / 2 * 0.02
    for encoding, zeros, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if zeros > max(few, others * 4, 4) and _is_text(sample, encoding):
            return encoding
    return None


def _is_text(sample: bytes, encoding: str) -> bool:
    """Whether a part of a file, which may end within a character, is in an encoding."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return False
    return CONTROL.search(text) is None


def _narrow(file: BinaryIO) -> str:
    """UTF-8 if it is, or but for a few characters; else what its letters prove."""
    if _is_utf8(file):
        return "utf-8"
    sample = b"\n".join(_telling(file))
    found = encodings.readings(sample)
    encoding = encodings.certain(found, sample)
    if encoding is None:
        raise UnknownEncoding(_choices(file, [each.encoding for each in found]))
    return encoding


def _is_utf8(file: BinaryIO) -> bool:
    """Whether the file has not more than one wrong character for each four right ones
    beyond ASCII."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    right = wrong = 0
    file.seek(0)
    while chunk := file.read(CHUNK):
        text = decoder.decode(chunk)
        if chunk.isascii():
            continue
        bad = text.count(UNKNOWN)
        wrong += bad
        right += len(text) - len(text.encode("ascii", "ignore")) - bad
    wrong += bool(decoder.decode(b"", final=True))
    return right >= wrong * 4


def _telling(file: BinaryIO) -> Iterator[bytes]:
    """Lines with letters beyond ASCII: the first ones, then those of the whole file in
    which a byte comes that no line before has had."""
    seen, size = ASCII, 0
    for line in _pieces(file):
        new = line.translate(None, seen)
        if new or size < TELLING_SIZE:
            seen += bytes(set(new))
            size += len(line)
            yield line


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """Lines with letters beyond ASCII, of which long ones are cut into pieces."""
    file.seek(0)
    rest = b""
    while chunk := file.read(CHUNK):
        *lines, rest = re.split(rb"[\r\n]", rest + chunk)
        if len(rest) > CHUNK:
            *cut, rest = CUTS.split(rest)
            lines += cut
            rest = rest[-CHUNK:]  # too long to be shown or looked at
        yield from _short(lines)
    yield from _short([rest])


def _short(lines: list[bytes]) -> Iterator[bytes]:
    for line in lines:
        if line.isascii():
            continue
        pieces = [line] if len(line) <= LONGEST_PIECE else CUTS.split(line)
        for piece in pieces:
            if not piece.isascii() and len(piece) <= LONGEST_PIECE:
                yield piece


def _choices(file: BinaryIO, likely: list[str]) -> list[Choice]:
    """The likely encodings with some of the lines that they differ in."""
    lines = list(islice(_telling(file), SHOWN))
    names = dict.fromkeys([*likely[:CHOICES], *COMMON])
    found: dict[str, Choice] = {}
    for name in names:
        shown = [_clear(line.decode(name, "replace")) for line in lines]
        found.setdefault("\n".join(shown), Choice(name, shown))
    return list(found.values())[:CHOICES]


def _shown(file: BinaryIO, encoding: str) -> list[str]:
    """Some lines with letters beyond ASCII as they are read, for people to look at."""
    if encoding.startswith(("utf-16", "utf-32")):
        file.seek(0)
        decoder = codecs.getincrementaldecoder(encoding)("replace")
        lines = decoder.decode(file.read(CHUNK)).lstrip(BOM).splitlines()
        lines = [line for line in lines if not line.isascii()]
    else:
        found = islice(_pieces(file), SHOWN)
        lines = [line.decode(encoding, "replace") for line in found]
    return [_clear(line) for line in lines[:SHOWN]]


def _clear(line: str) -> str:
    """A line to show: no controls, the part round its first letter beyond ASCII."""
    line = CONTROL.sub(" ", line.replace(BOM, "")).strip()
    first = next((n for n, c in enumerate(line) if not c.isascii()), 0)
    start = max(0, first - SHOWN_LENGTH // 2) if len(line) > SHOWN_LENGTH else 0
    return line[start : start + SHOWN_LENGTH]


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


def _delimiter(
    lines: Lines, known: Callable[[list[str]], int], chosen: str | None
) -> str:
    """What separates the names of the columns: the chosen one, else what makes the most
    known ones."""
    lines.begin()
    try:
        first = next(lines)
    except LineTooLong:
        raise Unreadable(_("Its first line is too long to name columns.")) from None
    if said := SEPARATOR_LINE.fullmatch(first):
        return chosen or said[1]
    lines.give_back(0)
    if chosen:
        return chosen

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
