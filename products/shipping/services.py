"""Reads and writes zones, methods and rates."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Model

from products.models import ShippingMethod, ShippingRate, ShippingZone
from products.shipping import defaults, postcodes
from products.shipping.offers import EVERYWHERE, Band, Method, Zone


class PriceBand(NamedTuple):
    """A row of a method's prices: grams or an amount of money, over – up to."""

    over: Decimal
    up_to: Decimal | None
    price: Decimal


def zones() -> list[Zone]:
    """Return the active zones with their active methods, in order, with two queries.

    A shop that has no zone delivers everywhere and charges nothing for it.
    """
    rows = list(ShippingZone.objects.all())
    if not rows:
        return [EVERYWHERE]
    methods = _methods()
    return [
        Zone(
            name=row.name,
            countries=frozenset(row.places),
            parts=tuple(postcodes.parse(row.postcodes)),
            has_rest=row.has_rest,
            methods=tuple(methods.get(row.pk, ())),
        )
        for row in rows
        if row.is_active
    ]


def also_in(zone: ShippingZone) -> list[tuple[str, list[str]]]:
    """Return the whole countries of a zone that other active zones have too.

    Each is the country's name, and the names of those zones.
    """
    others = ShippingZone.objects.filter(is_active=True).exclude(pk=zone.pk)
    names: dict[str, list[str]] = {}
    for other in others if zone.is_active else ():
        for code in other.places.keys() & zone.places.keys():
            names.setdefault(zone.places[code], []).append(other.name)
    return sorted(names.items())


def _methods() -> dict[int, list[Method]]:
    """Return the active methods by zone, each with its bands."""
    rows = (
        ShippingMethod.objects.filter(is_active=True, zone__is_active=True)
        .order_by("position", "pk", "rates__over")
        .values_list(
            *("pk", "zone", "name", "carrier", "days_from", "days_to", "is_pickup"),
            *("basis", "free_from"),
            *("rates__over", "rates__up_to", "rates__price"),
        )
    )
    methods: dict[int, list[Method]] = {}
    for row, with_bands in groupby(rows, key=lambda row: row[:9]):
        pk, zone, name, carrier, days_from, days_to, is_pickup, basis, free_from = row
        by_weight = basis == ShippingMethod.Basis.WEIGHT
        method = Method(
            pk=pk,
            name=name,
            carrier=carrier,
            days=(days_from, days_to),
            is_pickup=is_pickup,
            by_weight=by_weight,
            free_from=None if free_from is None else _minor(free_from),
            bands=tuple(_bands((row[9:] for row in with_bands), by_weight)),
        )
        methods.setdefault(zone, []).append(method)
    return methods


def _bands(rows: Iterable[tuple], by_weight: bool) -> Iterator[Band]:
    measure = int if by_weight else _minor
    for over, up_to, price in rows:
        if price is not None:  # the method has rates
            end = None if up_to is None else measure(up_to)
            yield Band(measure(over), end, _minor(price))


def _minor(amount: Decimal) -> int:
    return int(amount * 100)


# --- Writing ----------------------------------------------------------------------


@transaction.atomic
def set_prices(method: ShippingMethod, bands: Iterable[PriceBand]) -> None:
    """Replace the prices of a method.

    Raises `IntegrityError` if bands overlap or are empty.
    """
    method.rates.all().delete()
    ShippingRate.objects.bulk_create(
        ShippingRate(method=method, **band._asdict()) for band in bands
    )


@transaction.atomic
def load_defaults() -> int:
    """Add the usual zones to a shop that has none. Return how many were added.

    Their prices are a proposal, which staff change.
    """
    if ShippingZone.objects.exists():
        return 0
    rows = defaults.rows(settings.SHOP_COUNTRY)
    models: list[type[Model]] = [ShippingZone, ShippingMethod, ShippingRate]
    for model in models:
        own = [row for row in rows if isinstance(row, model)]
        model._default_manager.bulk_create(own)
    return len([row for row in rows if isinstance(row, ShippingZone)])
