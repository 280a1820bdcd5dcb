"""Lists that are filtered by the option values of variants."""

import re
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from products.catalogue import services as catalogue
from products.catalogue.filters import Filters
from products.models import ProductCategory, Variant
from products.pagecache import caching
from products.stock import services as stock
from tests.products.catalogue.test_views import names
from tests.support.factories import make_category, make_options, make_variant

pytestmark = pytest.mark.django_db


@pytest.fixture
def shelf() -> ProductCategory:
    return make_category(slug="cups", name="Cups")


@pytest.fixture
def stocked(shelf) -> dict[str, list[Variant]]:
    """A mug in two colours and sizes, a cup in two colours, and a lamp without."""
    mugs = make_options(
        {"option_values": ["Tide", "S"]},
        {"option_values": ["Chalk", "L"], "on_hand": 0},
        {"option_values": ["Moss", "S"]},
        names=["Colour", "Size"],
        name="Mug",
        category=shelf,
        price="12",
    )
    cups = make_options(
        {"option_values": ["S", "Tide"]},
        {"option_values": ["M", "Chalk"]},
        names=["Size", "COLOUR"],
        name="Cup",
        price="40",
    )
    make_variant(name="Lamp")
    return {"mugs": mugs, "cups": cups}


def counts(page: str) -> dict[str, dict[str, int]]:
    """The number at each value of each option's filter."""
    found = {}
    for name, inside in re.findall(
        r'id="filter-option-\d">([^<]*)</h2>(.*?)</nav>', page, re.S
    ):
        pairs = re.findall(r'label">([^<]*)<.*?aria-hidden="true">(\d+)<', inside, re.S)
        found[name] = {unescape(value): int(number) for value, number in pairs}
    return found


def links(page: str) -> dict[str, str]:
    pairs = re.findall(
        r'href="([^"]*)"[^>]*><span class="choice__label">([^<]*)<', page
    )
    return {unescape(value): unescape(address) for address, value in pairs}


def test_list_shows_how_many_products_each_value_would_leave(client, stocked):
    page = client.get("/products/").text

    colour, size = counts(page).items()
    assert colour[1] == {"Tide": 2, "Chalk": 2, "Moss": 1}
    assert size == ("Size", {"S": 2, "M": 1, "L": 1})


def test_link_of_a_value_leads_to_the_products_with_it(client, stocked):
    address = links(client.get("/products/").text)["Moss"]

    page = client.get(address)

    assert address == "/products/?with-colour=Moss"
    assert names(page) == ["Mug"]
    assert 'content="noindex' in page.text
    assert "Colour: Moss" in page.text
    assert links(page.text)["Moss"] == "/products/"  # takes the filter away


@pytest.mark.parametrize(
    "query, found",
    [
        ("with-colour=Tide", ["Cup", "Mug"]),
        ("with-colour=Tide&with-size=S", ["Cup", "Mug"]),
        ("with-colour=Chalk&with-size=S", []),  # no variant is both
        ("with-colour=Chalk&stock=1", ["Cup"]),  # the mug in chalk is sold out
        ("with-colour=Tide&max=20", ["Mug"]),
        ("with-colour=Tide&q=cup", ["Cup"]),
        ("with-colour=tide", []),
        ("with-size=Tide", []),
        ("with-COLOUR=Tide", ["Cup", "Mug"]),
        ("with-colour=", ["Cup", "Lamp", "Mug"]),
        ("with-=x", ["Cup", "Lamp", "Mug"]),
        ("with-colour=%00", ["Cup", "Lamp", "Mug"]),
    ],
)
def test_filter_finds_products_with_a_variant_that_has_all_values(
    client, stocked, query, found
):
    page = client.get(f"/products/?{query}")

    assert sorted(names(page)) == found


def test_counts_ignore_the_choice_of_their_own_option_and_respect_the_others(
    client, stocked
):
    page = client.get("/products/?with-colour=Chalk").text

    assert counts(page)["Colour"] == {"Tide": 2, "Chalk": 2, "Moss": 1}
    assert counts(page)["Size"] == {"L": 1, "M": 1}


def test_counts_respect_category_price_stock_and_search(client, stocked, shelf):
    def colours(address: str) -> dict[str, int]:
        return counts(client.get(address).text).get("Colour", {})

    mug = {"Tide": 1, "Chalk": 1, "Moss": 1}
    assert colours("/products/category/cups/") == mug
    assert colours("/products/?max=20") == mug
    assert colours("/products/?q=mug") == mug
    assert colours("/products/?stock=1") == {"Tide": 2, "Chalk": 1, "Moss": 1}


def test_other_counts_respect_the_options(client, stocked):
    page = client.get("/products/?with-colour=Moss").text

    assert re.search(r'In stock <span class="choice__count">\(1\)', page)
    assert re.search(r"1 product\s*<", page)
    stock.count(stocked["mugs"][2].pk, 0)
    page = client.get("/products/?with-colour=Moss").text
    assert re.search(r'In stock <span class="choice__count">\(0\)', page)


def test_variant_that_is_not_active_counts_nowhere(client, stocked):
    moss = stocked["mugs"][2]
    moss.is_active = False
    catalogue.save(moss.product, variants=[moss])

    assert "Moss" not in links(client.get("/products/").text)
    assert names(client.get("/products/?with-colour=Moss")) == []


def test_chosen_value_that_leaves_nothing_can_be_taken_away(client, stocked):
    page = client.get("/products/?with-colour=Puce").text

    assert counts(page)["Colour"]["Puce"] == 0
    assert "Try removing a filter." in page and links(page)["Puce"] == "/products/"


def test_form_for_price_and_stock_keeps_the_options(client, stocked):
    page = client.get("/products/?with-colour=Tide&with-size=S").text

    assert page.count('<input type="hidden" name="with-colour" value="Tide">') == 2
    assert page.count('<input type="hidden" name="with-size" value="S">') == 2


def test_address_with_options_is_canonical(rf):
    request = rf.get("/?with-size=S&x=1&with-Colour=Tide&with-a=1&with-b=2")

    filters = Filters.read(request.GET)

    assert filters.querystring() == "with-a=1&with-b=2&with-colour=Tide"


def test_cached_list_shows_new_counts_once_its_generation_is_touched(
    client, stocked, settings
):
    settings.CATALOGUE_MAX_AGE_S = 60
    moss = stocked["mugs"][2]
    assert counts(client.get("/products/").text)["Colour"]["Moss"] == 1
    moss.option_values = ["Rust", "S"]
    catalogue.save(moss.product, variants=[moss])
    assert "Rust" not in counts(client.get("/products/").text)["Colour"]

    caching.touch([caching.CATALOGUE])

    assert counts(client.get("/products/").text)["Colour"]["Rust"] == 1


def test_filter_by_options_costs_one_query_for_each(client, stocked):
    def queries(address: str) -> int:
        client.get(address)
        with CaptureQueriesContext(connection) as found:
            client.get(address)
        return len(found)

    plain = queries("/products/?stock=1")
    assert queries("/products/?stock=1&with-colour=Tide") == plain + 1
    assert queries("/products/?stock=1&with-colour=Tide&with-size=S") == plain + 2
