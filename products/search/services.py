"""Search: count products for filters, correct typos, suggest while typing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Func, IntegerField, Q, QuerySet, Value

from products.catalogue.models import ProductQuerySet
from products.models import Product, ProductCategory, SearchWord
from products.pagecache import caching
from products.search import options as option_counts
from products.search.options import Pair, Values
from products.search.queries import MAX_WORDS, words
from project.celery import later

SHORTEST_SUGGESTION = 2  # letters
SUGGESTED_PRODUCTS, SUGGESTED_CATEGORIES = 6, 3
MAX_CORRECTED = 6  # words of a query
MANY = 500  # products; after a change of more, all words are read again

Row = Mapping[str, Any]


class Band(NamedTuple):
    """Prices from `least` to `most`, both included; None for no bound."""

    least: Decimal | None
    most: Decimal | None

    @property
    def condition(self) -> Q:
        """The condition that a product's lowest price is in this band."""
        condition = Q()
        if self.least is not None:
            condition &= Q(lowest_price__gte=self.least)
        if self.most is not None:
            condition &= Q(lowest_price__lte=self.most)
        return condition


ANY_PRICE = Band(None, None)


def bands() -> list[Band]:
    """Return the shop's price bands, which end at `settings.PRICE_BANDS`."""
    ends = [Decimal(end) for end in settings.PRICE_BANDS]
    tops = [end - Decimal("0.01") for end in ends]
    return [Band(*band) for band in zip([None, *ends], [*tops, None], strict=True)]


# --- Counting ---------------------------------------------------------------------


class Facets(NamedTuple):
    """How many products each filter would leave.

    Each number ignores the choice made in its own filter and respects all others.
    """

    matching: int  # products that match the text, before any filter
    total: int  # products on the page's list
    categories: dict[int, int]  # category's key → number
    in_stock: int
    bands: list[int]  # in the order of `bands()`
    options: list[Values]  # the most common first


def facets(
    *,
    text: str,
    category: int | None,
    price: Band,
    in_stock: bool,
    options: Sequence[Pair] = (),
) -> Facets:
    """Count the active products for each filter.

    This takes one query, one for option values, and one for each option that is chosen.
    Counts without any filter are cached. Others are not.
    """
    if text or in_stock or options or price != ANY_PRICE:
        rows = _count(text, price, in_stock, options)
        values = []
        if rows or options:  # without products there are no values but chosen ones
            values = _count_values(text, category, price, in_stock, options)
    else:
        rows = caching.cached(
            "counts", caching.CATALOGUE, lambda: _count("", ANY_PRICE, False, ())
        )
        values = _cached_values(category)
    here = [row for row in rows if category in (None, row["category"])]
    by_band = _sums(here, "band", "offered")
    return Facets(
        matching=sum(row["matching"] for row in rows),
        total=sum(row["total"] for row in here),
        categories=_sums(rows, "category", "total"),
        in_stock=sum(row["in_stock"] for row in here),
        bands=[by_band.get(n, 0) for n in range(len(bands()))],
        options=values,
    )


def _cached_values(category: int | None) -> list[Values]:
    """Return the counts of option values without any filter."""
    products = Product.objects.active().exclude(option_names=[])
    rows = caching.cached(
        "values",
        caching.CATALOGUE,
        lambda: option_counts.count(products, (), in_stock=False),
    )
    counted = [option_counts.Row(*row) for row in rows]
    here = [row for row in counted if category in (None, row.category)]
    return option_counts.summed(here)[: option_counts.MOST_NAMES]


def _count_values(
    text: str,
    category: int | None,
    price: Band,
    in_stock: bool,
    options: Sequence[Pair],
) -> list[Values]:
    """Return the counts of option values; the chosen options come first."""
    products = Product.objects.active().exclude(option_names=[])
    products = products.filter(price.condition)
    if text:
        products = products.matching(text)
    if category is not None:
        products = products.filter(category=category)
    found = []
    for chosen in options:
        others = [pair for pair in options if pair != chosen]
        rows = option_counts.count(products, others, in_stock=in_stock)
        all_values = option_counts.summed(rows, keep=chosen)
        found += [values for values in all_values if values.key == chosen[0]]
    rows = option_counts.count(products, options, in_stock=in_stock)
    known = {values.key for values in found}
    found += [each for each in option_counts.summed(rows) if each.key not in known]
    return found[: max(option_counts.MOST_NAMES, len(options))]


def _sums(rows: Iterable[Row], by: str, column: str) -> dict[int, int]:
    """Return the sums of `column` for each value of the column `by`."""
    sums: Counter[int] = Counter()
    for row in rows:
        sums[row[by]] += row[column]
    return dict(sums)


def _count(
    text: str, price: Band, in_stock: bool, options: Sequence[Pair]
) -> list[Row]:
    """Return a row of counts for each category and price band that has matches."""
    products = Product.objects.active()
    if text:
        products = products.matching(text)
    available = ProductQuerySet.is_sold_in(options, in_stock=True)
    chosen = ProductQuerySet.is_sold_in(options, in_stock=in_stock)
    rows = (
        products.order_by()
        .values("category", band=_band())
        .annotate(
            matching=Count("pk"),
            total=_count_if(price.condition & chosen),
            in_stock=_count_if(price.condition & available),
            offered=_count_if(chosen),  # at any price
        )
    )
    return list(rows)


def _band() -> Func:
    """Return the expression for the index of a product's band in `bands()`."""
    ends = Value([Decimal(end) for end in settings.PRICE_BANDS])
    number = IntegerField()
    return Func(F("lowest_price"), ends, function="width_bucket", output_field=number)


def _count_if(condition: Q) -> Count:
    return Count("pk", filter=condition) if condition else Count("pk")


# --- Typos ------------------------------------------------------------------------


def corrected(text: str) -> str | None:
    """Return a correction of a text that finds nothing; None if there is none.

    A word that no product has is replaced by its two parts, if products have both, or
    else by the nearest word that a product has. The correction may find nothing either,
    so count its matches before you show it.
    """
    typed = words(text)[:MAX_WORDS]
    corrections = [_correct_word(word) for word in typed[:MAX_CORRECTED]]
    corrections += typed[MAX_CORRECTED:]
    return " ".join(corrections) if corrections != typed else None


def _correct_word(word: str) -> str:
    known = SearchWord.objects
    if known.filter(text__startswith=word).exists():
        return word
    return known.parts(word) or known.nearest(word) or word


def learn_later(ids: Iterable[int] | None = None) -> None:
    """On commit, have a worker learn the words of these products (None: of all)."""
    wanted = None if ids is None else list(islice(ids, MANY + 1))
    if wanted is None or len(wanted) > MANY:
        transaction.on_commit(lambda: later(relearn), robust=True)
    elif wanted:
        transaction.on_commit(lambda: later(learn, wanted), robust=True)


@shared_task
def learn(ids: list[int]) -> int:
    """Add the words of these products to the known words; return how many."""
    return SearchWord.objects.learn(_texts().filter(pk__in=ids))


@shared_task
@transaction.atomic
def relearn() -> int:
    """Replace the known words by those of all active products; return how many.

    It runs once a day, and so finds products that `learn` has missed.
    """
    return SearchWord.objects.relearn(_texts().iterator())


def _texts() -> QuerySet:
    products = Product.objects.active().order_by()
    return products.values_list("name", "description")


# --- Suggesting -------------------------------------------------------------------


class Suggestions(NamedTuple):
    """Suggestions for `text`: what was typed, or its correction."""

    text: str
    categories: list[ProductCategory]
    products: list[Product]

    @property
    def number(self) -> int:
        return len(self.categories) + len(self.products)


def suggest(text: str) -> Suggestions:
    """Return a few products and categories that match what was typed so far.

    If nothing matches, these are suggestions for the corrected text.
    """
    if len(text) < SHORTEST_SUGGESTION:
        return Suggestions(text, [], [])
    suggestions = _suggest(text)
    if suggestions.number:
        return suggestions
    correction = corrected(text)
    return _suggest(correction) if correction else suggestions


def _suggest(text: str) -> Suggestions:
    categories = ProductCategory.objects.named_like(text)
    products = Product.objects.active().matching(text).by_beginning(text)
    return Suggestions(
        text,
        list(categories[:SUGGESTED_CATEGORIES]),
        list(products.select_related("category")[:SUGGESTED_PRODUCTS]),
    )
