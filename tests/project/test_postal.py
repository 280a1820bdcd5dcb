"""What addresses consist of, by country."""

from types import SimpleNamespace

import pytest
from django.core.exceptions import ValidationError

from project import postal


def place(country: str, **fields: str) -> SimpleNamespace:
    nothing = dict.fromkeys(["line2", "postcode", "city", "region"], "")
    return SimpleNamespace(
        **nothing | {"line1": "High Street 1"} | fields, country=country
    )


@pytest.mark.parametrize(
    "country, needed, postcode, region",
    [
        ("DE", {"city", "postcode"}, "Postcode", "State or region"),
        ("US", {"city", "postcode", "region"}, "ZIP code", "State"),
        ("IE", {"city"}, "Eircode", "County"),
        ("IN", {"city", "postcode", "region"}, "PIN code", "State"),
        ("HK", {"region"}, "Postcode", "Area"),
        ("AE", {"region"}, "Postcode", "Emirate"),
        ("JP", {"postcode", "region"}, "Postcode", "Prefecture"),
    ],
)
def test_rules_of_a_country_say_what_it_needs_and_how_it_calls_it(
    country, needed, postcode, region
):
    rules = postal.rules(country)

    assert rules.needs == needed
    assert rules.labels["postcode"] == postcode and rules.labels["region"] == region


@pytest.mark.parametrize("country", ["", "XX", "../x", "ZZ", "D\x00", "x" * 10_000])
def test_rules_of_what_is_no_country_are_those_of_any(country):
    assert postal.rules(country) is postal.rules("")


def test_postcode_is_asked_for_in_few_countries_only():
    table = postal.table()

    kinds = [table["kinds"][place] for place in table["countries"].values()]
    assert len(kinds) == 250
    assert sum(not kind["postcode"]["needed"] for kind in kinds) > 150
    assert sum(not kind["postcode"]["used"] for kind in kinds) > 60


@pytest.mark.parametrize(
    "country, given, missing",
    [
        ("HK", {"city": "Central"}, []),
        ("HK", {}, ["region"]),
        ("AE", {"region": "Dubai"}, []),
        ("US", {"city": "Port", "postcode": "95014"}, ["region"]),
        ("ES", {"city": "Madrid", "postcode": "28001"}, []),
        ("IT", {"city": "Roma", "postcode": "00184"}, []),
        ("TW", {"city": "大安區", "postcode": "106"}, []),
        ("ES", {"city": "Madrid"}, ["postcode"]),
        ("GH", {"city": "Accra"}, []),
        ("DE", {"city": "Bonn"}, ["postcode"]),
    ],
)
def test_missing_fields_are_those_without_which_no_parcel_arrives(
    country, given, missing
):
    assert postal.rules(country).missing(given) == missing


@pytest.mark.parametrize(
    "country, typed, stored",
    [
        ("DE", "20457", "20457"),
        ("JP", "〒123-4567", "123-4567"),
        ("SA", "12345-1234", "12345-1234"),
        ("DE", "２０４５７", "20457"),
        ("DE", "D-20457", "D-20457"),
        ("LV", "1010", "1010"),
        ("GB", " m2  5bq ", "M2 5BQ"),
        ("GB", "ZZ9 9ZZ", "ZZ9 9ZZ"),  # none yet, but of the right shape
        ("CA", "k1a0b1", "K1A0B1"),
        ("NL", "1000\u00a0ap", "1000 AP"),
        ("US", "95014–1234", "95014-1234"),
        ("PL", "00950", "00950"),
        ("HK", "000000", "000000"),  # not used there, and no harm
        ("XX", "anything", "ANYTHING"),
    ],
)
def test_postcode_is_read_leniently(country, typed, stored):
    assert postal.clean_postcode(typed, country) == stored


@pytest.mark.parametrize(
    "country, typed, message",
    [
        ("DE", "1234", "Check the postcode. In this country it looks like 26133."),
        ("US", "9501", "Check the ZIP code. In this country it looks like 95014."),
        (
            "IE",
            "Dublin",
            "Check the Eircode. In this country it looks like A65 F4E2.",
        ),
    ],
)
def test_postcode_of_no_such_form_is_refused_with_an_example(country, typed, message):
    with pytest.raises(ValidationError, match=message):
        postal.clean_postcode(typed, country)


def test_every_example_of_every_country_is_taken():
    for country in postal.table()["countries"]:
        for example in postal.rules(country).examples:
            assert postal.clean_postcode(example, country) == example.upper()


@pytest.mark.parametrize(
    "country, fields, expected",
    [
        ("DE", {"postcode": "20457", "city": "Hamburg"}, ["20457 Hamburg"]),
        ("SE", {"postcode": "211 22", "city": "Malmö"}, ["211 22 Malmö"]),
        ("GB", {"postcode": "M2 5BQ", "city": "Leeds"}, ["Leeds", "M2 5BQ"]),
        (
            "US",
            {"postcode": "95014", "city": "Port", "region": "CA"},
            ["Port, CA 95014"],
        ),
        ("US", {"postcode": "95014", "city": "Port"}, ["Port 95014"]),
        ("BR", {"postcode": "20000-000", "city": "Rio"}, ["Rio", "20000-000"]),
        ("HK", {"city": "Central", "postcode": "0"}, ["Central", "0"]),
        ("AE", {"city": "Deira", "region": "Dubai"}, ["Deira, Dubai"]),
        ("DE", {"city": "Bonn", "region": "NRW"}, ["Bonn", "NRW"]),
        ("", {"city": "Port", "postcode": "1", "region": "R"}, ["Port", "R", "1"]),
    ],
)
def test_lines_follow_the_country_and_lose_nothing(country, fields, expected):
    assert postal.lines(place(country, **fields)) == ["High Street 1", *expected]


def test_lines_in_the_script_of_the_country_begin_with_what_is_largest():
    tokyo = place(
        "JP", line1="渋谷1-1", region="東京都", city="渋谷区", postcode="150-0001"
    )

    assert postal.lines(tokyo) == ["〒150-0001", "東京都渋谷区", "渋谷1-1"]


def test_table_for_the_script_is_the_same_for_all_and_kept_by_browsers(client):
    answer = client.get("/countries.json")

    table = answer.json()
    assert (
        "max-age=86400" in answer["Cache-Control"]
        and "public" in answer["Cache-Control"]
    )
    germany = table["kinds"][table["countries"]["DE"]]
    assert germany["postcode"] == {"label": "Postcode", "used": True, "needed": True}
    assert germany["region"]["used"] is False
    assert len(answer.content) < 16_000
