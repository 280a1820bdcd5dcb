"""Which tax rates hold for goods that are delivered to a country."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import eu_vat_rates_data
from django.conf import settings
from django.db import connection
from django.utils.translation import get_language, gettext_lazy

from products.pricing import rules

EXPORT = "export"
REVERSE = "reverse"
UNKNOWN = ""
# Why no tax is charged, by the code of the rate.
REASONS = {
    EXPORT: gettext_lazy("Export outside the tax area"),
    REVERSE: gettext_lazy("Reverse charge: the recipient accounts for VAT"),
    UNKNOWN: gettext_lazy("No tax rate is known"),
}
# Countries of their own that belong to the tax area of another one, with its rates.
PARTS = {"MC": "FR", "IM": "GB"}


@dataclass(frozen=True, slots=True)
class Rate:
    """A tax rate in percent.

    `code` is the tax class whose rate it is, "export", "reverse" or "" (no rate is
    known); `reason` says why no tax is charged. With "reverse", `domestic` is the rate
    in the shop's country, whose tax is taken out of prices that include it.
    """

    percent: Decimal
    code: str
    reason: str = ""
    domestic: "Rate | None" = None


def untaxed(code: str) -> Rate:
    """Return the rate of goods on which no tax is charged, for a reason."""
    return Rate(Decimal(0), code, str(REASONS[code]))


PERCENTS = """
SELECT class.code, (
    SELECT percent FROM products_taxrate rate
    WHERE rate.country = %s AND rate.tax_class_id = class.code AND rate.since <= %s
    ORDER BY rate.since DESC LIMIT 1
)
FROM products_taxclass class ORDER BY class.position, class.code
"""


def reverse_charged(on: date, version: str | None) -> dict[str, Rate]:
    """Return the rate of each tax class for a business that accounts for the tax."""
    return {
        name: Rate(Decimal(0), REVERSE, str(REASONS[REVERSE]), domestic)
        for name, domestic in rates_for(settings.SHOP_COUNTRY, on, version).items()
    }


def domestic(rates: Mapping[str, Rate]) -> dict[str, Rate]:
    """Return the rates without reverse charge."""
    return {name: rate.domestic or rate for name, rate in rates.items()}


def is_reverse_charged(country: str, vat_number: str) -> bool:
    """Whether a business accounts for the tax of goods that are sent to `country`.

    The goods go from one country of the EU to another, and the number is not of the
    first. An empty number is of no business.
    """
    shop, goal = home(), PARTS.get(country, country)
    business = country_of(vat_number)
    are_members = all(map(eu_vat_rates_data.is_eu_member, (shop, goal, business)))
    return are_members and shop not in (goal, business)


def country_of(vat_number: str) -> str:
    """Return the country of a VAT number, whose prefix for Greece is EL."""
    prefix = vat_number[:2]
    return "GR" if prefix == "EL" else prefix


def takes_vat_numbers() -> bool:
    """Whether the shop is in the EU, where businesses have VAT numbers."""
    return eu_vat_rates_data.is_eu_member(home())


def home() -> str:
    """Return the country whose tax area the shop is in."""
    return PARTS.get(settings.SHOP_COUNTRY, settings.SHOP_COUNTRY)


_copies: rules.Copies[dict[str, Rate]] = rules.Copies()


def rates_for(country: str, on: date, version: str | None = None) -> dict[str, Rate]:
    """Return the rate of each tax class for a delivery to `country` on a day.

    A class without a rate in the country has that of the next higher class there, so
    too little is never charged. Outside the shop's tax area all rates are 0 if
    `EXPORT_ZERO_RATED` is set, else those of `SHOP_COUNTRY`. `version` is that of the
    rules, if the caller has read it; if not, this is one query.
    """
    setup = (settings.SHOP_COUNTRY, settings.EXPORT_ZERO_RATED, get_language())
    version = version or rules.current_version()
    key = (country, on, *setup)
    return _copies.get(version, key, lambda: _read_rates(country, on))


def _read_rates(country: str, on: date) -> dict[str, Rate]:
    country = PARTS.get(country, country)
    is_export = not is_in_tax_area(country)
    if is_export:
        country = home()
    with connection.cursor() as cursor:
        cursor.execute(PERCENTS, [country, on])
        rows = cursor.fetchall()
    classes = [code for code, _percent in rows]
    if is_export and settings.EXPORT_ZERO_RATED:
        rate = untaxed(EXPORT)
        return dict.fromkeys(classes, rate)
    return fill_gaps(classes, {code: row for code, row in rows if row is not None})


def fill_gaps(
    classes: Iterable[str], percents: Mapping[str, Decimal]
) -> dict[str, Rate]:
    """Return the rate of each class; `classes` are sorted, the highest rate first."""
    rates = {}
    highest = max(percents, key=lambda code: percents[code], default=None)
    rate = untaxed(UNKNOWN)
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
    shop = home()
    country = PARTS.get(country, country)
    return country == shop or all(map(eu_vat_rates_data.is_eu_member, (country, shop)))


def has_loaded_rates(country: str) -> bool:
    """Whether the shop loads the rates of a country: of the EU, or the UK."""
    return country == "GB" or eu_vat_rates_data.is_eu_member(country)
