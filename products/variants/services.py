"""Changes of a product's options, and of several of its variants at once."""

import itertools
import os.path
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from products.catalogue import services as catalogue
from products.catalogue.exceptions import WrongOptions
from products.models import Product, Stock, Variant
from products.stock import services as stock
from products.stock.exceptions import StockConflict
from products.variants.exceptions import RowRefused
from products.variants.models import ORDER

LONGEST_SKU = 40


class Option(NamedTuple):
    """An option as it should be.

    `before` is its index among the product's options; None if it is new.
    """

    name: str
    values: Sequence[str]
    before: int | None = None


def lock(product_id: int) -> Product:
    """Lock a product, whose lock protects its variants, and return it.

    Raises `Product.DoesNotExist`.
    """
    return Product.objects.select_for_update(no_key=True).get(pk=product_id)


def values_of(product: Product, variants: Iterable[Variant]) -> list[list[str]]:
    """Return the values of each option, in the order of the variants."""
    rows = [variant.option_values for variant in variants]
    columns = range(len(product.option_names))
    return [list(dict.fromkeys(row[column] for row in rows)) for column in columns]


# --- Options ----------------------------------------------------------------------


@transaction.atomic
def set_options(
    product: Product,
    options: Sequence[Option],
    *,
    everything: bool = False,
    actor: AbstractUser | None = None,
) -> list[Variant]:
    """Give a locked product these options; return the variants that are new.

    A value in the place of another one renames it. Variants that lack an option get its
    first value. Each combination with a new value becomes a variant that is not active;
    with `everything`, each combination that is missing. Raises `WrongOptions` if a
    value that is left out belongs to a variant, or if two variants would be the same.
    """
    present = list(product.variants.order_by(*ORDER))
    old = values_of(product, present)
    new_values = []
    columns = []
    for option in options:
        before = [] if option.before is None else old[option.before]
        renamed = _renamed(option, before, present)
        kept = [renamed.get(value, value) for value in before] or option.values[:1]
        new_values.append(set(option.values) - set(kept))
        columns.append((option, renamed))
    for variant in present:
        variant.option_values = [
            _value(variant, option, renamed) for option, renamed in columns
        ]
    product.option_names = [option.name for option in options]
    added = _missing(product, options, present, None if everything else new_values)
    _sort(options, [*present, *added])
    catalogue.save(product, variants=[*present, *added], actor=actor)
    return added


def _renamed(
    option: Option, before: list[str], variants: Sequence[Variant]
) -> dict[str, str]:
    """Return the new names of values. Raises `WrongOptions` for a value left out."""
    gone = [value for value in before if value not in option.values]
    new = [value for value in option.values if value not in before]
    if not gone:
        return {}
    if len(gone) == len(new):
        return dict(zip(gone, new, strict=True))
    count = sum(gone[0] in variant.option_values for variant in variants)
    text = ngettext(
        "“%(value)s” belongs to %(count)d variant. Delete the variant first.",
        "“%(value)s” belongs to %(count)d variants. Delete the variants first.",
        count,
    )
    raise WrongOptions(text % {"value": gone[0], "count": count})


def _value(variant: Variant, option: Option, renamed: Mapping[str, str]) -> str:
    if option.before is None:
        return option.values[0]
    value = variant.option_values[option.before]
    return renamed.get(value, value)


def _missing(
    product: Product,
    options: Sequence[Option],
    present: Sequence[Variant],
    new_values: Sequence[Collection[str]] | None,
) -> list[Variant]:
    """Return unsaved variants for combinations that don't exist.

    With `new_values`, only combinations with one of these, by option.
    """
    taken = {tuple(variant.option_values) for variant in present}
    combinations = [
        values
        for values in itertools.product(*(option.values for option in options))
        if values not in taken
        and (
            new_values is None
            or any(value in new for value, new in zip(values, new_values, strict=True))
        )
    ]
    skus = _free_skus(present, combinations)
    like = present[0]
    return [
        Variant(
            product=product,
            sku=sku,
            option_values=list(values),
            price=like.base_price,
            weight=like.weight,
            is_active=False,
        )
        for sku, values in zip(skus, combinations, strict=True)
    ]


def _free_skus(
    present: Sequence[Variant], combinations: Sequence[Sequence[str]]
) -> list[str]:
    """Return an SKU for each combination that no variant has."""
    base = os.path.commonprefix([variant.sku for variant in present]).rstrip("-_ ")
    base = base or slugify(present[0].product.name).upper() or "SKU"
    wanted = [
        "-".join([base, *(slugify(value).upper() for value in values)])
        for values in combinations
    ]
    starts = {sku[: LONGEST_SKU - 4] for sku in wanted}
    others = Variant.objects.filter(sku__startswith=base[: LONGEST_SKU - 4])
    taken = set(others.values_list("sku", flat=True)) if starts else set()
    skus = []
    for sku in wanted:
        numbers = (f"{sku[: LONGEST_SKU - 4]}-{n}" for n in itertools.count(2))
        tries = itertools.chain([sku[:LONGEST_SKU]], numbers)
        skus.append(next(each for each in tries if each not in taken))
        taken.add(skus[-1])
    return skus


def _sort(options: Sequence[Option], variants: Iterable[Variant]) -> None:
    """Put variants in the order of their values."""
    ranks = [{value: n for n, value in enumerate(o.values)} for o in options]

    def place(variant: Variant) -> list[int]:
        values = zip(ranks, variant.option_values, strict=True)
        return [rank[value] for rank, value in values]

    for position, variant in enumerate(sorted(variants, key=place), start=1):
        variant.position = position


# --- Several variants -------------------------------------------------------------


@transaction.atomic
def save_variants(
    product: Product,
    variants: Collection[Variant],
    *,
    stock_changes: Mapping[int, int],
    pictures: Mapping[int, int | None],
    actor: AbstractUser | None = None,
) -> None:
    """Save variants of a locked product, all or nothing.

    `stock_changes` has the units to add or to take away by variant, `pictures` the
    picture that is now the variant's own. Raises `WrongOptions`, or `RowRefused` if
    fewer units are free than are taken away.
    """
    catalogue.save(product, variants=variants, moved=stock_changes.keys(), actor=actor)
    for variant_id, units in sorted(stock_changes.items()):
        try:
            stock.change(variant_id, units, actor=actor)
        except StockConflict as refusal:
            raise RowRefused(variant_id, str(refusal)) from refusal
    if pictures:
        _give_pictures(product, pictures)


def _give_pictures(product: Product, pictures: Mapping[int, int | None]) -> None:
    changes: dict[int, dict[str, str | int | None]] = {}
    for picture in product.pictures.filter(variant__in=pictures.keys()):
        changes[picture.pk] = {"variant": None}
    for variant_id, picture_id in pictures.items():
        if picture_id is not None:
            changes[picture_id] = {"variant": variant_id}
    catalogue.save_pictures(product, changes=changes)


@transaction.atomic
def delete_variants(
    product: Product, ids: Collection[int], *, actor: AbstractUser | None = None
) -> list[str]:
    """Delete variants of a locked product that were never in stock; return their SKUs.

    Raises `RowRefused` for one with movements or orders, or for the last one.
    """
    variants = list(product.variants.filter(pk__in=ids).order_by(*ORDER))
    if len(variants) == product.variants.count():
        raise RowRefused(variants[0].pk, _("A product needs a variant at least."))
    for variant in variants:
        if variant.movements.exists():
            text = _("It has stock movements, which we keep. Deactivate it instead.")
            raise RowRefused(variant.pk, text)
    Stock.objects.filter(variant__in=variants).delete()
    for variant in variants:
        variant.delete()
    catalogue.save(product, actor=actor)
    return [variant.sku for variant in variants]
