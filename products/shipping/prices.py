"""The prices of a method as staff write them, a line for each band.

    0–2000: 4.90
    2000–31500: 9.90
    31500–: 24.90

A line with a price alone is the price of everything.
"""

import re
from collections.abc import Iterable
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from products.shipping.services import PriceBand

BAND = re.compile(r"(?P<over>[^-–—:]*)[-–—](?P<up_to>[^-–—:]*):(?P<price>[^:]*)")
NUMBER = re.compile(r"\d{1,10}([.,]\d{1,2})?")


def parse(text: str) -> list[PriceBand]:
    """Return the bands in a text, lowest first.

    Raises `ValidationError` with a message for each wrong line.
    """
    bands: dict[int, PriceBand] = {}
    errors: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            bands[number] = _band(line.strip())
        except ValueError as error:
            text = _("Line %(line)d: %(problem)s")
            errors.append(text % {"line": number, "problem": error})
    errors += _overlaps(bands)
    if errors:
        raise ValidationError([ValidationError(error) for error in errors])
    return sorted(bands.values())


def text_of(bands: Iterable[PriceBand]) -> str:
    """Return the text that `parse` reads."""
    return "\n".join(f"{range_of(band)}: {band.price:.2f}" for band in bands)


def range_of(band: PriceBand) -> str:
    """Return the bounds of a band: "0–2000", or "2000–" without an end."""
    up_to = "" if band.up_to is None else _spelled(band.up_to)
    return f"{_spelled(band.over)}–{up_to}"


def _band(line: str) -> PriceBand:
    """Return the band in a line. Raises `ValueError` with what is wrong."""
    if NUMBER.fullmatch(line):
        return PriceBand(Decimal(0), None, _number(line))
    match = BAND.fullmatch(line)
    if match is None:
        raise ValueError(_("write it like “0–2000: 4.90”."))
    over, end = _number(match["over"]), match["up_to"].strip()
    up_to = _number(end) if end else None
    if up_to is not None and up_to <= over:
        raise ValueError(_("the second number must be above the first."))
    return PriceBand(over, up_to, _number(match["price"]))


def _number(text: str) -> Decimal:
    if not NUMBER.fullmatch(text.strip()):
        raise ValueError(
            _("“%(text)s” is not a number. Write numbers like 2000 or 4.90.")
            % {"text": text.strip()}
        )
    return Decimal(text.strip().replace(",", "."))


def _overlaps(bands: dict[int, PriceBand]) -> list[str]:
    """Return a message for each two neighbours that share numbers."""
    in_order = sorted(bands.items(), key=lambda item: item[1].over)
    text = _("Lines %(one)d and %(other)d overlap: %(first)s and %(second)s.")
    return [
        text
        % {
            "one": min(one, other),
            "other": max(one, other),
            "first": range_of(low),
            "second": range_of(high),
        }
        for (one, low), (other, high) in zip(in_order, in_order[1:], strict=False)
        if low.up_to is None or low.up_to > high.over
    ]


def _spelled(number: Decimal) -> str:
    return f"{number:.0f}" if number == int(number) else f"{number:.2f}"
