"""What a list offers to narrow it down: links that keep everything else chosen."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from django.urls import reverse
from django.utils.translation import gettext as _

from products.catalogue.filters import Filters
from products.models import ProductCategory
from products.search.services import ANY_PRICE, Band, Facets, bands
from products.templatetags.shop import money


class Choice(NamedTuple):
    """One thing to choose, how many products it leaves, and where it leads: away again
    if it is chosen."""

    label: str
    url: str
    count: int | None = None
    is_chosen: bool = False


def address(path: str, filters: Filters, page: int = 1) -> str:
    """A list's path with what is chosen."""
    query = filters.querystring(page)
    return f"{path}?{query}" if query else path


def category_choices(
    filters: Filters,
    facets: Facets,
    categories: Iterable[ProductCategory],
    chosen: ProductCategory | None,
) -> list[Choice]:
    """Every category in which something is left, and all of them together."""
    counts = facets.categories
    everything = Choice(
        _("Everything"),
        address(reverse("products:list"), filters),
        sum(counts.values()),
        chosen is None,
    )
    return [everything] + [
        Choice(
            category.name,
            address(category.get_absolute_url(), filters),
            counts.get(category.pk, 0),
            category == chosen,
        )
        for category in categories
        if counts.get(category.pk) or category == chosen
    ]


def price_choices(path: str, filters: Filters, facets: Facets) -> list[Choice]:
    """The shop's price bands in which something is left."""
    found = []
    for band, count in zip(bands(), facets.bands, strict=True):
        is_chosen = band == filters.price
        if count or is_chosen:
            goal = ANY_PRICE if is_chosen else band
            url = address(path, filters.but(least=goal.least, most=goal.most))
            found.append(Choice(price_label(band), url, count, is_chosen))
    return found


def chosen(path: str, filters: Filters) -> list[Choice]:
    """What narrows the list, each with the way to the list without it."""
    found = []
    if filters.price != ANY_PRICE:
        wider = filters.but(least=None, most=None)
        found.append(Choice(price_label(filters.price), address(path, wider)))
    if filters.in_stock:
        wider = filters.but(in_stock=False)
        found.append(Choice(_("In stock"), address(path, wider)))
    return found


def price_label(band: Band) -> str:
    """ "€25 to €49.99", "From €100", "Up to €24.99"."""
    if band.least is None:
        return _("Up to %(most)s") % {"most": short(band.most)}
    if band.most is None:
        return _("From %(least)s") % {"least": short(band.least)}
    return _("%(least)s to %(most)s") % {
        "least": short(band.least),
        "most": short(band.most),
    }


def short(amount: Decimal) -> str:
    """Money without cents where there are none."""
    return money(amount).removesuffix(".00").removesuffix(",00")
