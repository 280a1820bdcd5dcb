"""The zone of an address, and what it offers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from products.shipping.offers import (
    EVERYWHERE,
    Band,
    Method,
    Zone,
    countries_of,
    offers,
    zone_of,
)
from products.shipping.postcodes import parse

GERMANY = Zone("Germany", frozenset(["DE"]))
ISLANDS = Zone("Islands", parts=tuple(parse("DE: 27498\nES: 35")))
UNION = Zone("EU", frozenset(["DE", "ES", "FR"]))
WORLD = Zone("World", has_rest=True)


def method(**fields) -> Method:
    bands = (Band(0, 2000, 490), Band(2000, 10000, 690))
    return Method(
        **{"pk": 1, "name": "Parcel", "carrier": "", "days": (1, 3)}
        | fields
        | {"bands": fields.get("bands", bands)}
    )


def prices(*methods: Method, weight: int = 0, goods: int = 0) -> list[int]:
    return [offer.price for offer in offers(Zone("", methods=methods), weight, goods)]


# --- Zones ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "country, postcode, name",
    [
        ("DE", "20457", "Germany"),
        ("DE", "27498", "Islands"),
        ("DE", "", "Germany"),
        ("FR", "27498", "EU"),
        ("ES", "35007", "Islands"),
        ("ES", "28001", "EU"),
        ("US", "27498", "World"),
    ],
)
def test_most_precise_zone_counts_wherever_it_is_in_the_list(country, postcode, name):
    zones = [WORLD, GERMANY, UNION, ISLANDS]

    assert zone_of(zones, country, postcode).name == name


def test_first_of_two_zones_that_are_equally_precise_counts():
    assert zone_of([UNION, GERMANY], "DE", "20457") is UNION
    assert zone_of([GERMANY, UNION], "DE", "20457") is GERMANY


def test_address_in_no_zone_has_none_and_is_offered_nothing():
    assert zone_of([GERMANY, ISLANDS], "US", "90210") is None
    assert zone_of([ISLANDS], "DE", "20457") is None
    assert offers(None, 0, 0) == []


def test_countries_are_those_of_the_zones_and_of_their_parts():
    assert countries_of([GERMANY, ISLANDS]) == {"DE", "ES"}
    assert countries_of([]) == set()
    assert countries_of([GERMANY, WORLD]) is None


# --- Prices -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "weight, expected",
    [(0, [490]), (1, [490]), (2000, [490]), (2001, [690]), (10000, [690]), (10001, [])],
)
def test_band_ends_with_its_upper_bound(weight, expected):
    assert prices(method(), weight=weight) == expected


def test_method_by_value_ignores_the_weight():
    by_value = method(by_weight=False, bands=(Band(0, 5000, 490), Band(5000, None, 0)))

    assert prices(by_value, weight=99_999, goods=5000) == [490]
    assert prices(by_value, weight=99_999, goods=5001) == [0]


def test_method_is_free_from_its_amount_and_only_where_it_has_a_price():
    free = method(free_from=7500)

    assert prices(free, weight=100, goods=7499) == [490]
    assert prices(free, weight=100, goods=7500) == [0]
    assert prices(free, weight=99_999, goods=7500) == []


def test_pickup_costs_nothing_and_needs_no_band():
    assert prices(method(is_pickup=True, bands=()), weight=99_999) == [0]


def test_method_without_bands_is_not_offered():
    assert prices(method(bands=())) == []


def test_offers_are_in_the_order_of_the_methods_and_say_all_of_them():
    far = method(pk=2, name="Express", carrier="Swift", days=(1, 1))
    zone = Zone("", methods=(far, method()))

    first, second = offers(zone, 100, 0)

    assert (first.method, first.name, first.carrier) == (2, "Express", "Swift")
    assert (first.days, first.price, first.is_pickup) == ((1, 1), 490, False)
    assert second.method == 1


def test_shop_without_zones_delivers_everywhere_at_no_charge():
    (offer,) = offers(zone_of([EVERYWHERE], "NZ", ""), 10**6, 1)

    assert (offer.method, offer.price) == (None, 0)
    assert countries_of([EVERYWHERE]) is None


@given(st.lists(st.integers(0, 50), unique=True, min_size=2), st.integers(0, 60))
def test_bands_that_adjoin_give_every_number_between_them_one_price(bounds, number):
    low, *rest = sorted(bounds)
    ends = list(zip([low, *rest], rest, strict=False))
    bands = tuple(Band(over, up_to, over) for over, up_to in ends)
    is_covered = low < number <= rest[-1] or number == low == 0

    assert sum(band.contains(number) for band in bands) == is_covered
