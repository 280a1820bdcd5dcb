"""Parts of countries by postcode, as staff write them. Pure.

A line holds a country and the beginnings of its postcodes, one or a range of them:

    DE: 27498, 25845–25849
    ES: 35, 38
    GB: HS, IV, KW1–KW14

British postcodes are compared by their first half: by its letters, then its number.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from django_countries import countries as all_countries

from project import postal

BRITISH = frozenset(["GB", "GG", "IM", "JE"])
BRITISH_START = re.compile(r"([A-Z]{1,2})(\d{0,2})[A-Z]?")
DASH = re.compile("[-–—]")
ALIASES = {"UK": "GB", "EL": "GR"}


class Part(NamedTuple):
    """The postcodes of a country that begin with `first`, `last` or what is between."""

    country: str
    first: str
    last: str

    def __str__(self) -> str:
        return self.first if self.first == self.last else f"{self.first}–{self.last}"

    def contains(self, postcode: str) -> bool:
        code = solid(postcode, self.country)
        if self.country in BRITISH:
            return _british_contains(self.first, self.last, code[:-3])
        size = len(self.first)
        return len(code) >= size and self.first <= code[:size] <= self.last


class Unreadable(ValueError):
    """A line that cannot be read. `reason` is one of the names below."""

    NO_COUNTRY, NO_POSTCODE, NO_RANGE = "country", "postcode", "range"

    def __init__(self, line: int, reason: str, text: str) -> None:
        super().__init__(f"Line {line}: {text!r} ({reason})")
        self.line, self.reason, self.text = line, reason, text


def parse(text: str) -> list[Part]:
    """Return the parts in a text. Raises `Unreadable` for its first wrong line."""
    parts: list[Part] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            parts += _parse_line(number, line)
    return parts


def text_of(parts: list[Part]) -> str:
    """Return the text that `parse` reads, a line for each country."""
    by_country: dict[str, list[str]] = {}
    for part in parts:
        by_country.setdefault(part.country, []).append(str(part))
    return "\n".join(f"{code}: {', '.join(own)}" for code, own in by_country.items())


def solid(postcode: str, country: str) -> str:
    """Return a postcode in capitals, without gaps and without the country before it."""
    code = unicodedata.normalize("NFKC", postcode).upper()
    if _has_digits_only(country):
        code = postal.ABROAD.sub("", code.strip())
    return re.sub("[^0-9A-Z]", "", code)


def _has_digits_only(country: str) -> bool:
    examples = postal.rules(country).examples
    return bool(examples) and re.sub("[ -]", "", examples[0]).isdigit()


def _parse_line(number: int, line: str) -> Iterator[Part]:
    country, colon, codes = line.partition(":")
    country = country.strip().upper()
    country = ALIASES.get(country, country)
    if not colon or country not in all_countries:
        raise Unreadable(number, Unreadable.NO_COUNTRY, line.strip())
    for entry in filter(None, map(str.strip, codes.split(","))):
        yield _parse_entry(number, country, entry)


def _parse_entry(number: int, country: str, entry: str) -> Part:
    ends = [solid(end, country) for end in DASH.split(entry.removesuffix("*"))]
    if len(ends) > 2 or not all(ends):
        raise Unreadable(number, Unreadable.NO_POSTCODE, entry)
    first, last = ends[0], ends[-1]
    if country in BRITISH:
        is_range = _is_british_range(number, entry, first, last)
    else:
        is_range = len(first) == len(last) and first <= last
    if not is_range:
        raise Unreadable(number, Unreadable.NO_RANGE, entry)
    return Part(country, first, last)


# --- British postcodes ------------------------------------------------------------


def _british(start: str) -> tuple[str, int | None] | None:
    """Return the letters and the number of a first half; None if it is none."""
    match = BRITISH_START.fullmatch(start)
    if match is None:
        return None
    return match[1], int(match[2]) if match[2] else None


def _is_british_range(number: int, entry: str, first: str, last: str) -> bool:
    low, high = _british(first), _british(last)
    if low is None or high is None:
        raise Unreadable(number, Unreadable.NO_POSTCODE, entry)
    if first == last:
        return True
    both_numbered = low[1] is not None and high[1] is not None
    return both_numbered and low <= high and low[0] == high[0]


def _british_contains(first: str, last: str, start: str) -> bool:
    letters, number = _british(start) or ("", None)
    low_letters, low = _british(first) or ("", None)
    _letters, high = _british(last) or ("", None)
    if number is None or letters != low_letters:
        return False
    return low is None or high is None or low <= number <= high
