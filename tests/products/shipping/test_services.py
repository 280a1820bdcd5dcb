"""Zones in the database."""

from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from products.models import ShippingMethod, ShippingRate, ShippingZone
from products.shipping import services as shipping
from products.shipping.offers import EVERYWHERE, Band, Method, offers, zone_of
from products.shipping.services import PriceBand

pytestmark = pytest.mark.django_db


def make_zone(name: str = "Germany", **fields) -> ShippingZone:
    return ShippingZone.objects.create(name=name, **{"countries": ["DE"]} | fields)


def make_method(zone: ShippingZone, *bands: tuple, **fields) -> ShippingMethod:
    method = ShippingMethod.objects.create(**{"zone": zone, "name": "Parcel"} | fields)
    shipping.set_prices(method, [PriceBand(*map(decimal, band)) for band in bands])
    return method


def decimal(number: str | int | None) -> Decimal | None:
    return None if number is None else Decimal(number)


# --- Rows -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "one, other",
    [
        ((0, 2000), (0, 2000)),
        ((0, 2000), (1999, 3000)),
        ((0, None), (5000, 6000)),
        ((0, 3000), (1000, 2000)),
    ],
)
def test_database_refuses_bands_of_a_method_that_overlap(one, other):
    method = make_method(make_zone(), (*one, 4))

    with pytest.raises(IntegrityError, match="shipping_rate_bands_apart"):
        method.rates.create(over=other[0], up_to=other[1], price=5)


def test_database_takes_bands_that_adjoin_and_those_of_another_method():
    zone = make_zone()
    make_method(zone, (0, 2000, 4), (2000, None, 9))
    make_method(zone, (0, 2000, 7), name="Express")

    assert ShippingRate.objects.count() == 3


@pytest.mark.parametrize(
    "over, up_to, price", [(5, 5, 1), (6, 5, 1), (-1, 5, 1), (0, 5, -1)]
)
def test_database_refuses_bands_and_prices_that_cannot_be(over, up_to, price):
    method = make_method(make_zone())

    with pytest.raises(DatabaseError), transaction.atomic():
        method.rates.create(over=over, up_to=up_to, price=price)
    assert not method.rates.exists()


def test_prices_that_are_refused_leave_the_old_ones():
    method = make_method(make_zone(), (0, 2000, 4))

    with pytest.raises(IntegrityError):
        shipping.set_prices(method, [PriceBand(Decimal(0), None, Decimal(1))] * 2)

    assert method.rates.get().price == 4


# --- Reading ----------------------------------------------------------------------


def test_zones_are_read_with_three_queries(django_assert_num_queries):
    for number in range(3):
        zone = make_zone(f"Zone {number}")
        for name in ("Parcel", "Express"):
            make_method(zone, (0, 2000, 4), (2000, None, 9), name=name)

    with django_assert_num_queries(3):  # the version of the rules, zones and methods
        zones = shipping.zones()

    assert [len(zone.methods) for zone in zones] == [2, 2, 2]
    assert all(len(method.bands) == 2 for method in zones[0].methods)


def test_zone_is_read_in_minor_units_and_grams():
    zone = make_zone(countries=["DE", "AT"], postcodes="ES: 35", position=2)
    first = make_method(
        zone, (0, 2000, "4.90"), (2000, None, "9.95"), free_from=Decimal("75.50")
    )
    second = make_method(
        *(zone, ("0", "49.99", "4.90")), name="By value", basis="value", carrier="Swift"
    )

    (read,) = shipping.zones()

    assert read.countries == {"DE", "AT"}
    assert read.parts[0].contains("35007")
    assert read.methods == (
        Method(
            *(first.pk, "Parcel", "", (1, 3)),
            free_from=7550,
            bands=(Band(0, 2000, 490), Band(2000, None, 995)),
        ),
        Method(
            *(second.pk, "By value", "Swift", (1, 3)),
            by_weight=False,
            bands=(Band(0, 4999, 490),),
        ),
    )


def test_inactive_zones_and_methods_are_left_out():
    make_zone("Closed", is_active=False)
    make_method(make_zone(), (0, None, 4), is_active=False)

    (zone,) = shipping.zones()

    assert (zone.name, zone.methods) == ("Germany", ())


def test_shop_without_zones_delivers_everywhere():
    assert shipping.zones() == [EVERYWHERE]


def test_shop_with_nothing_but_inactive_zones_delivers_nowhere():
    make_zone(is_active=False)

    assert shipping.zones() == []


def test_country_in_two_active_zones_is_named():
    one = make_zone()
    make_zone("EU", countries=["DE", "FR"])
    make_zone("Old", is_active=False)

    assert shipping.also_in(one) == [("Germany", ["EU"])]


# --- The usual zones --------------------------------------------------------------


@pytest.mark.parametrize(
    "country, postcode, weight, names",
    [
        ("DE", "20457", 500, ["Standard", "Express", "Pick-up in our shop"]),
        ("DE", "20457", 31_500, ["Standard", "Pick-up in our shop"]),
        ("DE", "27498", 500, ["Standard"]),
        ("FR", "44000", 500, ["Standard"]),
        ("GB", "EH1 1AA", 500, ["Standard"]),
        ("GB", "IV2 3AB", 500, ["Standard"]),
        ("CH", "8001", 20_000, []),
        ("US", "90210", 500, []),
    ],
)
def test_usual_zones_offer_what_they_should(country, postcode, weight, names):
    assert shipping.load_defaults() == 5

    zone = zone_of(shipping.zones(), country, postcode)

    assert [offer.name for offer in offers(zone, weight, 1000)] == names


@pytest.mark.parametrize("home", ["FR", "GB", "CH", "US"])
def test_usual_zones_of_another_shop_have_its_country_first(home, settings):
    settings.SHOP_COUNTRY = home

    shipping.load_defaults()

    first, *others = ShippingZone.objects.all()
    assert [country.code for country in first.countries] == [home]
    assert not any(home in zone.countries for zone in others)


def test_usual_zones_are_not_added_to_a_shop_that_has_zones():
    make_zone()

    assert shipping.load_defaults() == 0
    assert ShippingZone.objects.count() == 1
