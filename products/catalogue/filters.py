"""The filters of a list, read from its address and written back to one.

Unknown parameters and values are ignored, so each list has exactly one canonical
address.
"""

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Self
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from products.catalogue.models import MOST_OPTIONS
from products.search.services import Band

MAX_QUERY = 100  # characters of a search
OPTION = "with-"  # begins the parameter of an option: "with-colour=Tide"
PRICE = re.compile(r"[0-9]{1,10}(?:[.,][0-9]{1,2})?")

RELEVANCE, NAME = "relevance", "name"
SORTS = {
    RELEVANCE: (_("Relevance"), []),
    NAME: (_("Name"), ["name", "pk"]),
    "new": (_("Newest"), ["-created_at", "-pk"]),
    "price": (_("Price: low to high"), ["lowest_price", "pk"]),
    "-price": (_("Price: high to low"), ["-lowest_price", "-pk"]),
}


@dataclass(frozen=True)
class Filters:
    """A search, a price range, option values, "in stock" or not, and a sort order."""

    query: str = ""
    least: Decimal | None = None
    most: Decimal | None = None
    in_stock: bool = False
    options: tuple[tuple[str, str], ...] = ()  # names in small letters with a value
    chosen_sort: str = ""  # as it is in the address; `sort` is the one in use

    @classmethod
    def read(cls, parameters: QueryDict) -> Self:
        """Read filters from the parameters of an address. Never raises."""
        least = price(parameters.get("min", ""))
        most = price(parameters.get("max", ""))
        if least is not None and most is not None and least > most:
            least, most = most, least
        return cls(
            query=search_text(parameters.get("q", "")),
            least=least or None,  # "from 0" is no bound
            most=most,
            in_stock=parameters.get("stock") == "1",
            options=option_values(parameters),
            chosen_sort=parameters.get("sort", ""),
        )

    @property
    def sort(self) -> str:
        """The sort order in use: the chosen one if it applies, else the default.

        The default is relevance for a search and the name without one.
        """
        names = [name for name, _label in self.sorts]
        if self.chosen_sort in names:
            return self.chosen_sort
        return RELEVANCE if self.query else NAME

    @property
    def sorts(self) -> list[tuple[str, str | Promise]]:
        """The sort orders to choose from, as (value, label)."""
        return [
            (name, label)
            for name, (label, _fields) in SORTS.items()
            if self.query or name != RELEVANCE
        ]

    @property
    def order(self) -> list[str]:
        """The fields to sort by; empty for relevance."""
        return SORTS[self.sort][1]

    @property
    def price(self) -> Band:
        return Band(self.least, self.most)

    @property
    def narrows(self) -> bool:
        """Whether any filter but the search itself is in use."""
        has_price = self.least is not None or self.most is not None
        return self.in_stock or has_price or bool(self.options)

    def but(self, **changes) -> Self:
        """Return these filters with changes."""
        return replace(self, **changes)

    def choosing(self, key: str, value: str | None) -> Self:
        """Return these filters with another value of an option; None: with any."""
        others = [pair for pair in self.options if pair[0] != key]
        chosen = [] if value is None else [(key, value)]
        return self.but(options=tuple(sorted([*others, *chosen])))

    def widest(self) -> Self:
        """Return the search and the sort order alone."""
        return self.but(least=None, most=None, in_stock=False, options=())

    def parameters(self) -> dict[str, str]:
        """Return the parameters for an address or for a form's hidden fields."""
        default_sort = self.but(chosen_sort="").sort
        parameters = {
            "q": self.query,
            "min": as_typed(self.least),
            "max": as_typed(self.most),
            "stock": "1" if self.in_stock else "",
            **{f"{OPTION}{key}": value for key, value in self.options},
            "sort": self.sort if self.sort != default_sort else "",
        }
        return {name: value for name, value in parameters.items() if value}

    def querystring(self, page: int = 1) -> str:
        """Return the canonical query string, with the page unless it is the first."""
        pages = {"page": page} if page > 1 else {}
        return urlencode(self.parameters() | pages)


def search_text(text: str) -> str:
    """Return what was typed as one line of valid text, cut to `MAX_QUERY`."""
    text = text.encode("utf-8", "ignore").decode().replace("\x00", "")
    return " ".join(text.split())[:MAX_QUERY].strip()


def option_values(parameters: QueryDict) -> tuple[tuple[str, str], ...]:
    """Return the option values of an address, at most as many as a product has."""
    found = {
        search_text(name.removeprefix(OPTION)).lower(): search_text(value)
        for name, value in parameters.items()
        if name.startswith(OPTION) and isinstance(value, str)
    }
    pairs = sorted((key, value) for key, value in found.items() if key and value)
    return tuple(pairs[:MOST_OPTIONS])


def price(text: str) -> Decimal | None:
    """Return an amount that somebody typed; None if it is no amount."""
    text = text.strip()[:20]
    if not PRICE.fullmatch(text):
        return None
    return Decimal(text.replace(",", "."))


def as_typed(amount: Decimal | None) -> str:
    """Return an amount for a form field, without ".00"; "" for None."""
    if amount is None:
        return ""
    return f"{amount:.2f}".removesuffix(".00")
