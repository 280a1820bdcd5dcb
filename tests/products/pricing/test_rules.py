"""Copies of rates and zones hold for one version of the rules, and no longer."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.utils import translation

from products.basket import reading
from products.models import (
    ShippingMethod,
    ShippingRate,
    ShippingZone,
    TaxClass,
    TaxRate,
)
from products.pricing import discounts, rules
from products.pricing.rules import Copies, current_version
from products.pricing.tax import rates_for
from products.shipping import services as shipping
from tests.support.factories import make_basket, make_discount, make_variant

pytestmark = pytest.mark.django_db

TODAY = date(2026, 11, 28)
CHANGES = {
    "a class": lambda: TaxClass.objects.filter(code="zero").update(name="Free"),
    "a rate": lambda: TaxRate.objects.filter(country="DE").update(percent=3),
    "rates in bulk": lambda: TaxRate.objects.bulk_create(
        [TaxRate(country="US", tax_class_id="zero", since=TODAY, percent=1)]
    ),
    "a new zone": lambda: ShippingZone.objects.create(name="New"),
    "a zone": lambda: ShippingZone.objects.update(is_active=False),
    "a method": lambda: ShippingMethod.objects.update(carrier="Swift"),
    "a price": lambda: ShippingRate.objects.update(price=7),
    "prices that are deleted": lambda: ShippingRate.objects.all().delete(),
    "a discount": lambda: make_discount(),
    "SQL": lambda: execute("UPDATE products_shippingzone SET name = name || '!'"),
    "all rows at once": lambda: execute(
        "SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE products_shippingrate"
    ),
}


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def standard_rate() -> Decimal:
    return rates_for("DE", TODAY)["standard"].percent


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_gives_the_rules_a_new_version(change):
    shipping.load_defaults()
    before = current_version()

    CHANGES[change]()

    assert before and current_version() not in (None, before)


def test_change_of_a_rate_holds_at_once_though_there_is_a_copy():
    assert standard_rate() == 19

    execute("UPDATE products_taxrate SET percent = 20 WHERE country = 'DE'")

    assert standard_rate() == 20


def test_change_of_a_price_of_delivery_holds_at_once_though_there_is_a_copy():
    shipping.load_defaults()
    assert shipping.zones()[0].methods[0].bands[0].price != 4200

    ShippingRate.objects.update(price=42)

    assert shipping.zones()[0].methods[0].bands[0].price == 4200


def test_use_of_a_discount_leaves_the_version_so_that_orders_do_not_wait():
    make_discount()
    before = current_version()

    execute("UPDATE products_discount SET uses = uses + 1")

    assert current_version() == before


def test_first_discount_holds_at_once_though_a_copy_says_that_there_is_none():
    lines = reading.lines(make_basket(lines={make_variant(): 1}))
    assert discounts.offered([], lines, current_version()).discounts == []

    made = make_discount(code="")

    assert discounts.offered([], lines, current_version()).discounts == [made]


def test_change_that_is_rolled_back_leaves_no_copy():
    with pytest.raises(RuntimeError), transaction.atomic():
        TaxRate.objects.filter(country="DE").update(percent=3)
        assert standard_rate() == 3
        raise RuntimeError

    assert standard_rate() == 19


def test_rates_and_zones_are_read_once(django_assert_num_queries):
    shipping.load_defaults()
    standard_rate(), shipping.zones()

    with django_assert_num_queries(2):  # the version, twice
        standard_rate(), shipping.zones()
    version = current_version()
    with django_assert_num_queries(0):
        rates_for("DE", TODAY, version)
        shipping.zones(version)


def test_reason_for_no_tax_is_in_the_language_of_the_page(settings):
    settings.EXPORT_ZERO_RATED = True
    rates = rates_for("US", TODAY)

    with translation.override("de"):
        other = rates_for("US", TODAY)

    assert rates is rates_for("US", TODAY) and other is not rates


def test_rules_without_a_version_are_read_each_time():
    copies, numbers = Copies[int](), iter(range(9))

    assert [copies.get(None, "key", lambda: next(numbers)) for _ in range(2)] == [0, 1]


def test_no_more_than_so_many_copies_are_kept(monkeypatch):
    monkeypatch.setattr(rules, "MOST", 2)
    copies = Copies[int]()

    for number in range(5):
        copies.get("version", number, lambda n=number: n)

    assert len(copies._kept[1]) <= 2
