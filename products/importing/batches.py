"""Many products at once, each as `catalogue.save` and `stock.count` would write it.

A batch is one transaction with a handful of statements. What must be told of it is told
once, after the last batch: `tell()`.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from django.contrib.auth.models import AbstractUser
from django.db import connection, transaction
from django.db.models import Max, Q

from products.basket import services as basket
from products.catalogue import services as catalogue
from products.live import push
from products.models import Basket, Product, ProductCategory, Stock, StockMovement
from products.stock import services as stock
from products.stock.services import Kind, Level, Move

FIELDS = ["name", "description", "price", "category_id", "is_active"]
LOADED = ["id", "sku", "slug", *FIELDS]
# Of more products than that no push leaves: the hubs' audit finds those that anybody
# looks at, in one query and a few seconds.
MOST_PUSHED = 1000
LAST_POSITION = 2**15 - 1  # that the column takes

UPDATE = """
UPDATE products_product AS p
SET name = w.name, description = w.description, price = w.price,
    category_id = w.category_id, is_active = w.is_active
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::numeric[], %s::bigint[],
            %s::boolean[])
    AS w(id, name, description, price, category_id, is_active)
WHERE p.id = w.id
"""


@dataclass(slots=True)
class Wanted:
    """What a product is to be: `product` is a new row, or one of `existing()` with its
    fields changed; `before` is it as it was; `counted` units, None: not counted."""

    product: Product
    before: Product | None
    counted: int | None

    @property
    def is_new(self) -> bool:
        return self.before is None

    @property
    def changed(self) -> list[str]:
        """The fields that differ from what they were."""
        if self.before is None:
            return []
        return [f for f in FIELDS if _differ(self.product, self.before, f)]

    @property
    def is_another_offer(self) -> bool:
        return not {"price", "is_active"}.isdisjoint(self.changed)


def _differ(one: Product, other: Product, name: str) -> bool:
    return getattr(one, name) != getattr(other, name)


@dataclass(slots=True)
class Told:
    """What batches have done, to be told of at the end."""

    ids: list[int] = field(default_factory=list)
    levels: dict[int, Level] = field(default_factory=dict)
    shelves_moved: bool = False  # categories are new, or products are in others

    def add(self, other: "Told") -> None:
        """What a batch has done that is committed."""
        self.ids += other.ids
        self.levels |= other.levels
        self.shelves_moved |= other.shelves_moved


class Short(NamedTuple):
    """A count below what is reserved."""

    product_id: int
    reserved: int


def existing(
    skus: Collection[str], slugs: Collection[str], *, lock: bool
) -> list[Product]:
    """The products with these skus or slugs, with their stock; locked in order, but for
    their keys, if they are to be written."""
    found = Product.objects.filter(Q(sku__in=skus) | Q(slug__in=slugs))
    if lock:
        found = found.select_for_update(no_key=True)
    return list(found.order_by("pk").only(*LOADED))


def taken(*, skus: Collection[str], slugs: Collection[str]) -> dict[str, set[str]]:
    """Which of these are some product's: {"sku": …, "slug": …}."""
    rows = Product.objects.order_by()
    return {
        "sku": set(rows.filter(sku__in=skus).values_list("sku", flat=True)),
        "slug": set(rows.filter(slug__in=slugs).values_list("slug", flat=True)),
    }


def counts(ids: Collection[int], *, lock: bool) -> dict[int, Stock]:
    """The stock rows of these products, locked in order if they are to be written."""
    rows = Stock.objects.filter(pk__in=ids).order_by("pk")
    return {row.pk: row for row in (rows.select_for_update() if lock else rows)}


def write(
    wanted: list[Wanted], *, note: str, actor: AbstractUser | None, told: Told
) -> list[Short]:
    """Write products in the caller's transaction, in which `existing` has locked them.

    Those whose count is below what is reserved for orders are left alone altogether,
    and returned; so are the stock rows of products that differ in nothing.
    """
    old = [each for each in wanted if not each.is_new]
    # Baskets, then stock, as everywhere.
    offers = [each.product.pk for each in old if each.is_another_offer]
    baskets = basket.prices_changed(offers) if offers else []
    stocks = _stocks([each.product.pk for each in old])
    short = [s for each in old if (s := shortage(each, stocks.get(each.product.pk)))]
    left_out = {each.product_id for each in short}
    good = [each for each in old if each.product.pk not in left_out]
    _update([each for each in good if each.changed])
    _note(good, stocks, note, actor, told)
    _create([each for each in wanted if each.is_new], note, actor, told)
    if offers:
        _tell_latecomers(offers, except_for=baskets)
    return short


def _tell_latecomers(offers: list[int], *, except_for: list[Basket]) -> None:
    """Who put it in before the commit pushed a basket with the price of then."""

    def tell() -> None:
        basket.prices_changed(offers, except_for=except_for)

    # The batch is written then, whatever becomes of a hint.
    transaction.on_commit(tell, robust=True)


def shortage(wanted: Wanted, row: Stock | None) -> Short | None:
    """Whether more is reserved than was counted."""
    if wanted.counted is None or row is None or wanted.counted >= row.reserved:
        return None
    return Short(row.pk, row.reserved)


def _stocks(ids: list[int]) -> dict[int, Stock]:
    rows = counts(ids, lock=True)
    missing = [Stock(product_id=pk) for pk in ids if pk not in rows]
    if missing:
        Stock.objects.bulk_create(missing, ignore_conflicts=True)
        rows = counts(ids, lock=True)
    return rows


def _update(wanted: list[Wanted]) -> None:
    if not wanted:
        return
    rows = [each.product for each in wanted]
    columns = [[getattr(row, name) for row in rows] for name in ["pk", *FIELDS]]
    with connection.cursor() as cursor:
        cursor.execute(UPDATE, columns)


def _note(
    wanted: list[Wanted],
    stocks: dict[int, Stock],
    note: str,
    actor: AbstractUser | None,
    told: Told,
) -> None:
    """The movements of products that were there already: first the offers', then the
    counts', as one statement moves a row once."""
    offers, counted = [], []
    for each in wanted:
        pk = each.product.pk
        if each.is_another_offer:
            text = catalogue.offer_note(each.before, each.product)
            offers.append(Move(pk, 0, text))
        if each.counted not in (None, stocks[pk].on_hand):
            counted.append(Move(pk, each.counted - stocks[pk].on_hand, note))
    for kind, moves in [(Kind.OFFER, offers), (Kind.COUNTED, counted)]:
        for level in stock.move_all(kind, moves, actor=actor):
            told.levels[level.product_id] = level
    moved = {move.product_id for move in [*offers, *counted]}
    told.ids += [
        each.product.pk for each in wanted if each.changed or each.product.pk in moved
    ]
    told.shelves_moved |= any("category_id" in each.changed for each in wanted)


def _create(
    wanted: list[Wanted], note: str, actor: AbstractUser | None, told: Told
) -> None:
    """New products, their stock, and how its units came in."""
    Product.objects.bulk_create([each.product for each in wanted])
    units = {each.product.pk: each.counted or 0 for each in wanted}
    Stock.objects.bulk_create(
        Stock(product_id=pk, on_hand=n, version=1 if n else 0)
        for pk, n in units.items()
    )
    StockMovement.objects.bulk_create(
        StockMovement(
            product_id=pk,
            version=1,
            kind=Kind.COUNTED,
            d_on_hand=n,
            note=note,
            actor=actor,
        )
        for pk, n in units.items()
        if n
    )
    told.ids += units


# --- Categories -------------------------------------------------------------------


def add_categories(categories: list[ProductCategory], *, told: Told) -> None:
    """New ones, after those that are there, in the caller's transaction."""
    last = ProductCategory.objects.aggregate(last=Max("position"))["last"] or 0
    for number, category in enumerate(categories, start=last + 1):
        category.position = min(number, LAST_POSITION)
    ProductCategory.objects.bulk_create(categories)
    told.shelves_moved = True


# --- Telling ----------------------------------------------------------------------


@transaction.atomic
def tell(told: Told) -> None:
    """Push what open pages show and drop what is kept of it, once for all batches."""
    if told.shelves_moved:
        catalogue.everything_changed()
    elif told.ids:
        catalogue.changed(told.ids)
    if len(told.levels) <= MOST_PUSHED:
        for level in told.levels.values():
            push.stock_changed(**level._asdict())
