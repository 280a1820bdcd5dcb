"""Writes many products at once, as `catalogue.save` and `stock.count` would.

A batch is one transaction with a dozen statements. `announce()` pushes the changes of
all batches after the last one, and invalidates cached pages.
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
from products.models import (
    Basket,
    MovementKind,
    Product,
    ProductCategory,
    Stock,
    StockMovement,
)
from products.stock import services as stock
from products.stock.services import Level, Move

FIELDS = ["name", "description", "price", "category_id", "is_active"]
LOADED = ["id", "sku", "slug", *FIELDS]
# Changes of more products are not pushed. The hubs' audit finds those that somebody is
# looking at, with one query within a few seconds.
MOST_PUSHED = 1000
LAST_POSITION = 2**15 - 1  # the column's limit

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
    """What a product should be."""

    product: Product  # a new row, or a copy of `before` with changed fields
    before: Product | None  # the row in the database; None if the product is new
    counted: int | None  # units on hand; None if they were not counted

    @property
    def is_new(self) -> bool:
        return self.before is None

    @property
    def changed(self) -> list[str]:
        """The names of the fields that change; empty for a new product."""
        if self.before is None:
            return []
        return [
            name
            for name in FIELDS
            if getattr(self.product, name) != getattr(self.before, name)
        ]

    @property
    def changes_offer(self) -> bool:
        return not {"price", "is_active"}.isdisjoint(self.changed)


@dataclass(slots=True)
class Changes:
    """What batches have changed, for `announce()`."""

    ids: list[int] = field(default_factory=list)  # of products
    levels: dict[int, Level] = field(default_factory=dict)  # their new stock
    categories_changed: bool = False  # new ones, or products moved between them

    def add(self, other: "Changes") -> None:
        """Add the changes of a batch that is committed."""
        self.ids += other.ids
        self.levels |= other.levels
        self.categories_changed |= other.categories_changed


class Shortage(NamedTuple):
    """A count that is less than the reserved units."""

    product_id: int
    reserved: int


def existing(
    skus: Collection[str], slugs: Collection[str], *, lock: bool
) -> list[Product]:
    """Return the products with these SKUs or slugs, in the order of their keys.

    Lock them if they will be written, so that rows may still refer to them.
    """
    products = Product.objects.filter(Q(sku__in=skus) | Q(slug__in=slugs))
    if lock:
        products = products.select_for_update(no_key=True)
    return list(products.order_by("pk").only(*LOADED))


def taken(*, skus: Collection[str], slugs: Collection[str]) -> dict[str, set[str]]:
    """Return those that a product has already: {"sku": {…}, "slug": {…}}."""
    rows = Product.objects.order_by()
    return {
        "sku": set(rows.filter(sku__in=skus).values_list("sku", flat=True)),
        "slug": set(rows.filter(slug__in=slugs).values_list("slug", flat=True)),
    }


def counts(ids: Collection[int], *, lock: bool) -> dict[int, Stock]:
    """Return the stock rows of these products, locked in order if `lock`."""
    rows = Stock.objects.filter(pk__in=ids).order_by("pk")
    return {row.pk: row for row in (rows.select_for_update() if lock else rows)}


def write(
    wanted: list[Wanted], *, note: str, actor: AbstractUser | None, changes: Changes
) -> list[Shortage]:
    """Write products in the caller's transaction, in which `existing` has locked them.

    Add what changed to `changes`. Return the products with a count that is less than
    their reserved units; these are left unchanged.
    """
    present = [item for item in wanted if not item.is_new]
    # Lock baskets, then stock, as everywhere.
    offers = [item.product.pk for item in present if item.changes_offer]
    baskets = basket.prices_changed(offers) if offers else []
    stocks = _locked_stocks([item.product.pk for item in present])
    shortages = []
    writable = []
    for item in present:
        short = shortage(item, stocks.get(item.product.pk))
        if short:
            shortages.append(short)
        else:
            writable.append(item)
    _update([item for item in writable if item.changed])
    _move(writable, stocks, note, actor, changes)
    _create([item for item in wanted if item.is_new], note, actor, changes)
    if offers:
        _push_other_baskets(offers, except_for=baskets)
    return shortages


def _push_other_baskets(offers: list[int], *, except_for: list[Basket]) -> None:
    """Push baskets that got a product before our commit, with its old price."""

    def push_baskets() -> None:
        basket.prices_changed(offers, except_for=except_for)

    # Robust, because the batch is committed even if a push fails.
    transaction.on_commit(push_baskets, robust=True)


def shortage(wanted: Wanted, row: Stock | None) -> Shortage | None:
    """Return the shortage if fewer units were counted than are reserved."""
    if wanted.counted is None or row is None or wanted.counted >= row.reserved:
        return None
    return Shortage(row.pk, row.reserved)


def _locked_stocks(ids: list[int]) -> dict[int, Stock]:
    """Return the locked stock rows of these products; create missing ones."""
    rows = counts(ids, lock=True)
    missing = [Stock(product_id=pk) for pk in ids if pk not in rows]
    if missing:
        Stock.objects.bulk_create(missing, ignore_conflicts=True)
        rows = counts(ids, lock=True)
    return rows


def _update(wanted: list[Wanted]) -> None:
    if not wanted:
        return
    products = [item.product for item in wanted]
    columns = [
        [getattr(product, name) for product in products] for name in ["pk", *FIELDS]
    ]
    with connection.cursor() as cursor:
        cursor.execute(UPDATE, columns)


def _move(
    wanted: list[Wanted],
    stocks: dict[int, Stock],
    note: str,
    actor: AbstractUser | None,
    changes: Changes,
) -> None:
    """Move the stock of present products: new offers first, then counts.

    These are two statements, because a statement can update a row only once.
    """
    offers, counted = [], []
    for item in wanted:
        pk, on_hand = item.product.pk, stocks[item.product.pk].on_hand
        if item.changes_offer:
            text = catalogue.offer_note(item.before, item.product)
            offers.append(Move(pk, 0, text))
        if item.counted not in (None, on_hand):
            counted.append(Move(pk, item.counted - on_hand, note))
    for kind, moves in [(MovementKind.OFFER, offers), (MovementKind.COUNTED, counted)]:
        for level in stock.move_all(kind, moves, actor=actor):
            changes.levels[level.product_id] = level
    moved = {move.product_id for move in [*offers, *counted]}
    for item in wanted:
        if item.changed or item.product.pk in moved:
            changes.ids.append(item.product.pk)
        if "category_id" in item.changed:
            changes.categories_changed = True


def _create(
    wanted: list[Wanted], note: str, actor: AbstractUser | None, changes: Changes
) -> None:
    """Create products with their stock, and a movement for its units."""
    Product.objects.bulk_create([item.product for item in wanted])
    units = {item.product.pk: item.counted or 0 for item in wanted}
    Stock.objects.bulk_create(
        Stock(product_id=pk, on_hand=on_hand, version=1 if on_hand else 0)
        for pk, on_hand in units.items()
    )
    StockMovement.objects.bulk_create(
        StockMovement(
            product_id=pk,
            version=1,
            kind=MovementKind.COUNTED,
            d_on_hand=on_hand,
            note=note,
            actor=actor,
        )
        for pk, on_hand in units.items()
        if on_hand
    )
    changes.ids += units


# --- Categories -------------------------------------------------------------------


def add_categories(categories: list[ProductCategory], *, changes: Changes) -> None:
    """Add categories after the present ones, in the caller's transaction."""
    last = ProductCategory.objects.aggregate(last=Max("position"))["last"] or 0
    for number, category in enumerate(categories, start=last + 1):
        category.position = min(number, LAST_POSITION)
    ProductCategory.objects.bulk_create(categories)
    changes.categories_changed = True


# --- After all batches ------------------------------------------------------------


@transaction.atomic
def announce(changes: Changes) -> None:
    """Push the changes of all batches to open pages, and invalidate cached pages."""
    if changes.categories_changed:
        catalogue.everything_changed()
    elif changes.ids:
        catalogue.changed(changes.ids)
    if len(changes.levels) <= MOST_PUSHED:
        for level in changes.levels.values():
            push.stock_changed(**level._asdict())
