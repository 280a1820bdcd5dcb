"""Loads tax classes and the rates of the EU and the United Kingdom.

The rates are those of the package `eu-vat-rates-data`.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import eu_vat_rates_data
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from products.models import TaxClass, TaxRate
from products.pricing.tax import has_loaded_rates

CLASSES = {
    TaxClass.STANDARD: gettext_noop("Standard rate"),
    TaxClass.REDUCED: gettext_noop("Reduced rate"),
    TaxClass.SECOND_REDUCED: gettext_noop("Second reduced rate"),
    TaxClass.SUPER_REDUCED: gettext_noop("Super-reduced rate"),
    TaxClass.ZERO: gettext_noop("Zero rate"),
}
# The package does not say since when a rate holds. The first one holds from here on,
# later ones from the day on which they are loaded.
BEGINNING = date(2000, 1, 1)
# Rates that the package lists among those of a country, but that hold in a part of it
# only, such as Corsica, Madeira or the islands of the Aegean.
REGIONAL = {
    "AT": {"19.0"},
    "FR": {"0.9", "1.05", "8.5", "13.0"},
    "GR": {"4.0", "17.0"},
    "PT": {"16.0", "22.0"},
}
# Countries that charge 0 % on some goods. The package does not list zero rates.
ZERO_RATED = ("GB", "IE")


class Loaded(NamedTuple):
    """`added` rates; `differing` ones were left alone, because staff entered others."""

    added: list[TaxRate]
    differing: list[TaxRate]


def load_tax_classes() -> None:
    """Add the tax classes that are missing."""
    TaxClass.objects.bulk_create(
        (
            TaxClass(code=code, name=name, position=position)
            for position, (code, name) in enumerate(CLASSES.items(), start=1)
        ),
        ignore_conflicts=True,
    )


@transaction.atomic
def load_tax_rates(
    package_rates: Mapping[str, Mapping[str, Any]] | None = None,
) -> Loaded:
    """Add the rates of the package that are missing or have changed.

    A changed rate holds from today on. Nothing is overwritten. Where staff entered the
    newest rate of a country and class, theirs stays in force.
    """
    load_tax_classes()
    if package_rates is None:
        package_rates = eu_vat_rates_data.get_all_rates()
    newest = {
        (str(rate.country), rate.tax_class_id): rate
        for rate in TaxRate.objects.order_by("since")
    }
    loaded = Loaded([], [])
    for country in filter(has_loaded_rates, sorted(package_rates)):
        for code, percent in class_rates(country, package_rates[country]).items():
            known = newest.get((country, code))
            rate = TaxRate(
                country=country,
                tax_class_id=code,
                percent=percent,
                since=timezone.localdate() if known else BEGINNING,
                is_loaded=True,
            )
            if known is None or (known.percent != percent and known.is_loaded):
                loaded.added.append(rate)
            elif known.percent != percent:
                loaded.differing.append(rate)
    # Another process may have loaded them meanwhile.
    TaxRate.objects.bulk_create(loaded.added, ignore_conflicts=True)
    return loaded


def class_rates(country: str, entry: Mapping[str, Any]) -> dict[str, Decimal]:
    """Return the percentages of a country's tax classes, from its entry in the package.

    A class that the country does not have is left out.
    """
    rates = {TaxClass.STANDARD: _percent(entry["standard"])}
    regional = {Decimal(text) for text in REGIONAL.get(country, ())}
    reduced = _reduced(entry["reduced"], regional)
    rates |= dict(zip((TaxClass.REDUCED, TaxClass.SECOND_REDUCED), reduced))
    if entry["super_reduced"] is not None:
        lowest = _percent(entry["super_reduced"])
        if lowest not in regional and lowest < min(rates.values()):
            rates[TaxClass.SUPER_REDUCED] = lowest
    if country in ZERO_RATED:
        rates[TaxClass.ZERO] = Decimal(0)
    return rates


def _reduced(numbers: Iterable[float], regional: set[Decimal]) -> list[Decimal]:
    """Return the reduced rates of the whole country, highest first."""
    return sorted(set(map(_percent, numbers)) - regional, reverse=True)


def _percent(number: float) -> Decimal:
    """Return the decimal that the package's JSON has; its float is only close."""
    return Decimal(str(number))


@transaction.atomic
def save_tax_rate(rate: TaxRate) -> TaxRate:
    """Save a rate that staff entered. Loading rates leaves it in force."""
    rate.is_loaded = False
    rate.save()
    return rate
