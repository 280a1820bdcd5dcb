"""Writes many products at once, as `catalogue.save` and `stock.count` would.

A batch is one transaction with a dozen statements. `announce()` pushes the changes of
all batches after the last one, and invalidates cached pages.
"""

from collections.abc import Collection
from copy import copy
from dataclasses import dataclass, field
from typing import NamedTuple

from django.contrib.auth.models import AbstractUser
from django.db import connection, transaction
from django.db.models import Max, Q

from products.basket import services as basket
from products.catalogue import services as catalogue
from products.live import push
from products.models import (
    MovementKind,
    Product,
    ProductCategory,
    Stock,
    StockMovement,
    Variant,
)
from products.pricing import sales
from products.stock import services as stock
from products.stock.services import Level, Move
from products.variants.models import ORDER, summarise

PRODUCT_FIELDS = ["name", "description", "category_id", "is_active"]
FIELDS = [*PRODUCT_FIELDS, "price"]
LOADED = ["id", "sku", "is_active", "option_values", "position", "product"]
LOADED += sales.COLUMNS
LOADED += [f"product__{name}" for name in ("id", "slug", *PRODUCT_FIELDS)]
# Changes of more products are not pushed. The hubs' audit finds those that somebody is
# looking at, with one query within a few seconds.
MOST_PUSHED = 1000
LAST_POSITION = 2**15 - 1  # the column's limit

UPDATE_PRODUCTS = """
UPDATE products_product AS p
SET name = w.name, description = w.description, category_id = w.category_id,
    is_active = w.is_active
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::boolean[])
    AS w(id, name, description, category_id, is_active)
WHERE p.id = w.id
"""


@dataclass(slots=True)
class Wanted:
    """What a variant and its product should be."""

    variant: Variant  # a new row, or a copy of `before` with changed fields
    before: Variant | None  # the row in the database; None if the product is new
    counted: int | None  # units on hand; None if they were not counted

    @property
    def product(self) -> Product:
        return self.variant.product

    @property
    def is_new(self) -> bool:
        return self.before is None

    @property
    def changed(self) -> list[str]:
        """The names of the fields that change; empty for a new product."""
        if self.before is None:
            return []
        now, before = self.variant, self.before
        changed = [
            name
            for name in PRODUCT_FIELDS
            if getattr(now.product, name) != getattr(before.product, name)
        ]
        return changed + (["price"] if now.base_price != before.base_price else [])

    @property
    def changes_offer(self) -> bool:
        """Whether pages must show another price, or another "active"."""
        before = self.before
        return before is not None and bool(catalogue.offer_note(before, self.variant))


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

    variant_id: int
    reserved: int


def existing(
    skus: Collection[str], slugs: Collection[str], *, lock: bool
) -> list[Variant]:
    """Return the variants with these SKUs, and those of products with these slugs.

    They have their products. Lock these if they will be written, so that rows may still
    refer to them.
    """
    variants = Variant.objects.filter(Q(sku__in=skus) | Q(product__slug__in=slugs))
    variants = variants.select_related("product").order_by("product", *ORDER)
    if lock:
        variants = variants.select_for_update(no_key=True, of=["product"])
    return list(variants.only(*LOADED))


def taken(*, skus: Collection[str], slugs: Collection[str]) -> dict[str, set[str]]:
    """Return those that are used already: {"sku": {…}, "slug": {…}}."""
    variants = Variant.objects.order_by().filter(sku__in=skus)
    products = Product.objects.order_by().filter(slug__in=slugs)
    return {
        "sku": set(variants.values_list("sku", flat=True)),
        "slug": set(products.values_list("slug", flat=True)),
    }


def counts(ids: Collection[int], *, lock: bool) -> dict[int, Stock]:
    """Return the stock rows of these variants, locked in order if `lock`."""
    rows = Stock.objects.filter(pk__in=ids).order_by("pk")
    return {row.pk: row for row in (rows.select_for_update() if lock else rows)}


def write(
    wanted: list[Wanted], *, note: str, actor: AbstractUser | None, changes: Changes
) -> list[Shortage]:
    """Write products in the caller's transaction, in which `existing` has locked them.

    Add what changed to `changes`. Return the variants with a count that is less than
    their reserved units; these are left unchanged.
    """
    present = [item for item in wanted if not item.is_new]
    before = {item.variant.pk: item.before for item in wanted if item.before}
    sales.set_prices([item.variant for item in wanted], before)
    # Lock baskets, then stock, as everywhere.
    siblings = _siblings(present)
    offers = [item.variant.pk for item in present if item.changes_offer]
    offers += [variant.pk for variant in siblings]
    baskets = basket.prices_changed(offers) if offers else []
    stocks = _locked_stocks([*(item.variant.pk for item in present), *offers])
    shortages = []
    writable = []
    for item in present:
        short = shortage(item, stocks.get(item.variant.pk))
        if short:
            shortages.append(short)
        else:
            writable.append(item)
    _update([item for item in writable if item.changed or item.changes_offer])
    _move(writable, siblings, stocks, note, actor, changes)
    _create([item for item in wanted if item.is_new], note, actor, changes)
    if offers:
        # Robust, because the batch is committed even if a push fails.
        basket.prices_changed_on_commit(offers, except_for=baskets, robust=True)
    return shortages


def shortage(wanted: Wanted, row: Stock | None) -> Shortage | None:
    """Return the shortage if fewer units were counted than are reserved."""
    if wanted.counted is None or row is None or wanted.counted >= row.reserved:
        return None
    return Shortage(row.pk, row.reserved)


def _locked_stocks(ids: list[int]) -> dict[int, Stock]:
    """Return the locked stock rows of these variants; create missing ones."""
    rows = counts(ids, lock=True)
    missing = [Stock(variant_id=pk) for pk in ids if pk not in rows]
    if missing:
        Stock.objects.bulk_create(missing, ignore_conflicts=True)
        rows = counts(ids, lock=True)
    return rows


def _update(wanted: list[Wanted]) -> None:
    if not wanted:
        return
    products = {item.product.pk: item.product for item in wanted}.values()
    columns = [
        [getattr(product, name) for product in products]
        for name in ["pk", *PRODUCT_FIELDS]
    ]
    with connection.cursor() as cursor:
        cursor.execute(UPDATE_PRODUCTS, columns)
    prices = [item.variant for item in wanted if item.changes_offer]
    sales.write_prices(prices)
    catalogue.summarise_all({variant.product_id for variant in prices})


def _siblings(wanted: list[Wanted]) -> list[Variant]:
    """Return the other variants of products that get or lose their "active".

    They keep their rows, but their offers change too.
    """
    toggled = {i.product.pk: i.product for i in wanted if "is_active" in i.changed}
    if not toggled:
        return []
    variants = Variant.objects.filter(product__in=toggled, is_active=True)
    siblings = list(variants.exclude(pk__in=[item.variant.pk for item in wanted]))
    for variant in siblings:
        variant.product = toggled[variant.product_id]
    return siblings


def _move(
    wanted: list[Wanted],
    siblings: list[Variant],
    stocks: dict[int, Stock],
    note: str,
    actor: AbstractUser | None,
    changes: Changes,
) -> None:
    """Move the stock of present variants: new offers first, then counts.

    These are two statements, because a statement can update a row only once.
    """
    offers, counted = [], []
    for variant in siblings:
        before = copy(variant)
        before.product = copy(variant.product)
        before.product.is_active = not variant.product.is_active
        offers.append(Move(variant.pk, 0, catalogue.offer_note(before, variant)))
    for item in wanted:
        pk, on_hand = item.variant.pk, stocks[item.variant.pk].on_hand
        if item.before is not None and item.changes_offer:
            text = catalogue.offer_note(item.before, item.variant)
            offers.append(Move(pk, 0, text))
        if item.counted not in (None, on_hand):
            counted.append(Move(pk, item.counted - on_hand, note))
    for kind, moves in [(MovementKind.OFFER, offers), (MovementKind.COUNTED, counted)]:
        for level in stock.move_all(kind, moves, actor=actor):
            changes.levels[level.variant_id] = level
    moved = {move.variant_id for move in [*offers, *counted]}
    for item in wanted:
        if item.changed or item.variant.pk in moved:
            changes.ids.append(item.product.pk)
        if "category_id" in item.changed:
            changes.categories_changed = True


def _create(
    wanted: list[Wanted], note: str, actor: AbstractUser | None, changes: Changes
) -> None:
    """Create products with their stock, and a movement for its units."""
    for item in wanted:
        summarise(item.product, [item.variant])
    Product.objects.bulk_create([item.product for item in wanted])
    for item in wanted:
        item.variant.product = item.product  # copies its key
    Variant.objects.bulk_create([item.variant for item in wanted])
    units = {item.variant.pk: item.counted or 0 for item in wanted}
    Stock.objects.bulk_create(
        Stock(variant_id=pk, on_hand=on_hand, version=1 if on_hand else 0)
        for pk, on_hand in units.items()
    )
    StockMovement.objects.bulk_create(
        StockMovement(
            variant_id=pk,
            version=1,
            kind=MovementKind.COUNTED,
            d_on_hand=on_hand,
            note=note,
            actor_id=actor.pk if actor else None,
        )
        for pk, on_hand in units.items()
        if on_hand
    )
    changes.ids += [item.product.pk for item in wanted]


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
