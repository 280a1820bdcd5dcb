"""Writes many products at once, as `catalogue.save` and `stock.count` would.

A batch is one transaction with a dozen statements. `announce()` pushes the changes of
all batches after the last one, and invalidates cached pages.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import NamedTuple

from django.contrib.auth.models import AbstractUser
from django.db import connection, transaction
from django.db.models import Max, Model, Q

from products.basket import renewals
from products.catalogue import services as catalogue
from products.importing.wanted import (
    PRODUCT_FIELDS,
    VARIANT_FIELDS,
    Changes,
    Wanted,
)
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
from products.stock.services import Move
from products.variants.models import ORDER, summarise

LOADED = ["id", *VARIANT_FIELDS, "position", "product", *sales.COLUMNS]
LOADED += [f"product__{name}" for name in ("id", "slug", *PRODUCT_FIELDS)]
# Changes of more products are not pushed. The hubs' audit finds those that somebody is
# looking at, with one query within a few seconds.
MOST_PUSHED = 1000
LAST_POSITION = 2**15 - 1  # the column's limit

UPDATE_PRODUCTS = """
UPDATE products_product AS p
SET name = w.name, description = w.description, category_id = w.category_id,
    is_active = w.is_active, tax_class_id = w.tax_class_id,
    option_names = ARRAY(SELECT jsonb_array_elements_text(w.option_names))
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::boolean[],
            %s::jsonb[], %s::text[])
    AS w(id, name, description, category_id, is_active, option_names, tax_class_id)
WHERE p.id = w.id
"""
UPDATE_VARIANTS = """
UPDATE products_variant AS v
SET sku = w.sku, weight = w.weight, is_active = w.is_active,
    option_values = ARRAY(SELECT jsonb_array_elements_text(w.option_values))
FROM unnest(%s::bigint[], %s::text[], %s::jsonb[], %s::int[], %s::boolean[])
    AS w(id, sku, option_values, weight, is_active)
WHERE v.id = w.id
"""
# Two variants may exchange their SKUs or option values, which must be unique meanwhile.
SET_ASIDE = """
UPDATE products_variant
SET sku = chr(31) || id, option_values = ARRAY[chr(31) || id]
WHERE id = ANY(%s)
"""


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
    their reserved units; their products are left unchanged.
    """
    present = [item for item in wanted if not item.is_new]
    present += _siblings(present)
    new = [item for item in wanted if item.is_new]
    before = {item.variant.pk: item.before for item in present if item.before}
    sales.set_prices([item.variant for item in [*present, *new]], before)
    # Lock baskets, then stock, as everywhere.
    offers = [item.variant.pk for item in present if item.changes_offer]
    baskets = renewals.prices_changed(offers) if offers else []
    stocks = _locked_stocks([item.variant.pk for item in present])
    shortages = list(find_shortages(present, stocks))
    short = {id(item.product) for item, _shortage in shortages}
    writable = [item for item in present if id(item.product) not in short]
    new = [item for item in new if id(item.product) not in short]
    _update(writable)
    _move(writable, stocks, note, actor, changes)
    _create(new, note, actor, changes)
    _summarise(writable, new)
    if offers:
        # Robust, because the batch is committed even if a push fails.
        renewals.prices_changed_on_commit(offers, except_for=baskets, robust=True)
    return [shortage for _item, shortage in shortages]


def find_shortages(
    wanted: Iterable[Wanted], stocks: Mapping[int, Stock]
) -> Iterator[tuple[Wanted, Shortage]]:
    """Yield the variants of which too few units were counted for what is reserved."""
    for item in wanted:
        row = stocks.get(item.variant.pk)
        if row and item.counted is not None:
            if item.counted + row.backorder_limit < row.reserved:
                yield item, Shortage(row.pk, row.reserved)


def _locked_stocks(ids: list[int]) -> dict[int, Stock]:
    """Return the locked stock rows of these variants; create missing ones."""
    rows = counts(ids, lock=True)
    missing = [Stock(variant_id=pk) for pk in ids if pk not in rows]
    if missing:
        Stock.objects.bulk_create(missing, ignore_conflicts=True)
        rows = counts(ids, lock=True)
    return rows


def _siblings(present: list[Wanted]) -> list[Wanted]:
    """Return the other variants of products with a new "active" or category.

    These decide whether variants are for sale, and in which sales they are.
    """
    moved = {
        item.product.pk: item
        for item in present
        if {"is_active", "category_id"} & set(item.product_changes)
    }
    if not moved:
        return []
    others = Variant.objects.filter(product__in=moved)
    others = others.exclude(pk__in=[item.variant.pk for item in present])
    siblings = []
    for variant in others.order_by("pk"):
        item = moved[variant.product_id]
        assert item.before is not None
        variant.product = item.before.product
        now = copy(variant)
        now.product = item.product
        siblings.append(Wanted(now, variant, None))
    return siblings


def _update(wanted: list[Wanted]) -> None:
    """Save what changes of present products and variants."""
    products = {i.product.pk: i.product for i in wanted if i.product_changes}
    _save(UPDATE_PRODUCTS, ["pk", *PRODUCT_FIELDS], list(products.values()))
    renamed = [
        item.variant.pk
        for item in wanted
        if {"sku", "option_values"} & set(item.variant_changes)
    ]
    if renamed:
        with connection.cursor() as cursor:
            cursor.execute(SET_ASIDE, [renamed])
    variants = [item.variant for item in wanted if item.variant_changes]
    _save(UPDATE_VARIANTS, ["pk", *VARIANT_FIELDS], variants)
    priced = [item.variant for item in wanted if item.changes_offer]
    if priced:
        sales.write_prices(priced)


def _save(statement: str, names: list[str], rows: Sequence[Model]) -> None:
    """Run an UPDATE with an array for each of these fields; lists become JSON."""
    if not rows:
        return
    columns = [[getattr(row, name) for row in rows] for name in names]
    columns = [
        [json.dumps(cell) if isinstance(cell, list) else cell for cell in column]
        for column in columns
    ]
    with connection.cursor() as cursor:
        cursor.execute(statement, columns)


def _move(
    wanted: list[Wanted],
    stocks: dict[int, Stock],
    note: str,
    actor: AbstractUser | None,
    changes: Changes,
) -> None:
    """Move the stock of present variants: new offers first, then counts.

    These are two statements, because a statement can update a row only once.
    """
    offers, counted = [], []
    for item in wanted:
        pk, on_hand = item.variant.pk, stocks[item.variant.pk].on_hand
        if item.before is not None and item.changes_offer:
            text = catalogue.offer_note(item.before, item.variant)
            offers.append(Move(pk, 0, text))
        if item.counted is not None and item.counted != on_hand:
            counted.append(Move(pk, item.counted - on_hand, note))
    for kind, moves in [(MovementKind.OFFER, offers), (MovementKind.COUNTED, counted)]:
        for level in stock.move_all(kind, moves, actor=actor):
            changes.levels[level.variant_id] = level
    moved = {move.variant_id for move in [*offers, *counted]}
    for item in wanted:
        if item.changed or item.variant.pk in moved:
            changes.ids[item.product.pk] = None
        if "category_id" in item.product_changes:
            changes.categories_changed = True


def _create(
    wanted: list[Wanted], note: str, actor: AbstractUser | None, changes: Changes
) -> None:
    """Create variants with their stock and a movement for it, and new products."""
    by_product: dict[int, list[Variant]] = defaultdict(list)
    for item in wanted:
        if item.product.pk is None:
            by_product[id(item.product)].append(item.variant)
    for variants in by_product.values():
        summarise(variants[0].product, variants)
    Product.objects.bulk_create([v[0].product for v in by_product.values()])
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
    changes.ids |= dict.fromkeys(item.product.pk for item in wanted)


def _summarise(present: list[Wanted], new: list[Wanted]) -> None:
    """Repeat prices, SKUs and pictures of present products whose variants changed."""
    changed = {item.product.pk for item in present if item.variant_changes}
    changed |= {item.product.pk for item in present if item.changes_offer}
    changed |= {item.product.pk for item in new if not item.is_new_product}
    if changed:
        catalogue.summarise_all(changed)
    renamed = {i.product.pk for i in present if "option_names" in i.product_changes}
    if changed | renamed:
        catalogue.settle_all_pictures(changed | renamed)


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
        catalogue.changed(list(changes.ids))
    if len(changes.levels) <= MOST_PUSHED:
        for level in changes.levels.values():
            push.stock_changed(**level._asdict())
