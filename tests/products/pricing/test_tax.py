"""Tax classes, their rates, and which of them hold for a delivery."""

from datetime import date
from decimal import Decimal
from io import StringIO

import eu_vat_rates_data
import pytest
from django.core.management import call_command
from django.db import IntegrityError

from products.models import Product, TaxClass, TaxRate
from products.pricing import services as pricing
from products.pricing import tax
from products.pricing.tax import Rate
from tests.support.factories import make_product

pytestmark = pytest.mark.django_db

TODAY = date(2026, 11, 28)
PACKAGE = eu_vat_rates_data.get_all_rates()


def percents(country: str, on: date = TODAY) -> dict[str, str]:
    rates = tax.rates_for(country, on)
    return {code: f"{rate.percent.normalize():f}" for code, rate in rates.items()}


def set_rate(country: str, code: str, percent: str, since: date = TODAY) -> TaxRate:
    """As staff do it."""
    rate = TaxRate(
        country=country, tax_class_id=code, percent=Decimal(percent), since=since
    )
    return pricing.save_tax_rate(rate)


def changed(country: str, **values) -> dict:
    """The rates of the package, with another value for one country."""
    return PACKAGE | {country: {**PACKAGE[country], **values}}


# --- Loading ----------------------------------------------------------------------


def test_migrated_database_has_the_rates_of_the_eu_and_the_uk():
    countries = set(TaxRate.objects.values_list("country", flat=True))

    assert len(countries) == 28
    assert {"DE", "FR", "GB"} < countries
    assert not {"CH", "NO", "TR", "XI"} & countries


@pytest.mark.parametrize(
    "country, expected",
    [
        ("DE", {"standard": "19", "reduced": "7"}),
        (
            "FR",
            {
                "standard": "20",
                "reduced": "10",
                "second_reduced": "5.5",
                "super_reduced": "2.1",
            },
        ),
        ("PT", {"standard": "23", "reduced": "13", "second_reduced": "6"}),
        ("PL", {"standard": "23", "reduced": "8", "second_reduced": "5"}),
        ("DK", {"standard": "25"}),
        ("GB", {"standard": "20", "reduced": "5", "zero": "0"}),
    ],
)
def test_classes_of_a_country_have_its_rates(country, expected):
    rates = pricing.class_rates(country, PACKAGE[country])

    assert {code: f"{rate.normalize():f}" for code, rate in rates.items()} == expected


@pytest.mark.parametrize("country", list(filter(tax.has_loaded_rates, PACKAGE)))
def test_rates_of_a_country_fall_from_class_to_class_and_none_is_left_over(country):
    """A country with a third reduced rate needs a look: is it of a region?"""
    rates = pricing.class_rates(country, PACKAGE[country])
    in_order = [rates[code] for code in pricing.CLASSES if code in rates]
    regional = set(map(Decimal, pricing.REGIONAL.get(country, ())))
    listed = {Decimal(str(rate)) for rate in PACKAGE[country]["reduced"]}

    assert in_order == sorted(set(in_order), reverse=True)
    assert len(listed - regional) <= 2


def test_percentages_are_those_that_the_package_writes():
    assert TaxRate.objects.get(country="FI", tax_class="standard").percent == Decimal(
        "25.5"
    )


def test_loading_again_adds_nothing():
    before = list(TaxRate.objects.values())

    assert pricing.load_tax_rates() == ([], [])
    assert list(TaxRate.objects.values()) == before


def test_changed_rate_holds_from_today_on_and_the_old_one_before():
    loaded = pricing.load_tax_rates(changed("DE", standard=20.0))

    [added] = loaded.added
    assert percents("DE", added.since)["standard"] == "20"
    assert percents("DE", date(2025, 1, 1))["standard"] == "19"


def test_rate_of_staff_stays_in_force_when_the_package_changes():
    set_rate("DE", "standard", "16", since=date(2026, 7, 1))

    loaded = pricing.load_tax_rates(changed("DE", standard=20.0))

    assert loaded.added == []
    assert [str(rate) for rate in loaded.differing] == ["DE standard 20.0 %"]
    assert percents("DE")["standard"] == "16"


def test_loaded_rate_that_staff_changed_stays_as_they_left_it():
    rate = TaxRate.objects.get(country="DE", tax_class="reduced")
    rate.percent = Decimal(5)
    pricing.save_tax_rate(rate)

    pricing.load_tax_rates()

    assert percents("DE")["reduced"] == "5"


def test_command_says_how_many_rates_it_added_and_which_of_staff_differ():
    TaxRate.objects.filter(country="FR").delete()
    set_rate("DE", "standard", "16")
    out, err = StringIO(), StringIO()

    call_command("load_tax_rates", stdout=out, stderr=err)

    assert out.getvalue() == "4 tax rates added.\n"
    assert (
        err.getvalue()
        == "DE standard 19.0 % is the rate now. Yours differs, and stays.\n"
    )


def test_class_that_staff_renamed_keeps_its_name_after_migrate():
    TaxClass.objects.filter(code="zero").update(name="Free")
    TaxRate.objects.filter(tax_class="super_reduced").delete()
    TaxClass.objects.filter(code="super_reduced").delete()

    call_command("migrate", verbosity=0)

    assert TaxClass.objects.get(code="zero").name == "Free"
    assert TaxRate.objects.filter(tax_class="super_reduced").exists()


# --- Looking up -------------------------------------------------------------------


def test_rates_take_one_query_more_if_there_is_no_copy(django_assert_num_queries):
    TaxRate.objects.filter(country="FR").delete()  # so the rules have a new version

    with django_assert_num_queries(2):
        rates = tax.rates_for("DE", TODAY)

    assert rates["standard"] == Rate(Decimal("19.00"), "standard")


def test_class_without_a_rate_has_that_of_the_next_higher_class():
    assert percents("DE") == {
        "standard": "19",
        "reduced": "7",
        "second_reduced": "7",
        "super_reduced": "7",
        "zero": "7",
    }
    assert set(percents("DK").values()) == {"25"}
    assert tax.rates_for("DE", TODAY)["zero"].code == "reduced"


def test_class_above_all_that_a_country_has_takes_the_highest():
    TaxClass.objects.create(code="luxury", name="Luxury", position=0)

    assert percents("DE")["luxury"] == "19"


def test_rate_holds_from_its_date_on():
    set_rate("DE", "standard", "21", since=date(2027, 1, 1))

    assert percents("DE", date(2026, 12, 31))["standard"] == "19"
    assert percents("DE", date(2027, 1, 1))["standard"] == "21"


@pytest.mark.parametrize(
    "shop, country, standard, code",
    [
        ("DE", "FR", "20", "standard"),  # the rate of where the goods go
        ("DE", "MC", "20", "standard"),
        ("DE", "GB", "0", "export"),
        ("DE", "US", "0", "export"),
        ("DE", "AX", "0", "export"),  # Åland is outside the EU's tax area
        ("GB", "GB", "20", "standard"),
        ("GB", "IM", "20", "standard"),
        ("GB", "DE", "0", "export"),
    ],
)
def test_rate_depends_on_where_the_shop_is_and_where_goods_go(
    settings, shop, country, standard, code
):
    settings.SHOP_COUNTRY = shop

    rate = tax.rates_for(country, TODAY)["standard"]

    assert (f"{rate.percent.normalize():f}", rate.code) == (standard, code)
    assert bool(rate.reason) == (code == "export")


def test_exports_have_the_rates_of_the_shop_if_they_are_not_zero_rated(settings):
    settings.EXPORT_ZERO_RATED = False

    assert tax.rates_for("US", TODAY) == tax.rates_for("DE", TODAY)


def test_country_of_which_no_rate_is_known_says_so(settings):
    settings.SHOP_COUNTRY = "US"

    assert tax.rates_for("US", TODAY)["standard"] == Rate(
        Decimal(0), "", "No tax rate is known"
    )


# --- Products and the database ----------------------------------------------------


def test_new_product_has_the_standard_class(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert Product().tax_class_id == TaxClass.STANDARD

    assert make_product().tax_class.name == "Standard rate"


@pytest.mark.parametrize("percent", ["-0.01", "100.01"])
def test_database_refuses_what_is_no_percentage(percent):
    with pytest.raises(IntegrityError, match="tax_rate_is_a_percentage"):
        set_rate("DE", "standard", percent)


def test_database_refuses_two_rates_of_a_class_from_one_date():
    set_rate("DE", "standard", "20")

    with pytest.raises(IntegrityError, match="tax_rate_since"):
        set_rate("DE", "standard", "21")
