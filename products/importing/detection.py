"""Detects the encoding of a spreadsheet's text file.

A mark at the beginning decides. Without one, UTF-16 is recognised by its zero bytes and
UTF-8 by its rules. For all else `encodings` looks at the letters.
"""

import codecs
import re
from collections.abc import Iterator
from itertools import islice
from typing import IO

from django.utils.translation import gettext as _

from products.importing import encodings
from products.importing.problems import Choice, UnknownEncoding, Unreadable

CHUNK = 1 << 16  # bytes read at a time
BOM = "\ufeff"
REPLACEMENT = "\ufffd"  # stands for bytes that could not be decoded
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
CONTROL_BYTES = re.compile(rb"[\x00-\x08\x0e-\x1f]")
ASCII = bytes(range(128))

# Files that people upload by mistake, by their first bytes.
OTHER_FILES = {
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
MARKS = [  # UTF-32 first, because its mark begins with UTF-16's
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
]
SAMPLE_SIZE = 12_000  # bytes of lines whose letters are examined
LONGEST_PIECE = 2_000
CUTS = re.compile(rb"[\x20-\x2f\x3a-\x3f]")  # never part of a multi-byte character
SHOWN_LINES, SHOWN_LENGTH = 5, 120
CHOICES = 8
# Offered if the letters prove nothing.
COMMON = ["cp1252", "cp1250", "cp1251", "mac-roman", "cp1253", "cp1254", "gb18030"]


def encoding_of(file: IO[bytes], chosen: str | None = None) -> str:
    """Return the name of the file's encoding.

    It is the one that a person has chosen, if any. Raises `Unreadable` for a file that
    is no text, and `UnknownEncoding` if the encoding is not certain.
    """
    file.seek(0)
    sample = file.read(CHUNK)
    _refuse_other_files(sample)
    if chosen is not None:
        return _check_choice(chosen, sample)
    for mark, encoding in MARKS:
        if sample.startswith(mark):
            return encoding
    guess = _utf16_without_mark(sample)
    if guess is not None:
        return guess
    if len(CONTROL_BYTES.findall(sample)) > len(sample) / 100:
        raise Unreadable(_("This is not a text file. Save the table as CSV."))
    return _from_letters(file)


def lines_to_show(file: IO[bytes], encoding: str) -> list[str]:
    """Return some lines with letters beyond ASCII, for a person to check."""
    if encoding.startswith(("utf-16", "utf-32")):
        file.seek(0)
        decoder = codecs.getincrementaldecoder(encoding)("replace")
        lines = decoder.decode(file.read(CHUNK)).lstrip(BOM).splitlines()
        lines = [line for line in lines if not line.isascii()]
    else:
        pieces = islice(_pieces(file), SHOWN_LINES)
        lines = [piece.decode(encoding, "replace") for piece in pieces]
    return [_excerpt(line) for line in lines[:SHOWN_LINES]]


def _refuse_other_files(sample: bytes) -> None:
    if not sample.strip():
        raise Unreadable(_("The file is empty."))
    for start, kind in OTHER_FILES.items():
        if sample.startswith(start):
            raise Unreadable(
                _("This is a %(kind)s file. Save the table as CSV and use that.")
                % {"kind": kind}
            )


def _check_choice(encoding: str, sample: bytes) -> str:
    """Return the chosen encoding. Raises `Unreadable` if it needs a mark."""
    marked = [name for mark, name in MARKS if sample.startswith(mark)]
    if encoding in ("utf-16", "utf-32") and encoding not in marked:
        raise Unreadable(
            _(
                "This file does not begin with a %(encoding)s mark. Choose another "
                "encoding."
            )
            % {"encoding": encoding.upper()}
        )
    return "utf-8-sig" if encoding == "utf-8" else encoding


def _utf16_without_mark(sample: bytes) -> str | None:
    """Return the kind of UTF-16, if every other byte of ASCII characters is zero."""
    odd, even = sample[1::2].count(0), sample[0::2].count(0)
    least = len(sample) / 2 * 0.02
    for encoding, zeros, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if zeros > max(least, others * 4, 4) and _is_text(sample, encoding):
            return encoding
    return None


def _is_text(sample: bytes, encoding: str) -> bool:
    """Return whether a sample, which may end within a character, has this encoding."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return False
    return CONTROL.search(text) is None


def _from_letters(file: IO[bytes]) -> str:
    """Return UTF-8, or the encoding that the letters prove."""
    if _is_utf8(file):
        return "utf-8"
    sample = b"\n".join(_informative_lines(file))
    readings = encodings.readings(sample)
    encoding = encodings.certain(readings, sample)
    if encoding is None:
        likely = [reading.encoding for reading in readings]
        raise UnknownEncoding(_choices(file, likely))
    return encoding


def _is_utf8(file: IO[bytes]) -> bool:
    """Return whether the file is UTF-8, apart from a few bad characters.

    At most one in five characters beyond ASCII may be bad.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    good = bad = 0
    file.seek(0)
    while chunk := file.read(CHUNK):
        text = decoder.decode(chunk)
        if chunk.isascii():
            continue
        bad_here = text.count(REPLACEMENT)
        bad += bad_here
        good += len(text) - len(text.encode("ascii", "ignore")) - bad_here
    bad += bool(decoder.decode(b"", final=True))
    return good >= bad * 4


def _informative_lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the first lines with bytes beyond ASCII, and later ones with new bytes."""
    seen, size = ASCII, 0
    for line in _pieces(file):
        new = line.translate(None, seen)
        if new or size < SAMPLE_SIZE:
            seen += bytes(set(new))
            size += len(line)
            yield line


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines with bytes beyond ASCII; long ones in pieces."""
    file.seek(0)
    rest = b""
    while chunk := file.read(CHUNK):
        *lines, rest = re.split(rb"[\r\n]", rest + chunk)
        if len(rest) > CHUNK:
            *cut, rest = CUTS.split(rest)
            lines += cut
            rest = rest[-CHUNK:]  # a piece without a cut is too long to be of use
        yield from _cut(lines)
    yield from _cut([rest])


def _cut(lines: list[bytes]) -> Iterator[bytes]:
    for line in lines:
        if line.isascii():
            continue
        pieces = [line] if len(line) <= LONGEST_PIECE else CUTS.split(line)
        for piece in pieces:
            if not piece.isascii() and len(piece) <= LONGEST_PIECE:
                yield piece


def _choices(file: IO[bytes], likely: list[str]) -> list[Choice]:
    """Return the likely encodings, each with some lines; those that differ only."""
    lines = list(islice(_informative_lines(file), SHOWN_LINES))
    names = dict.fromkeys([*likely[:CHOICES], *COMMON])
    choices: dict[str, Choice] = {}
    for name in names:
        shown = [_excerpt(line.decode(name, "replace")) for line in lines]
        choices.setdefault("\n".join(shown), Choice(name, shown))
    return list(choices.values())[:CHOICES]


def _excerpt(line: str) -> str:
    """Return the part of a line around its first letter beyond ASCII."""
    line = CONTROL.sub(" ", line.replace(BOM, "")).strip()
    if len(line) <= SHOWN_LENGTH:
        return line
    first = next((n for n, c in enumerate(line) if not c.isascii()), 0)
    start = max(0, first - SHOWN_LENGTH // 2)
    return line[start : start + SHOWN_LENGTH]
