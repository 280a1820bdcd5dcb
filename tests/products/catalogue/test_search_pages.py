"""Lists that were searched, narrowed down and shared, and what is suggested."""

import re
from decimal import Decimal
from html import unescape
from urllib.parse import quote

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from products.catalogue.filters import Filters
from products.models import Variant
from products.search import services as search
from products.stock import services as stock
from tests.support.factories import make_category, make_product, make_products

pytestmark = pytest.mark.django_db

LIST, SUGGEST = "/products/", "/search/suggest/"


@pytest.fixture(autouse=True)
def two_bands(settings):
    settings.PRICE_BANDS = [25, 50]


def names(response) -> list[str]:
    """The products' names, in the order of their cards."""
    matches = re.findall(r'class="card__name"><a [^>]*>([^<]*)<', response.text)
    return [unescape(name) for name in matches]


def canonical(response) -> str:
    address = re.search(r'<link rel="canonical" href="([^"]*)"', response.text)[1]
    return unescape(address).removeprefix("http://localhost:8000")


def choices(response) -> dict[str, tuple[str, int]]:
    """What the filters offer: label → (address, number)."""
    pattern = r'class="choice" href="([^"]*)"[^>]*><span[^>]*>([^<]*)</span>.*?>(\d+)<'
    matches = re.findall(pattern, response.text, re.S)
    return {unescape(label): (unescape(url), int(n)) for url, label, n in matches}


def chips(response) -> dict[str, str]:
    """What was chosen: label → the list without it."""
    matches = re.findall(r'class="chip[^"]*" href="([^"]*)">([^<]*)<', response.text)
    return {unescape(label).strip(): unescape(url) for url, label in matches}


@pytest.fixture
def shelves():
    """Lamps at 10, at 30 (sold out) and at 60; a jug at 30."""
    lamps = make_category(name="Lamps", slug="lamps", position=1)
    jugs = make_category(name="Jugs", slug="jugs", position=2)
    make_category(name="Nothing here", position=3)
    make_product(category=lamps, name="Small lamp", price=10)
    make_product(category=lamps, name="Good lamp", price=30, on_hand=0)
    make_product(category=lamps, name="Big lamp", price=60)
    make_product(category=jugs, name="Jug", price=30, description="By a lamp.")
    search.relearn()


# --- What an address means --------------------------------------------------------


@pytest.mark.parametrize(
    "query, shown",
    [
        ("stock=1", ["Big lamp", "Jug", "Small lamp"]),
        ("min=30", ["Big lamp", "Good lamp", "Jug"]),
        ("max=30", ["Good lamp", "Jug", "Small lamp"]),
        ("min=10.01&max=59,99", ["Good lamp", "Jug"]),
        ("min=60&max=30", ["Big lamp", "Good lamp", "Jug"]),
        ("q=lamp&stock=1&max=30", ["Small lamp", "Jug"]),
        ("q=lamp&sort=price", ["Small lamp", "Good lamp", "Jug", "Big lamp"]),
        ("q=lamp", ["Big lamp", "Good lamp", "Small lamp", "Jug"]),
    ],
)
def test_list_with_filters_shows_matching_products(client, shelves, query, shown):
    assert names(client.get(f"{LIST}?{query}")) == shown


@pytest.mark.parametrize(
    "nothing",
    [
        *("min=", "max=", "stock=", "stock=0", "stock=yes", "q=", "q=%20", "sort="),
        *("min=-1", "min=1e9", "max=NaN", "max=Infinity", "min=٣", "min=1.234"),
        *("min=%00", "max=" + "9" * 5000, "min=0", "min=0x10", "min='--", "sort=rank"),
        *(
            "sort=relevance",
            "q=%00",
            "utm_source=mail",
            "min=1_0",
            "max=1 000 000 0000",
        ),
    ],
)
def test_list_with_unknown_parameters_is_the_plain_list(client, shelves, nothing):
    response = client.get(f"{LIST}?{nothing}")

    assert names(response) == ["Big lamp", "Good lamp", "Jug", "Small lamp"]
    assert canonical(response) == LIST
    assert "noindex" not in response.text


@pytest.mark.parametrize(
    "query, address",
    [
        ("stock=1&max=30&q=%20Lamp%20&min=05.50", "q=Lamp&min=5.50&max=30&stock=1"),
        ("max=20&min=30,00", "min=20&max=30"),
        ("sort=price&q=lamp", "q=lamp&sort=price"),
        ("sort=relevance&q=lamp", "q=lamp"),
        ("sort=name&stock=1", "stock=1"),
        ("q=a%2Bb%26c%C3%A9", "q=a%2Bb%26c%C3%A9"),
    ],
)
def test_filters_in_any_order_have_one_address(query, address):
    filters = Filters.read(QueryDict(query))

    assert filters.querystring() == address
    assert Filters.read(QueryDict(address)) == Filters.read(QueryDict(address))
    assert Filters.read(QueryDict(address)).querystring() == address
    assert filters.querystring(page=3) == f"{address}&page=3"


def test_list_canonical_address_omits_only_the_sort_order(client, shelves):
    response = client.get(f"{LIST}?stock=1&sort=-price&q=lamp&x=1")

    assert canonical(response) == f"{LIST}?q=lamp&stock=1"
    assert 'content="noindex, follow"' in response.text


def test_pages_of_a_filtered_list_keep_its_filters(client):
    make_products(60, price=Decimal(10))

    response = client.get(f"{LIST}?q=vase&max=20&page=2")

    assert 'href="?q=vase&amp;max=20&amp;page=3"' in response.text
    assert canonical(response) == f"{LIST}?q=vase&max=20&page=2"


# --- What is offered --------------------------------------------------------------


def test_filters_offer_choices_with_their_counts(client, shelves):
    offered = choices(client.get(f"{LIST}?q=lamp"))

    assert offered == {
        "Everything": (f"{LIST}?q=lamp", 4),
        "Lamps": (f"{LIST}category/lamps/?q=lamp", 3),
        "Jugs": (f"{LIST}category/jugs/?q=lamp", 1),
        "Up to €24.99": (f"{LIST}?q=lamp&max=24.99", 1),
        "€25 to €49.99": (f"{LIST}?q=lamp&min=25&max=49.99", 2),
        "From €50": (f"{LIST}?q=lamp&min=50", 1),
    }


def test_filters_of_a_category_link_to_other_categories_with_the_same_filters(
    client, shelves
):
    response = client.get(f"{LIST}category/lamps/?stock=1&max=49.99&min=25")
    offered = choices(response)

    assert names(response) == []
    assert "No products match these filters" in response.text
    assert offered["Jugs"] == (f"{LIST}category/jugs/?min=25&max=49.99&stock=1", 1)
    assert offered["Lamps"][1] == 0  # where one is
    assert offered["€25 to €49.99"] == (f"{LIST}category/lamps/?stock=1", 0)
    assert "Nothing here" not in offered


def test_filters_in_use_can_be_removed_one_by_one(client, shelves):
    response = client.get(f"{LIST}?q=lamp&min=25&stock=1")

    assert chips(response) == {
        "From €25": f"{LIST}?q=lamp&stock=1",
        "In stock": f"{LIST}?q=lamp&min=25",
        "Clear all": f"{LIST}?q=lamp",
    }
    assert 'details class="filters" open' in response.text


def test_list_in_stock_is_not_cached(client, shelves, settings):
    settings.CATALOGUE_MAX_AGE_S = 30
    query = f"{LIST}?q=lamp&stock=1"
    assert "Good lamp" not in names(client.get(query))

    stock.receive(_pk("Good lamp"), 1)

    assert "Good lamp" in names(client.get(query))


def _pk(name: str) -> int:
    return Variant.objects.get(product__name=name).pk


# --- Searches that find nothing ---------------------------------------------------


def test_search_with_a_typo_shows_its_correction_and_says_so(client, shelves):
    response = client.get(f"{LIST}?q=lmap&stock=1")

    assert names(response) == ["Big lamp", "Small lamp", "Jug"]
    assert "Results for “lamp”" in response.text
    assert "We couldn’t find “lmap”." in response.text
    assert 'value="lmap"' in response.text  # what was typed stays in the field
    assert choices(response)["Lamps"][0] == f"{LIST}category/lamps/?q=lamp&stock=1"


def test_search_with_results_is_not_corrected(client, shelves):
    make_product(name="Lmap")

    assert names(client.get(f"{LIST}?q=lmap")) == ["Lmap"]


def test_search_in_the_wrong_category_says_where_results_are(client, shelves):
    response = client.get(f"{LIST}category/jugs/?q=small")

    assert names(response) == []
    assert "No results" in response.text
    assert choices(response)["Lamps"] == (f"{LIST}category/lamps/?q=small", 1)


HOSTILE = [
    *("\x00", "'", '"', "\\", "%", "_", "%_\\", "'; DROP TABLE x; --", "\ud800", "💡"),
    *("the", "и в на", "a" * 10_000, "a " * 5_000, "\u202eabc", "שלום", "| & ! ( ) :*"),
    *("lamp & !jug", "lamp:*A <-> x", "<b>lamp</b>", "{{ 7*7 }}", "%s %(x)s", "a\r\nb"),
    *("\u0300\u0301", "ﷺ" * 100, "-1", "1/0", "http://x.y/z?q=1", "a'b''c", "\t\n"),
    *("и" * 100 + "й", "\uffff", "🧑‍🚀", "lamp\u200d\u200b", "((((", "::::", "'''"),
]


@pytest.mark.parametrize("query", HOSTILE)
@pytest.mark.parametrize("place", [LIST, f"{LIST}category/lamps/", SUGGEST])
def test_search_for_hostile_text_is_answered(client, shelves, place, query):
    response = client.get(f"{place}?q={quote(query, errors='surrogatepass')}")

    assert response.status_code == 200
    assert "<b>lamp" not in response.text
    assert len(response.text) < 60_000


# --- Suggestions ------------------------------------------------------------------


def test_suggestions_are_options_with_addresses(client, shelves):
    response = client.get(SUGGEST, {"q": "lamp"})

    options = re.findall(r'role="option"[^>]* href="([^"]*)"', response.text)
    assert options[0] == f"{LIST}category/lamps/"
    assert len(options) == 5
    assert 'data-status="5 suggestions"' in response.text
    assert "Jug" not in response.text.split("Big lamp")[0]
    assert set(response["Cache-Control"].split(", ")) == {"private", "max-age=30"}


def test_suggestions_for_a_typo_mention_the_correction(client, shelves):
    response = client.get(SUGGEST, {"q": "lmap"})

    assert "Did you mean “lamp”?" in response.text
    assert "Big lamp" in response.text


# --- Queries ----------------------------------------------------------------------

ADDRESSES = {
    "list": (LIST, 4),
    "narrowed": (f"{LIST}?min=1&max=9999999&stock=1&sort=-price", 4),
    "found": (f"{LIST}?q=vase", 4),
    "typo": (f"{LIST}?q=vaes", 8),
    "nothing": (f"{LIST}?q=zzzzzzz", 6),
    "suggest": (f"{SUGGEST}?q=vas", 2),
    "suggest typo": (f"{SUGGEST}?q=vaes", 7),
}


@pytest.mark.parametrize("rows", [10, 1000])
@pytest.mark.parametrize("page", ADDRESSES)
def test_page_for_a_visitor_stays_within_its_budget_of_queries(client, rows, page):
    make_products(rows)
    search.relearn()
    address, budget = ADDRESSES[page]

    with CaptureQueriesContext(connection) as queries:
        response = client.get(address)

    assert ("Vase" in response.text) == (page != "nothing")
    assert len(queries) <= budget, "\n".join(q["sql"] for q in queries)
