"""Which zone an address is in, and what delivery there costs.

Pure functions over plain values. Amounts are integers in minor units, weights are in
grams.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from products.shipping.postcodes import Part


@dataclass(frozen=True, slots=True)
class Band:
    """A price for what is over one bound and up to another. None is no bound.

    A band over 0 contains 0.
    """

    over: int
    up_to: int | None
    price: int

    def contains(self, number: int) -> bool:
        is_above = number > self.over or number == self.over == 0
        return is_above and (self.up_to is None or number <= self.up_to)


@dataclass(frozen=True, slots=True)
class Method:
    """A method of delivery. `by_weight` says what its bands measure, else goods.

    `pk` is None for delivery in a shop without zones.
    """

    pk: int | None
    name: str
    carrier: str
    days: tuple[int, int] | None
    is_pickup: bool = False
    by_weight: bool = True
    free_from: int | None = None
    bands: tuple[Band, ...] = ()

    def price(self, weight: int, goods: int) -> int | None:
        """Return the price, or None if no band has one."""
        if self.is_pickup:
            return 0
        measure = weight if self.by_weight else goods
        prices = [band.price for band in self.bands if band.contains(measure)]
        if not prices:
            return None
        is_free = self.free_from is not None and goods >= self.free_from
        return 0 if is_free else prices[0]


@dataclass(frozen=True, slots=True)
class Zone:
    """Whole countries and parts of countries, with the methods of delivery there."""

    name: str
    countries: frozenset[str] = frozenset()
    parts: tuple[Part, ...] = ()
    has_rest: bool = False
    methods: tuple[Method, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Offer:
    """A method for one order, with its price. `days` are working days."""

    method: int | None
    name: str
    price: int
    days: tuple[int, int] | None
    carrier: str
    is_pickup: bool = False


# Where delivery is not set up yet, it is included everywhere.
EVERYWHERE = Zone(
    name="",
    has_rest=True,
    methods=(Method(None, "", "", None, bands=(Band(0, None, 0),)),),
)


def zone_of(zones: Iterable[Zone], country: str, postcode: str) -> Zone | None:
    """Return the zone of an address: the one that names its place most precisely.

    A zone with a part of the country that has the postcode comes before a zone with the
    whole country, and that before one with all other countries. Of two zones that are
    equally precise the first counts.
    """
    zones = list(zones)
    by_precision = (
        lambda zone: any(
            part.country == country and part.contains(postcode) for part in zone.parts
        ),
        lambda zone: country in zone.countries,
        lambda zone: zone.has_rest,
    )
    for is_in in by_precision:
        for zone in zones:
            if is_in(zone):
                return zone
    return None


def countries_of(zones: Iterable[Zone]) -> frozenset[str] | None:
    """Return the countries of these zones; None if they are all there are."""
    countries: set[str] = set()
    for zone in zones:
        if zone.has_rest:
            return None
        countries |= zone.countries | {part.country for part in zone.parts}
    return frozenset(countries)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is offered for an order, and the offer that counts: None if there is none.

    `by_postcode` says whether the country has parts in other zones; `is_certain` is
    False while the postcode is not known there and no zone has the whole country.
    """

    country: str
    offers: tuple[Offer, ...]
    chosen: Offer | None
    by_postcode: bool = False
    is_certain: bool = True

    @property
    def price(self) -> int:
        return self.chosen.price if self.chosen else 0


def delivery(
    zones: Iterable[Zone],
    *,
    country: str,
    postcode: str,
    method: int | None,
    weight: int,
    goods: int,
) -> Delivery:
    """Return the delivery of an order by the method chosen, else the first one.

    In: as for `zone_of` and `offers`.
    """
    zones = list(zones)
    zone = zone_of(zones, country, postcode)
    offered = offers(zone, weight, goods)
    chosen = [offer for offer in offered if offer.method == method] or offered
    in_parts = country in {part.country for zone in zones for part in zone.parts}
    return Delivery(
        country=country,
        offers=tuple(offered),
        chosen=chosen[0] if chosen else None,
        by_postcode=in_parts,
        is_certain=bool(zone or postcode or not in_parts),
    )


def offers(zone: Zone | None, weight: int, goods: int) -> list[Offer]:
    """Return what the zone offers for an order, in the order of its methods.

    In: the weight of the parcel in grams; the goods after discounts, in minor units.
    A method without a price for them is left out.
    """
    if zone is None:
        return []
    priced = [(method, method.price(weight, goods)) for method in zone.methods]
    return [
        Offer(
            method.pk, method.name, price, method.days, method.carrier, method.is_pickup
        )
        for method, price in priced
        if price is not None
    ]
