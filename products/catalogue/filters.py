"""What a list is asked for, read from its address and written into it again.

Anything may stand in an address. What means nothing here is left out, so each list has
one address, whatever was asked in whatever order.
"""

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Self
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from products.search.services import Band

MAX_QUERY = 100  # characters of a search
PRICE = re.compile(r"[0-9]{1,10}(?:[.,][0-9]{1,2})?")

RELEVANCE, NAME = "relevance", "name"
SORTS = {
    RELEVANCE: (_("Relevance"), []),
    NAME: (_("Name"), ["name", "pk"]),
    "new": (_("Newest"), ["-created_at", "-pk"]),
    "price": (_("Price: low to high"), ["price", "pk"]),
    "-price": (_("Price: high to low"), ["-price", "-pk"]),
}


@dataclass(frozen=True)
class Filters:
    """A search, a range of prices, whether sold-out products are wanted, an order."""

    query: str = ""
    least: Decimal | None = None
    most: Decimal | None = None
    in_stock: bool = False
    asked_sort: str = ""

    @classmethod
    def read(cls, asked: QueryDict) -> Self:
        """From an address; never an error."""
        least, most = price(asked.get("min", "")), price(asked.get("max", ""))
        if least is not None and most is not None and least > most:
            least, most = most, least
        return cls(
            query=search_text(asked.get("q", "")),
            least=least or None,  # from 0 on is no bound
            most=most,
            in_stock=asked.get("stock") == "1",
            asked_sort=asked.get("sort", ""),
        )

    @property
    def sort(self) -> str:
        """What was found is shown best first, all else by name, unless asked."""
        usual = RELEVANCE if self.query else NAME
        can = self.asked_sort in SORTS and (self.query or self.asked_sort != RELEVANCE)
        return self.asked_sort if can else usual

    @property
    def sorts(self) -> list[tuple[str, str]]:
        """Orders to choose from: (value, label)."""
        offered = SORTS if self.query else SORTS.keys() - {RELEVANCE}
        return [(name, SORTS[name][0]) for name in SORTS if name in offered]

    @property
    def order(self) -> list[str]:
        """As fields; none for relevance."""
        return SORTS[self.sort][1]

    @property
    def price(self) -> Band:
        return Band(self.least, self.most)

    @property
    def narrows(self) -> bool:
        """Whether something was chosen among what was found."""
        return self.in_stock or self.least is not None or self.most is not None

    def but(self, **changes) -> Self:
        """The same with changes."""
        return replace(self, **changes)

    def widest(self) -> Self:
        """The same without what was chosen among it."""
        return self.but(least=None, most=None, in_stock=False)

    def parameters(self) -> dict[str, str]:
        """What says all this in an address or in a form's hidden fields."""
        usual = self.but(asked_sort="").sort
        asked = {
            "q": self.query,
            "min": as_typed(self.least),
            "max": as_typed(self.most),
            "stock": "1" if self.in_stock else "",
            "sort": self.sort if self.sort != usual else "",
        }
        return {name: value for name, value in asked.items() if value}

    def querystring(self, page: int = 1) -> str:
        """The one way to write it, with the page if it is not the first."""
        pages = {"page": page} if page > 1 else {}
        return urlencode(self.parameters() | pages)


def search_text(text: str) -> str:
    """What was typed, in one line, not too long, of characters that are text."""
    text = text.encode("utf-8", "ignore").decode().replace("\x00", "")
    return " ".join(text.split())[:MAX_QUERY].strip()


def price(text: str) -> Decimal | None:
    """An amount as people type it; None for anything else."""
    text = text.strip()[:20]
    if not PRICE.fullmatch(text):
        return None
    return Decimal(text.replace(",", "."))


def as_typed(amount: Decimal | None) -> str:
    """The amount without needless zeros."""
    if amount is None:
        return ""
    return f"{amount:.2f}".removesuffix(".00")
