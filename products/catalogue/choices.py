"""Links that narrow down a list; each keeps all other filters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from django.urls import reverse
from django.utils.translation import gettext as _

from products.catalogue.filters import Filters
from products.models import ProductCategory
from products.search.options import Values
from products.search.services import ANY_PRICE, Band, Facets, bands
from products.templatetags.shop import money


@dataclass(frozen=True)
class Choice:
    """One link of a filter, and how many products it would leave.

    The link of a choice that is already made removes it.
    """

    label: str
    url: str
    count: int | None = None
    is_chosen: bool = False


def address(path: str, filters: Filters, page: int = 1) -> str:
    """Return the address of a list with these filters."""
    query = filters.querystring(page)
    return f"{path}?{query}" if query else path


def category_choices(
    filters: Filters,
    facets: Facets,
    categories: Iterable[ProductCategory],
    chosen: ProductCategory | None,
) -> list[Choice]:
    """Return "Everything", then each category in which products are left."""
    counts = facets.categories
    everything = Choice(
        _("Everything"),
        address(reverse("products:list"), filters),
        sum(counts.values()),
        chosen is None,
    )
    choices = [everything]
    for category in categories:
        count = counts.get(category.pk, 0)
        is_chosen = category == chosen
        if count or is_chosen:
            url = address(category.get_absolute_url(), filters)
            choices.append(Choice(category.name, url, count, is_chosen))
    return choices


def price_choices(path: str, filters: Filters, facets: Facets) -> list[Choice]:
    """Return the price bands in which products are left."""
    choices = []
    for band, count in zip(bands(), facets.bands, strict=True):
        is_chosen = band == filters.price
        if count or is_chosen:
            target = ANY_PRICE if is_chosen else band
            url = address(path, filters.but(least=target.least, most=target.most))
            choices.append(Choice(price_label(band), url, count, is_chosen))
    return choices


class OptionChoices(NamedTuple):
    """The values of an option that narrow a list down."""

    name: str
    choices: list[Choice]


def option_choices(path: str, filters: Filters, facets: Facets) -> list[OptionChoices]:
    """Return the options of which several values are left, or one that is chosen."""
    options = []
    taken = dict(filters.options)
    for values in facets.options:
        if len(values.counts) < 2 and values.key not in taken:
            continue
        choices = [
            Choice(
                value,
                address(
                    path, filters.choosing(values.key, _other(value, taken, values))
                ),
                count,
                taken.get(values.key) == value,
            )
            for value, count in values.counts.items()
        ]
        options.append(OptionChoices(values.name, choices))
    return options


def _other(value: str, taken: Mapping[str, str], values: Values) -> str | None:
    """Return what the link of a value chooses: nothing if it is chosen already."""
    return None if taken.get(values.key) == value else value


def chosen(path: str, filters: Filters) -> list[Choice]:
    """Return the filters in use, each with a link that removes it."""
    choices = []
    if filters.price != ANY_PRICE:
        wider = filters.but(least=None, most=None)
        choices.append(Choice(price_label(filters.price), address(path, wider)))
    for key, value in filters.options:
        wider = filters.choosing(key, None)
        label = f"{key.capitalize()}: {value}"
        choices.append(Choice(label, address(path, wider)))
    if filters.in_stock:
        wider = filters.but(in_stock=False)
        choices.append(Choice(_("In stock"), address(path, wider)))
    return choices


def price_label(band: Band) -> str:
    """Return a label such as "€25 to €49.99", "From €100" or "Up to €24.99"."""
    if band.least is None:
        assert band.most is not None
        return _("Up to %(most)s") % {"most": short(band.most)}
    if band.most is None:
        return _("From %(least)s") % {"least": short(band.least)}
    return _("%(least)s to %(most)s") % {
        "least": short(band.least),
        "most": short(band.most),
    }


def short(amount: Decimal) -> str:
    """Return the amount with its currency, without ".00"."""
    return money(amount).removesuffix(".00").removesuffix(",00")
