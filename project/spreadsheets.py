"""Tables that people open in a spreadsheet: how each cell is written.

Whatever the shop writes as CSV for people goes through `Writer`, so that no cell
becomes a formula, whichever delimiter the spreadsheet splits at.
"""

import csv
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.utils import timezone

BOM = "\ufeff"

# A formula begins with one of these; the wide and small forms count as the plain ones.
SIGNS = r"=+@\-＝＋－＠﹢﹣﹦﹫"
# Characters that spreadsheets skip at the start of a cell: spaces, controls,
# marks without width.
SKIPPED = (
    r"\s\x00-\x1f\x7f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\u2800"
    r"\u3164\ufeff"
)
# Where a new cell may begin, if the file is split at another delimiter than ours or its
# text is decoded once more: delimiters, ends of lines, quotes.
BREAKS = (
    r"""[,;|"，；｜﹐﹔\t\r\n\v\f\x1c-\x1e\x85\u2028\u2029]|%(?:0[9ad]|2[2c]|3b|7c)"""
)

SIGN = re.compile(f"[{SIGNS}]")
AT_START = re.compile(f"[{SKIPPED}]*[{SIGNS}]")
INSIDE = re.compile(f'(?:{BREAKS})[{SKIPPED}"]*(?=[{SIGNS}])', re.IGNORECASE)

# Where `reversible` puts its apostrophe.
START = re.compile(
    rf"""((?:\A|{BREAKS})[{SKIPPED}"]*)('*)(?=[{SIGNS}])""", re.IGNORECASE
)

# "+49 30 1234567". Two numbers with nothing but a space between are no formula.
TELEPHONE = re.compile(r"\+[0-9]{1,3} [0-9(][0-9 ()./-]*(?: ?(?:ext\.?|x) ?[0-9]+)?")
# The countries' calling codes: none begins as another one.
CALLING_CODE = re.compile(
    r"(\+(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[0-9]{3}))"
    r"[ ./-]*"
)


class Dialect(NamedTuple):
    """How a program wants its tables: `spaced_time` is a time that Excel knows."""

    delimiter: str
    bom: bool = False
    decimal_mark: str = "."
    spaced_time: bool = False


PLAIN = Dialect(",")
EXCEL = Dialect(",", bom=True)
# Excel takes delimiter and decimal mark from the computer's region: in most of Europe
# these. It would take a line "sep=;" too, but then it no longer sees the BOM.
EUROPEAN_EXCEL = Dialect(";", bom=True, decimal_mark=",", spaced_time=True)


def guarded(text: str) -> str:
    """`text` with an apostrophe before whatever a spreadsheet could take for the start
    of a formula. A telephone number stays as it is."""
    if not SIGN.search(text) or TELEPHONE.fullmatch(text):
        return text
    start = "'" if AT_START.match(text) else ""
    return start + INSIDE.sub(r"\g<0>'", text)


def reversible(text: str) -> str:
    """`text` guarded as by `guarded`, but so that `restored` returns `text`."""
    return START.sub(r"\1'\2", text) if SIGN.search(text) else text


def restored(text: str) -> str:
    """The text that `reversible` has guarded."""
    return START.sub(_without_one, text) if "'" in text else text


def _without_one(place: re.Match) -> str:
    return f"{place[1]}{place[2][1:]}"


def telephone(text: str) -> str:
    """An international number with a space after its calling code: `guarded` leaves it
    alone, and no spreadsheet makes a sum of it. Any other text comes back as it is."""
    plain = " ".join(text.split())
    return CALLING_CODE.sub(r"\1 ", plain, count=1) if plain[:1] == "+" else text


class Writer:
    """Writes the rows of one table as text, in one dialect."""

    def __init__(self, dialect: Dialect, guard: Callable[[str], str] = guarded) -> None:
        self._dialect = dialect
        self._guard = guard
        self._write = csv.writer(_Echo(), delimiter=dialect.delimiter).writerow

    def head(self, columns: Iterable[str]) -> str:
        """The table's beginning: the mark of its encoding, if any, and the names."""
        return (BOM if self._dialect.bom else "") + self._write(columns)

    def row(self, cells: Iterable[object]) -> str:
        return self._write(map(self._cell, cells))

    def number(self, value: Decimal) -> str:
        return str(value).replace(".", self._dialect.decimal_mark)

    def _cell(self, value: object) -> object:
        match value:
            case str():
                return self._guard(value)
            case Decimal():
                return self.number(value)
            case datetime():
                separator = " " if self._dialect.spaced_time else "T"
                local = timezone.localtime(value)
                if self._dialect.spaced_time:
                    local = local.replace(tzinfo=None)
                return local.isoformat(separator, timespec="seconds")
            case _:
                return value


class _Echo:
    """A file whose `write` returns the text."""

    def write(self, text: str) -> str:
        return text
