"""Looking around: what the visitor sees."""

import json
import re
from datetime import timedelta
from decimal import Decimal
from html import unescape
from urllib.parse import quote

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.support.factories import (
    make_category,
    make_picture,
    make_product,
    make_products,
    make_variant,
)

pytestmark = pytest.mark.django_db

LIST = "/products/"


def names(response) -> list[str]:
    """The products' names, in the order of their cards."""
    matches = re.findall(r'class="card__name"><a [^>]*>([^<]*)<', response.text)
    return [unescape(name) for name in matches]


def canonical(response) -> str:
    return unescape(
        re.search(r'<link rel="canonical" href="([^"]*)"', response.text)[1]
    )


# --- The front window -------------------------------------------------------------


def test_index_shows_categories_new_products_and_those_nearly_sold_out(client):
    make_product(name="Plenty", on_hand=50)
    make_product(name="Few", on_hand=2)
    make_product(name="None", on_hand=0)
    make_product(name="Gone", is_active=False)
    make_category(name="Empty shelf")

    response = client.get(reverse("products:index"))

    news, last = response.text.split('id="last"')
    assert "Plenty" in news and "Few" in news and "None" in news
    assert "Few" in last and "Plenty" not in last and "None" not in last
    assert "Gone" not in response.text
    assert "Empty shelf" in response.text


def test_index_of_an_empty_shop_opens(client):
    response = client.get(reverse("products:index"))

    assert "Well-made things" in response.text


# --- Lists ------------------------------------------------------------------------


def test_list_shows_name_price_and_stock_of_active_products(client):
    make_product(name="Brass lamp", price=Decimal("1250"), on_hand=3)
    make_product(name="Gone", is_active=False)

    response = client.get(LIST)

    assert names(response) == ["Brass lamp"]
    assert "€1,250.00" in response.text
    assert "Only <b>3</b> left" in response.text


def test_list_of_a_category_shows_only_its_products(client):
    lamps = make_category(name="Lamps", description="To read by.")
    make_product(name="Brass lamp", category=lamps)
    make_product(name="Jug")

    response = client.get(lamps.get_absolute_url())

    assert names(response) == ["Brass lamp"]
    assert "<h1>Lamps</h1>" in response.text
    assert '<meta name="description" content="To read by.">' in response.text


def test_list_of_an_empty_category_says_so(client):
    shelf = make_category()

    response = client.get(shelf.get_absolute_url())

    assert "There’s nothing in this category yet" in response.text


def test_list_of_a_category_that_does_not_exist_is_not_found(client):
    assert client.get("/products/category/nowhere/").status_code == 404


@pytest.mark.parametrize(
    "sort, order",
    [
        ("name", ["a", "b", "c"]),
        ("price", ["c", "a", "b"]),
        ("-price", ["b", "a", "c"]),
        ("new", ["b", "c", "a"]),
        ("evil", ["a", "b", "c"]),
        ("", ["a", "b", "c"]),
        ("-name", ["a", "b", "c"]),
        ("price;DROP TABLE", ["a", "b", "c"]),
        ("\x00", ["a", "b", "c"]),
        ("9" * 5000, ["a", "b", "c"]),
    ],
)
def test_list_with_any_sort_order_is_in_that_order(client, sort, order):
    now = timezone.now()
    for name, price, age in [("a", 20, 9), ("b", 30, 1), ("c", 10, 5)]:
        make_product(name=name, price=price, created_at=now - timedelta(days=age))

    assert names(client.get(LIST, {"sort": sort})) == order


def test_list_sorted_by_equal_values_shows_each_product_once(client):
    products = make_products(60, price=Decimal("10.00"), name="Same")

    shown = []
    for page in (1, 2, 3):
        response = client.get(LIST, {"sort": "price", "page": page})
        shown += [product.pk for product in response.context["products"]]

    assert sorted(shown) == [product.pk for product in products]


# --- Pages of a list --------------------------------------------------------------


@pytest.fixture
def three_pages(settings):
    make_products(60)
    return settings.PRODUCTS_PER_PAGE


def test_list_of_many_products_has_pages_that_link_to_each_other(client, three_pages):
    first = client.get(LIST, {"sort": "price"})
    middle = client.get(LIST, {"sort": "price", "page": 2})

    assert len(names(first)) == three_pages
    assert 'href="?sort=price&amp;page=2"' in first.text
    assert '<link rel="prev" href="?sort=price&amp;page=1">' in middle.text
    assert '<link rel="next" href="?sort=price&amp;page=3">' in middle.text
    assert not set(names(first)) & set(names(middle))


def test_list_page_last_is_the_last_page(client, three_pages):
    response = client.get(LIST, {"page": "last"})

    assert len(names(response)) == 60 - 2 * three_pages
    assert canonical(response).endswith("/products/?page=3")


@pytest.mark.parametrize(
    "page",
    ["0", "-1", "4", "999", "9" * 19, "9" * 5000, "abc", "1.5", "\x00", "1\x00", "²"],
)
def test_list_page_that_does_not_exist_is_not_found(client, three_pages, page):
    response = client.get(LIST, {"page": page})

    assert response.status_code == 404
    assert "Page not found" in response.text


@pytest.mark.parametrize("page", ["1", ""])
def test_list_page_one_is_the_plain_list(client, three_pages, page):
    response = client.get(LIST, {"page": page, "sort": "price"})

    assert canonical(response).endswith("/products/")


@pytest.mark.parametrize("page", ["2", "02", " 2", "٢"])
def test_list_page_two_with_any_spelling_has_one_address(client, three_pages, page):
    response = client.get(LIST, {"page": page, "sort": "new"})

    assert canonical(response).endswith("/products/?page=2")


# --- Searching --------------------------------------------------------------------


def test_list_with_a_search_shows_products_with_every_word(client):
    make_product(name="Brass lamp", description="Warm light.")
    make_product(name="Steel lamp", description="Cold light.")

    response = client.get(LIST, {"q": " LAMP  warm "})

    assert names(response) == ["Brass lamp"]
    assert "Results for “LAMP warm”" in response.text
    assert 'content="noindex, follow"' in response.text


def test_list_with_a_search_without_results_says_so(client):
    response = client.get(LIST, {"q": "submarine"})

    assert "No results" in response.text


@pytest.mark.parametrize(
    "query", ["%", "_", "\\", "'", '"', "\x00", "a" * 5000, " " * 50, "\ud800", "💡"]
)
def test_list_with_a_strange_search_is_answered(client, query):
    make_product(name="Brass lamp")

    response = client.get(f"{LIST}?q={quote(query, errors='surrogatepass')}")

    assert response.status_code == 200


def test_list_with_markup_as_search_shows_it_as_text(client):
    response = client.get(LIST, {"q": "<script>alert(1)</script>"})

    assert "<script>alert" not in response.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in response.text


# --- One product ------------------------------------------------------------------


def test_detail_shows_the_product_and_its_neighbours(client):
    lamps = make_category(name="Lamps")
    product = make_product(
        name="Brass lamp", category=lamps, sku="B-7", description="One.\n\nTwo."
    )
    make_product(name="Steel lamp", category=lamps)
    make_product(name="Old lamp", category=lamps, is_active=False)
    make_product(name="Jug")

    response = client.get(product.get_absolute_url())

    assert '<h1 class="detail__name">Brass lamp</h1>' in response.text
    assert "<p>One.</p>" in response.text and "B-7" in response.text
    assert names(response) == ["Steel lamp"]
    assert canonical(response).endswith(product.get_absolute_url())
    assert '<meta name="description" content="One. Two.">' in response.text


@pytest.mark.parametrize("on_hand, disabled", [(3, False), (0, True)])
def test_detail_of_a_sold_out_product_disables_the_button(client, on_hand, disabled):
    variant = make_variant(on_hand=on_hand)

    response = client.get(variant.get_absolute_url())

    (button,) = re.findall(
        rf'<button[^>]* data-buy="{variant.pk}"[^>]*>', response.text
    )
    assert ("disabled" in button) == disabled
    assert ("Sold out" in response.text.split('class="stock__state">')[1][:40]) == (
        disabled
    )


def test_detail_of_an_inactive_product_answers_gone(client):
    lamps = make_category(name="Lamps")
    product = make_product(name="Old lamp", category=lamps, is_active=False)
    make_product(name="Steel lamp", category=lamps)

    response = client.get(product.get_absolute_url())

    assert response.status_code == 410
    assert "We no longer sell this." in response.text
    assert names(response) == ["Steel lamp"]
    assert "data-buy" not in response.text.split("</article>")[0]


@pytest.mark.parametrize(
    "address", ["/products/nowhere/", "/products/%00/", "/products/<b>/", "/nowhere"]
)
def test_detail_of_an_unknown_product_is_a_not_found_page_of_the_shop(client, address):
    response = client.get(address)

    assert response.status_code == 404
    assert "Page not found" in response.text
    assert "basket-badge" in response.text


def test_detail_with_a_picture_offers_its_sizes_and_reserves_its_space(client):
    product = make_product()
    product.image = make_picture()
    product.save()

    response = client.get(product.get_absolute_url())

    assert f"{product.image_small.url} 320w" in response.text
    assert f"{product.image_large.url} 960w" in response.text
    assert 'width="640" height="640"' in response.text


# --- For search engines -----------------------------------------------------------


def structured(response) -> dict:
    pattern = r'<script type="application/ld\+json">(.*?)</script>'
    (script,) = re.findall(pattern, response.text, re.S)
    return json.loads(script)


@pytest.mark.parametrize(
    "on_hand, reserved, availability",
    [(6, 0, "InStock"), (5, 0, "LimitedAvailability"), (4, 4, "OutOfStock")],
)
def test_offer_has_the_present_availability(client, on_hand, reserved, availability):
    product = make_product(
        on_hand=on_hand, reserved=reserved, price=Decimal("1250"), name="Brass lamp"
    )

    data = structured(client.get(product.get_absolute_url()))

    assert data["name"] == "Brass lamp"
    assert data["offers"]["availability"] == f"https://schema.org/{availability}"
    assert (data["offers"]["price"], data["offers"]["priceCurrency"]) == (
        "1250.00",
        "EUR",
    )
    assert data["offers"]["url"].startswith("http")


def test_offer_with_markup_in_a_name_stays_inside_its_script(client):
    evil = "</script><script>alert(1)</script><!--"
    product = make_product(name=evil, description=evil)

    response = client.get(product.get_absolute_url())

    assert structured(response)["name"] == evil
    assert "<script>alert" not in response.text


def test_sitemap_lists_active_products_categories_and_pages(client):
    shown, hidden = make_product(), make_product(is_active=False)

    index = client.get("/sitemap.xml").text
    sections = re.findall(r"<loc>[^<]*?(/sitemap-[^<]+)</loc>", index)
    listed = "".join(client.get(section).text for section in sections)

    assert len(sections) == 3
    assert shown.get_absolute_url() in listed
    assert shown.category.get_absolute_url() in listed
    assert hidden.get_absolute_url() not in listed


@pytest.mark.parametrize("section", ["nowhere", "products\x00"])
def test_sitemap_of_an_unknown_section_is_not_found(client, section):
    assert client.get(f"/sitemap-{section}.xml").status_code == 404


def test_robots_txt_names_the_sitemap_and_excludes_baskets(client):
    response = client.get("/robots.txt")

    assert response["Content-Type"].startswith("text/plain")
    assert re.search(r"^Sitemap: http://\S+/sitemap.xml$", response.text, re.M)
    assert "Disallow: /basket/" in response.text


@pytest.mark.parametrize(
    "includes_tax, sentence",
    [
        (True, "The price includes VAT."),
        (False, "VAT is added to the price in your basket."),
    ],
)
def test_product_page_says_whether_its_price_includes_tax(
    client, settings, includes_tax, sentence
):
    settings.PRICES_INCLUDE_TAX = includes_tax

    text = client.get(make_product().get_absolute_url()).text

    assert sentence in text
    assert ("Prices include VAT." in text) == includes_tax
