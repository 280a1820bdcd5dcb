"""Finding products: how many there are of what, what was meant, what to suggest."""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from itertools import islice
from typing import NamedTuple

from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Func, IntegerField, Q, Value

from products.models import Product, ProductCategory, SearchWord
from products.pagecache import caching
from products.search.queries import MAX_WORDS, words
from project.celery import later

SHORTEST_SUGGESTION = 2  # letters
SUGGESTED_PRODUCTS, SUGGESTED_CATEGORIES = 6, 3
MAX_CORRECTED = 6  # words of a query
MANY = 500  # products; of more than that all words are read again


class Band(NamedTuple):
    """Prices from `least` to `most`, both included; None for no bound."""

    least: Decimal | None
    most: Decimal | None

    @property
    def condition(self) -> Q:
        found = Q()
        if self.least is not None:
            found &= Q(price__gte=self.least)
        return found if self.most is None else found & Q(price__lte=self.most)


ANY_PRICE = Band(None, None)


def bands() -> list[Band]:
    """The price bands of the shop: `settings.PRICE_BANDS` says where each ends."""
    ends = [Decimal(end) for end in settings.PRICE_BANDS]
    tops = [end - Decimal("0.01") for end in ends]
    return [Band(*band) for band in zip([None, *ends], [*tops, None], strict=True)]


# --- Counting ---------------------------------------------------------------------


class Facets(NamedTuple):
    """How many products there are, by what else could be chosen. Each number leaves
    its own choice out and heeds the others."""

    matching: int  # what the text finds, before any choice
    total: int  # on the page's list
    categories: dict[int, int]
    in_stock: int
    bands: list[int]


def facets(*, text: str, category: int | None, price: Band, in_stock: bool) -> Facets:
    """Count the products that are sold, in one query.

    The counts of everything are kept for a while; those of a search, a price or "in
    stock" are counted each time.
    """
    if text or in_stock or price != ANY_PRICE:
        rows = _count(text, price, in_stock)
    else:
        rows = caching.cached(
            "counts", caching.CATALOGUE, lambda: _count("", ANY_PRICE, False)
        )
    here = [row for row in rows if category in (None, row["category"])]
    totals = _sums(here, "band", "offered")
    return Facets(
        matching=sum(row["matching"] for row in rows),
        total=sum(row["total"] for row in here),
        categories=_sums(rows, "category", "total"),
        in_stock=sum(row["in_stock"] for row in here),
        bands=[totals.get(n, 0) for n in range(len(bands()))],
    )


def _sums(rows: Iterable[dict], by: str, what: str) -> dict[int, int]:
    found = Counter()
    for row in rows:
        found[row[by]] += row[what]
    return dict(found)


def _count(text: str, price: Band, in_stock: bool) -> list[dict]:
    """A row for each category and price band with products that match `text`."""
    products = Product.objects.active().filter(stock__isnull=False)
    if text:
        products = products.matching(text)
    left = Q(stock__on_hand__gt=F("stock__reserved"))
    chosen = left if in_stock else Q()
    rows = (
        products.order_by()
        .values("category", band=_band())
        .annotate(
            matching=Count("pk"),
            total=_count_if(price.condition & chosen),
            in_stock=_count_if(price.condition & left),
            offered=_count_if(chosen),  # at any price
        )
    )
    return list(rows)


def _band() -> Func:
    """In which of `bands()` a product is."""
    ends = Value([Decimal(end) for end in settings.PRICE_BANDS])
    number = IntegerField()
    return Func(F("price"), ends, function="width_bucket", output_field=number)


def _count_if(condition: Q) -> Count:
    return Count("pk", filter=condition) if condition else Count("pk")


# --- Typos ------------------------------------------------------------------------


def corrected(text: str) -> str | None:
    """What was probably meant by a text that finds nothing; None if nobody knows.

    Each word that no product has is replaced by its parts, if products have both, or by
    the nearest one that some have. The
    answer may find nothing either, so look before it is shown.
    """
    meant = words(text)[:MAX_WORDS]
    found = [_meant(word) for word in meant[:MAX_CORRECTED]] + meant[MAX_CORRECTED:]
    return " ".join(found) if found != meant else None


def _meant(word: str) -> str:
    known = SearchWord.objects
    if known.filter(text__startswith=word).exists():
        return word
    return known.parts(word) or known.nearest(word) or word


def learn_later(ids: Iterable[int] | None = None) -> None:
    """On commit, let a worker know the words of these products (None: of all)."""
    wanted = None if ids is None else list(islice(ids, MANY + 1))
    if wanted is None or len(wanted) > MANY:
        transaction.on_commit(lambda: later(relearn), robust=True)
    elif wanted:
        transaction.on_commit(lambda: later(learn, wanted), robust=True)


@shared_task
def learn(ids: list[int]) -> int:
    """Know the words of these products too; how many words they have."""
    return SearchWord.objects.learn(_texts().filter(pk__in=ids))


@shared_task
@transaction.atomic
def relearn() -> int:
    """Know the words of what is sold, and no others; how many words. What `learn` was
    never told of is found so, once a day."""
    return SearchWord.objects.relearn(_texts().iterator())


def _texts():
    products = Product.objects.active().order_by()
    return products.values_list("name", "description")


# --- Suggesting -------------------------------------------------------------------


class Suggestions(NamedTuple):
    """For what somebody has typed so far; `text` is what they are for, which is another
    if what was typed finds nothing."""

    text: str
    categories: list[ProductCategory]
    products: list[Product]

    @property
    def number(self) -> int:
        return len(self.categories) + len(self.products)


def suggest(text: str) -> Suggestions:
    """A few products and categories whose words begin as `text` does."""
    if len(text) < SHORTEST_SUGGESTION:
        return Suggestions(text, [], [])
    found = _suggest(text)
    if found.number:
        return found
    better = corrected(text)
    return _suggest(better) if better else found


def _suggest(text: str) -> Suggestions:
    categories = ProductCategory.objects.named_like(text)
    products = Product.objects.active().matching(text).by_beginning(text)
    return Suggestions(
        text,
        list(categories[:SUGGESTED_CATEGORIES]),
        list(products.select_related("category")[:SUGGESTED_PRODUCTS]),
    )
