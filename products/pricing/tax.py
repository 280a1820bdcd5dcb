"""Which tax rates hold for goods that are delivered to a country."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import eu_vat_rates_data
from django.conf import settings
from django.utils.translation import gettext as _

from products.models import TaxClass, TaxRate

EXPORT = "export"
# Countries of their own that belong to the tax area of another one, with its rates.
PARTS = {"MC": "FR", "IM": "GB"}


@dataclass(frozen=True, slots=True)
class Rate:
    """A tax rate in percent.

    `code` is the tax class whose rate it is, "export" or "" (no rate is known);
    `reason` says why no tax is charged.
    """

    percent: Decimal
    code: str
    reason: str = ""


def rates_for(country: str, on: date) -> dict[str, Rate]:
    """Return the rate of each tax class for a delivery to `country` on a day.

    A class without a rate in the country has that of the next higher class there, so
    too little is never charged. Outside the shop's tax area all rates are 0 if
    `EXPORT_ZERO_RATED` is set, else those of `SHOP_COUNTRY`. At most two queries.
    """
    classes = list(TaxClass.objects.values_list("code", flat=True))
    country = PARTS.get(country, country)
    if not is_in_tax_area(country):
        if settings.EXPORT_ZERO_RATED:
            rate = Rate(Decimal(0), EXPORT, _("Export outside the tax area"))
            return dict.fromkeys(classes, rate)
        country = PARTS.get(settings.SHOP_COUNTRY, settings.SHOP_COUNTRY)
    return fill_gaps(classes, percents(country, on))


def percents(country: str, on: date) -> dict[str, Decimal]:
    """Return the percentages in force in a country on a day, by the class's code."""
    rows = TaxRate.objects.filter(country=country, since__lte=on).order_by("since")
    return dict(rows.values_list("tax_class", "percent"))


def fill_gaps(
    classes: Iterable[str], percents: Mapping[str, Decimal]
) -> dict[str, Rate]:
    """Return the rate of each class; `classes` are sorted, the highest rate first."""
    rates = {}
    highest = max(percents, key=lambda code: percents[code], default=None)
    rate = Rate(Decimal(0), "", _("No tax rate is known"))
    if highest is not None:
        rate = Rate(percents[highest], highest)
    for code in classes:
        if code in percents:
            rate = Rate(percents[code], code)
        rates[code] = rate
    return rates


def is_in_tax_area(country: str) -> bool:
    """Whether the shop charges the tax of `country`: it is there, or both are in the
    EU."""
    shop = PARTS.get(settings.SHOP_COUNTRY, settings.SHOP_COUNTRY)
    country = PARTS.get(country, country)
    return country == shop or all(map(eu_vat_rates_data.is_eu_member, (country, shop)))


def has_loaded_rates(country: str) -> bool:
    """Whether the shop loads the rates of a country: of the EU, or the UK."""
    return country == "GB" or eu_vat_rates_data.is_eu_member(country)
