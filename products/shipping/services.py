"""Reads and writes zones, methods and rates."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import groupby
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Model

from products.models import (
    Basket,
    BasketLine,
    ShippingMethod,
    ShippingRate,
    ShippingZone,
)
from products.pricing import baskets as pricing
from products.pricing import rules
from products.pricing.baskets import PricedBasket
from products.pricing.discounts import Choice
from products.pricing.tax import Rate, domestic
from products.shipping import defaults, offers, postcodes
from products.shipping.offers import EVERYWHERE, Band, Delivery, Method, Offer, Zone


class PriceBand(NamedTuple):
    """A row of a method's prices: grams or an amount of money, over – up to."""

    over: Decimal
    up_to: Decimal | None
    price: Decimal


_copies: rules.Copies[list[Zone]] = rules.Copies()


def zones(version: str | None = None) -> list[Zone]:
    """Return the active zones with their active methods, in order.

    `version` is that of the rules, if the caller has read it; if not, this is one
    query. A shop that has no zone delivers everywhere and charges nothing for it.
    """
    return _copies.get(version or rules.current_version(), "zones", _read_zones)


def _read_zones() -> list[Zone]:
    rows = list(ShippingZone.objects.all())
    if not rows:
        return [EVERYWHERE]
    methods = _methods()
    return [
        Zone(
            name=row.name,
            countries=frozenset(row.codes),
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
            free_from=None if free_from is None else pricing.to_minor(free_from),
            bands=tuple(_bands((row[9:] for row in with_bands), by_weight)),
        )
        methods.setdefault(zone, []).append(method)
    return methods


def _bands(rows: Iterable[tuple], by_weight: bool) -> Iterator[Band]:
    measure = int if by_weight else pricing.to_minor
    for over, up_to, price in rows:
        if price is not None:  # the method has rates
            end = None if up_to is None else measure(up_to)
            yield Band(measure(over), end, pricing.to_minor(price))


# --- Baskets ----------------------------------------------------------------------


class Place(NamedTuple):
    """Where a parcel goes, and the key of the method that the shopper chose."""

    country: str
    postcode: str
    method: int | None


def place_of(basket: Basket) -> Place:
    """Return where a basket goes; before that is known, to the shop's country."""
    country = str(basket.country) or settings.SHOP_COUNTRY
    return Place(country, basket.postcode, basket.shipping_method_id)


def price(
    lines: Collection[BasketLine],
    rates: Mapping[str, Rate],
    zones: Iterable[Zone],
    place: Place,
    choice: Choice | None = None,
    version: str | None = None,
) -> tuple[PricedBasket, Delivery]:
    """Return what lines cost with their delivery, and the delivery.

    In: the tax rates at the place; the discounts that were chosen for these lines; the
    version of the rules, as `products.pricing.tax.rates_for` takes it.

    Bands and limits of methods are for the prices of everybody. With reverse charge,
    the offers are without tax. Goods that are picked up are handed over in the shop's
    country, so its tax is charged.
    """
    choice = choice or Choice.none(lines)
    discount = choice.terms
    items = list(map(pricing.item, lines, choice.of_lines))
    local = domestic(rates)
    priced = pricing.price_items(items, local, **discount)
    delivery = offers.delivery(
        zones,
        **place._asdict(),
        weight=weight_of(lines),
        goods=pricing.to_minor(priced.sums.discounted_goods),
    )
    cost = pricing.from_minor(delivery.price)
    is_net = rates != local
    if is_net:
        delivery = _without_tax(delivery, items, rates)
    if delivery.chosen and delivery.chosen.is_pickup:
        rates = pricing.todays_rates(settings.SHOP_COUNTRY, version)
        priced = pricing.price_items(items, rates, **discount)
    elif cost or is_net:
        priced = pricing.price_items(items, rates, shipping=cost, **discount)
    return priced, delivery


def _without_tax(
    delivery: Delivery, items: list[pricing.Item], rates: Mapping[str, Rate]
) -> Delivery:
    """Return the delivery with the prices of reverse charge."""

    def charged(offer: Offer) -> Offer:
        cost = pricing.from_minor(offer.price)
        priced = pricing.price_items(items, rates, shipping=cost)
        return replace(offer, price=pricing.to_minor(priced.sums.shipping))

    return replace(
        delivery,
        offers=tuple(map(charged, delivery.offers)),
        chosen=delivery.chosen and charged(delivery.chosen),
    )


def weight_of(lines: Iterable[BasketLine]) -> int:
    """Return the weight of a parcel in grams. A variant without a weight counts as 0.

    No other code reads weights.
    """
    return sum(line.quantity * line.variant.weight for line in lines)


def facts(delivery: Delivery) -> dict[str, Any]:
    """Return a delivery, JSON-ready."""
    return {
        "country": delivery.country,
        "by_postcode": delivery.by_postcode,
        "is_certain": delivery.is_certain,
        "chosen": _offer_facts(delivery.chosen) if delivery.chosen else None,
        "offers": [_offer_facts(offer) for offer in delivery.offers],
    }


def _offer_facts(offer: Offer) -> dict[str, Any]:
    return {
        "method": offer.method,
        "name": offer.name,
        "carrier": offer.carrier,
        "days": offer.days and list(offer.days),
        "price": f"{pricing.from_minor(offer.price):.2f}",
        "is_pickup": offer.is_pickup,
    }


def countries() -> frozenset[str] | None:
    """Return the countries to which one may order; None if they are all there are."""
    return offers.countries_of(zones())


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
