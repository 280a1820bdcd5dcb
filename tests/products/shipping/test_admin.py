"""Zones, methods and prices on one page of the admin."""

import re
from decimal import Decimal
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from products.models import ShippingMethod, ShippingZone
from tests.products.shipping.test_services import make_method, make_zone
from tests.support.admin_forms import form_values
from tests.support.factories import make_user

pytestmark = pytest.mark.django_db
LIST = reverse("admin:products_shippingzone_changelist")
ADD = reverse("admin:products_shippingzone_add")


@pytest.fixture
def ann() -> Client:
    return browser_of("Ann")


@pytest.fixture
def ben() -> Client:
    return browser_of("Ben")


def browser_of(name: str) -> Client:
    client = Client()
    client.force_login(make_user(first_name=name, is_staff=True, is_superuser=True))
    return client


def page_of(zone: ShippingZone) -> str:
    return reverse("admin:products_shippingzone_change", args=[zone.pk])


def opened(client: Client, address: str) -> dict:
    """What a browser would send of the page."""
    return form_values(client.get(address).text)


def text(response) -> str:
    html = re.sub(r"<(script|style).*?</\1>", "", response.text, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def prices_of(method: ShippingMethod) -> list[tuple]:
    return list(method.rates.values_list("over", "up_to", "price"))


NEW = {
    "name": "Germany",
    "countries": ["DE"],
    "methods-0-name": "Parcel",
    "methods-0-prices": "0–2000: 4.90\n2000–: 9,90",
}


def test_zone_with_a_method_and_its_prices_is_saved_from_one_page(ann):
    answer = ann.post(ADD, opened(ann, ADD) | NEW)

    assert answer.status_code == 302
    method = ShippingMethod.objects.get(zone__name="Germany")
    assert prices_of(method) == [
        (0, 2000, Decimal("4.90")),
        (2000, None, Decimal("9.90")),
    ]


@pytest.mark.parametrize(
    "entry, problem",
    [
        (
            {"methods-0-prices": "0–2000: 4.90\n1500–5000: 9.90"},
            "Lines 1 and 2 overlap: 0–2000 and 1500–5000.",
        ),
        ({"methods-0-prices": "0–: 4.90\n0–10: 1"}, "Lines 1 and 2 overlap: 0–"),
        (
            {"methods-0-prices": "0–2000: free"},
            "Line 1: “free” is not a number. Write numbers like 2000 or 4.90.",
        ),
        ({"methods-0-prices": "4.90\n0-x: 1"}, "Line 2: “x” is not a number."),
        ({"methods-0-prices": "1.000–2.000: 4.90"}, "“1.000” is not a number."),
        ({"methods-0-prices": "0–2: -4.90"}, "Line 1: “-4.90” is not a number."),
        (
            {"methods-0-prices": "2000–2000: 1"},
            "Line 1: the second number must be above the first.",
        ),
        ({"methods-0-prices": "0–2.5: 4.90"}, "Write weights in whole grams."),
        (
            {"methods-0-is_pickup": "on"},
            "Pick-up is free. Leave the prices empty.",
        ),
        (
            {"methods-0-days_from": "5", "methods-0-days_to": "3"},
            "The first number of days must not be above the second.",
        ),
        ({"methods-0-free_from": "-1"}, "greater than or equal to 0"),
        ({"countries": []}, "Choose where this zone is: tick a country."),
        ({"postcodes": "27498"}, "Line 1, “27498”: begin with the two letters"),
        ({"postcodes": "DE: 2–1"}, "“2–1” is not a range."),
    ],
)
def test_wrong_entry_is_named_and_nothing_is_saved(ann, entry, problem):
    answer = ann.post(ADD, opened(ann, ADD) | NEW | entry)

    assert problem in text(answer)
    assert not ShippingZone.objects.exists()
    assert not ShippingMethod.objects.exists()


def test_error_in_a_new_price_leaves_the_saved_zone_as_it_was(ann):
    zone = make_zone()
    method = make_method(zone, (0, 2000, "4.90"))

    ann.post(
        page_of(zone),
        opened(ann, page_of(zone))
        | {"name": "Other", "methods-0-prices": "0–2000: 4.90\n0–: 1"},
    )

    zone.refresh_from_db()
    assert zone.name == "Germany"
    assert prices_of(method) == [(0, 2000, Decimal("4.90"))]


def test_page_saved_as_it_stands_changes_nothing(ann):
    zone = make_zone(countries=["DE", "AT"], postcodes="DE: 27498")
    make_method(zone, (0, 2000, "4.90"), (2000, None, "9.90"), free_from=75)
    before = list(ShippingZone.objects.values()), list(ShippingMethod.objects.values())

    answer = ann.post(page_of(zone), opened(ann, page_of(zone)), follow=True)

    assert "was changed successfully" in text(answer)
    assert before == (
        list(ShippingZone.objects.values()),
        list(ShippingMethod.objects.values()),
    )


def test_flat_price_counts_for_everything(ann):
    ann.post(ADD, opened(ann, ADD) | NEW | {"methods-0-prices": "4.90"})

    assert prices_of(ShippingMethod.objects.get()) == [(0, None, Decimal("4.90"))]


def test_country_of_two_zones_is_said_on_saving(ann):
    make_zone("EU", countries=["DE", "FR"])

    answer = ann.post(ADD, opened(ann, ADD) | NEW, follow=True)

    assert "Germany is in this zone and in “EU” too." in text(answer)


# --- Two people -------------------------------------------------------------------


def test_changes_of_two_people_to_different_fields_are_both_saved(ann, ben):
    zone = make_zone()
    method = make_method(zone, (0, 2000, "4.90"))
    hers, his = opened(ann, page_of(zone)), opened(ben, page_of(zone))

    ann.post(
        page_of(zone),
        hers | {"countries": ["DE", "AT"], "methods-0-prices": "0–2000: 5.90"},
    )
    ben.post(page_of(zone), his | {"name": "Home", "methods-0-carrier": "Swift"})

    zone.refresh_from_db()
    method.refresh_from_db()
    assert zone.name == "Home"
    assert sorted(country.code for country in zone.countries) == ["AT", "DE"]
    assert method.carrier == "Swift"
    assert prices_of(method) == [(0, 2000, Decimal("5.90"))]


@pytest.mark.parametrize(
    "hers, his, stored",
    [
        (
            {"methods-0-prices": "0–2000: 5.90"},
            {"methods-0-prices": "0–2000: 6.90"},
            "0–2000: 5.90",
        ),
        ({"countries": ["DE", "AT"]}, {"countries": ["DE", "FR"]}, "Austria, Germany"),
        ({"methods-0-is_active": []}, {"methods-0-is_active": []}, None),
        ({"postcodes": "ES: 35"}, {"postcodes": "ES: 38"}, "ES: 35"),
    ],
)
def test_field_that_both_changed_is_refused_once_and_named(ann, ben, hers, his, stored):
    zone = make_zone()
    make_method(zone, (0, 2000, "4.90"))
    one, other = opened(ann, page_of(zone)), opened(ben, page_of(zone))

    ann.post(page_of(zone), one | hers)
    answer = ben.post(page_of(zone), other | his)

    if stored is None:  # they agree
        assert answer.status_code == 302
        return
    assert f"Ann changed this to “{stored}”" in text(answer)
    again = other | his | seen_on(answer)
    assert ben.post(page_of(zone), again).status_code == 302


def seen_on(response) -> dict:
    """The hidden fields of a page that was refused."""
    tags = re.findall(
        r'<input type="hidden" name="([^"]+)" value="([^"]*)"', response.text
    )
    return {name: unescape(value) for name, value in tags}


def test_method_that_another_deleted_is_not_brought_back(ann, ben):
    zone = make_zone()
    make_method(zone, (0, 2000, "4.90"))
    one, other = opened(ann, page_of(zone)), opened(ben, page_of(zone))

    ann.post(page_of(zone), one | {"methods-0-DELETE": "on"})
    answer = ben.post(page_of(zone), other | {"methods-0-carrier": "Swift"})

    assert answer.status_code == 200
    assert not ShippingMethod.objects.exists()


# --- The usual zones --------------------------------------------------------------


def test_shop_without_zones_is_offered_the_usual_ones(ann):
    page = ann.get(LIST)
    assert "There are no zones yet." in text(page)

    answer = ann.post(reverse("admin:products_shippingzone_defaults"), follow=True)

    assert "5 zones were added." in text(answer)
    assert "There are no zones yet." not in text(answer)
    assert ShippingZone.objects.count() == 5


def test_usual_zones_need_the_right_to_add_zones():
    client = Client()
    client.force_login(make_user(is_staff=True))

    answer = client.post(reverse("admin:products_shippingzone_defaults"))

    assert answer.status_code == 403
    assert not ShippingZone.objects.exists()


def test_every_usual_zone_opens_and_saves(ann):
    ann.post(reverse("admin:products_shippingzone_defaults"))

    for zone in ShippingZone.objects.all():
        answer = ann.post(page_of(zone), opened(ann, page_of(zone)))

        assert answer.status_code == 302
