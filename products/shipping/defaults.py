"""The zones that a new shop begins with, as a proposal."""

from decimal import Decimal
from typing import Any

import eu_vat_rates_data
from django.db.models import Model
from django.utils.translation import gettext as _
from django_countries import countries as all_countries

from products.models import ShippingMethod, ShippingRate, ShippingZone

# Places to which parcels take longer and cost more than to the rest of the country.
REMOTE = """\
DE: 18565, 25845–25849, 25859, 25863, 25869, 25929–25955, 25961–25999, 26465, 26474, \
26486, 26548, 26571, 26579, 26757, 27498
ES: 07, 35, 38, 51, 52
GB: BT, HS, IM, IV, KA27, KA28, KW, PA20–PA49, PA60–PA78, PH17–PH26, PH30–PH44, \
PH49, PH50, ZE
GR: 81–85
IT: 07–09, 90–98
PT: 90–99"""
# Grams up to which a parcel has the price beside it.
DOMESTIC = ((2000, "4.90"), (10000, "6.90"), (31500, "14.90"))
EXPRESS = ((2000, "12.90"), (10000, "16.90"))
UNION = ((2000, "9.90"), (10000, "16.90"), (31500, "29.90"))
NEIGHBOURS = ((2000, "14.90"), (10000, "26.90"))
FAR = ((2000, "17.90"), (10000, "29.90"))


def rows(home: str) -> list[Model]:
    """Return unsaved zones, methods and rates for a shop in the country `home`.

    Each row follows those that it refers to.
    """
    union = sorted(filter(eu_vat_rates_data.is_eu_member, dict(all_countries)))
    neighbours = ["CH", "GB", "LI", "NO"]
    domestic = _zone(all_countries.name(home), [home])
    remote = ShippingZone(name=_("Islands and remote places"), postcodes=REMOTE)
    abroad = _zone(_("European Union"), [code for code in union if code != home])
    outside = _zone(
        _("United Kingdom, Switzerland and Norway"),
        [code for code in neighbours if code != home],
    )
    rest = ShippingZone(name=_("Rest of the world"), has_rest=True, is_active=False)
    zones = [domestic, remote, abroad, outside, rest]
    for position, zone in enumerate(zones, start=1):
        zone.position = position
    standard, parcels = _("Standard"), _("Parcel service")
    return [
        *zones,
        *_method(domestic, standard, parcels, (1, 3), DOMESTIC, "75.00"),
        *_method(domestic, _("Express"), parcels, (1, 1), EXPRESS),
        *_method(domestic, _("Pick-up in our shop"), "", (0, 1), is_pickup=True),
        *_method(remote, standard, parcels, (3, 7), FAR),
        *_method(abroad, standard, parcels, (3, 6), UNION, "150.00"),
        *_method(outside, standard, parcels, (4, 8), NEIGHBOURS),
    ]


def _zone(name: str, countries: Any) -> ShippingZone:
    return ShippingZone(name=name, countries=countries)


def _method(
    zone: ShippingZone,
    name: str,
    carrier: str,
    days: tuple[int, int],
    prices: tuple[tuple[int, str], ...] = (),
    free_from: str | None = None,
    is_pickup: bool = False,
) -> list[Model]:
    method = ShippingMethod(
        zone=zone,
        name=name,
        carrier=carrier,
        days_from=days[0],
        days_to=days[1],
        free_from=free_from and Decimal(free_from),
        is_pickup=is_pickup,
    )
    bounds = [0, *(up_to for up_to, _price in prices)]
    rates = [
        ShippingRate(method=method, over=over, up_to=up_to, price=Decimal(price))
        for over, (up_to, price) in zip(bounds, prices, strict=False)
    ]
    return [method, *rates]
