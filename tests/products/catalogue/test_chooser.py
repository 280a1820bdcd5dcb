"""Choosing a variant on the page of its product."""

import re
from decimal import Decimal
from html import unescape

import pytest
from django.urls import reverse

from products.models import Variant
from products.stock import services as stock
from tests.products.catalogue.test_views import canonical, names, structured
from tests.support.factories import make_options, make_variant

pytestmark = pytest.mark.django_db

NOT_SOLD = "We don’t sell the variant in this address."


@pytest.fixture
def mugs() -> list[Variant]:
    """A mug in two colours and two sizes, of which one combination does not exist."""
    return make_options(
        {"sku": "M-CS", "option_values": ["Chalk", "S"], "price": Decimal(18)},
        {"sku": "M-CL", "option_values": ["Chalk", "L"], "price": Decimal(24)},
        {"sku": "M-TS", "option_values": ["Tide", "S"], "price": Decimal(18)},
        names=["Colour", "Size"],
        name="Mug",
        slug="mug",
    )


def heading(response) -> str:
    pattern = r'<h1 class="detail__name"[^>]*>(.*?)</h1>'
    inside = re.search(pattern, response.text, re.S)[1]
    return unescape(re.sub("<[^>]*>", "", inside))


def choices(response) -> dict[str, tuple[str, str]]:
    """The address and the text of each link of the chooser by its value."""
    links = re.findall(
        r'<a class="choice[^>]*? href="([^"]*)"(.*?)</a>', response.text, re.S
    )
    texts = [(url, re.sub("<[^>]*>", " ", f"<{rest}").split()) for url, rest in links]
    return {value: (url, " ".join(text)) for url, (value, *text) in texts}


def buy_buttons(response) -> list[int]:
    article = response.text.split("</article>")[0]
    return [int(pk) for pk in re.findall(r'data-buy="(\d+)"', article)]


def test_detail_with_a_variant_shows_its_name_price_sku_and_form(client, mugs):
    response = client.get("/products/mug/?variant=M-CL")

    assert heading(response) == "Mug, Chalk, L"
    assert "<title>Mug, Chalk, L" in response.text
    main = response.text.split('class="detail__stock"')[1].split("<fieldset")[0]
    assert "€24.00" in main and f'data-topic="stock:{mugs[1].pk}"' in main
    assert buy_buttons(response) == [mugs[1].pk]
    assert "<dd>M-CL</dd>" in response.text
    assert 'name="next" value="/products/mug/?variant=M-CL"' in response.text


def test_detail_without_a_variant_shows_the_first_one_with_units_left(client, mugs):
    stock.count(mugs[0].pk, 0)

    response = client.get("/products/mug/")

    assert heading(response) == "Mug, Chalk, L"
    assert buy_buttons(response) == [mugs[1].pk]


def test_detail_of_a_product_that_is_sold_out_shows_its_first_variant(client, mugs):
    for mug in mugs:
        stock.count(mug.pk, 0)

    response = client.get("/products/mug/")

    assert heading(response) == "Mug, Chalk, S"


def test_chooser_links_to_each_value_with_the_others_as_they_are(client, mugs):
    response = client.get("/products/mug/?variant=M-CS")

    links = choices(response)
    assert links["Tide"][0] == "/products/mug/?variant=M-TS#chosen"
    assert links["L"][0] == "/products/mug/?variant=M-CL#chosen"
    assert response.text.count('aria-current="true"') >= 2
    assert response.text.count("<fieldset") == response.text.count("<legend") == 2
    for mug in mugs:
        assert f'data-topic="stock:{mug.pk}"' in response.text


def test_chooser_says_that_a_combination_does_not_exist(client, mugs):
    response = client.get("/products/mug/?variant=M-TS")

    url, text = choices(response)["L"]
    assert text == "Not made in Tide. See Chalk"
    assert url == "/products/mug/?variant=M-CL#chosen"


def test_chooser_shows_that_a_combination_is_sold_out(client, mugs):
    stock.count(mugs[2].pk, 0)

    response = client.get("/products/mug/?variant=M-CS")

    assert "Sold out" in choices(response)["Tide"][1]


def test_chooser_leaves_out_variants_that_are_not_for_sale(client, mugs):
    Variant.objects.filter(pk=mugs[2].pk).update(is_active=False)

    response = client.get("/products/mug/")

    assert list(choices(response)) == ["Chalk", "S", "L"]


def test_detail_of_a_product_without_options_has_no_chooser(client):
    lamp = make_variant(name="Lamp")

    response = client.get(f"{lamp.get_absolute_url()}?variant=anything")

    assert response.status_code == 200
    assert "chooser" not in response.text and NOT_SOLD not in response.text
    assert "?" not in lamp.get_absolute_url()


@pytest.mark.parametrize("sku", ["X-1", "%00", "<b>", "M-CS%20", "M-OLD"])
def test_detail_with_an_unknown_variant_shows_the_first_one_and_says_so(
    client, mugs, sku
):
    Variant.objects.filter(pk=mugs[2].pk).update(is_active=False, sku="M-OLD")

    response = client.get(f"/products/mug/?variant={sku}")

    assert response.status_code == 200
    assert NOT_SOLD in response.text
    assert heading(response) == "Mug, Chalk, S"
    assert "<b>" not in response.text.split("<h1")[0]


def test_detail_with_a_sku_in_small_letters_shows_that_variant(client, mugs):
    response = client.get("/products/mug/?variant=m-cl")

    assert heading(response) == "Mug, Chalk, L" and NOT_SOLD not in response.text


# --- Search engines ---------------------------------------------------------------


def test_pages_of_all_variants_have_the_address_of_the_product(client, mugs):
    for address in ("/products/mug/", "/products/mug/?variant=M-CL"):
        assert canonical(client.get(address)).endswith("/products/mug/")


def test_structured_data_has_each_variant_with_its_offer(client, mugs):
    stock.count(mugs[2].pk, 0)

    data = structured(client.get("/products/mug/?variant=M-CL"))

    assert data["@type"] == "ProductGroup"
    assert data["variesBy"] == ["https://schema.org/color", "https://schema.org/size"]
    tide = data["hasVariant"][2]
    assert [each["sku"] for each in data["hasVariant"]] == ["M-CS", "M-CL", "M-TS"]
    assert (tide["color"], tide["size"], tide["name"]) == ("Tide", "S", "Mug, Tide, S")
    assert tide["offers"]["availability"] == "https://schema.org/OutOfStock"
    assert tide["offers"]["url"].endswith("/products/mug/?variant=M-TS")


# --- Lists and search -------------------------------------------------------------


def card(response) -> str:
    inside = response.text.split('<article class="card">')[1].split("</article>")[0]
    return " ".join(unescape(re.sub("<[^>]*>", " ", inside)).split())


def test_card_shows_the_lowest_price_and_how_many_there_are(client, mugs):
    text = card(client.get("/products/"))

    assert "from €18.00" in text
    assert "2 colours, 2 sizes" in text
    assert "Sold out" not in text and "Add to basket" not in text


def test_card_of_variants_with_one_price_shows_it_without_from(client):
    rows = [{"option_values": [scent]} for scent in ("Cedar", "Citrus", "Salt")]
    make_options(*rows, names=["Scent"], price="9.50")

    text = card(client.get("/products/"))

    assert "from" not in text and "€9.50" in text
    assert "3 variants" in text


def test_card_of_a_product_whose_variants_are_all_sold_out_says_so(client, mugs):
    for mug in mugs:
        stock.count(mug.pk, 0)

    assert "2 colours, 2 sizes · Sold out" in card(client.get("/products/"))


@pytest.mark.parametrize("text", ["M-CL", "m-cl", " M-CL "])
def test_search_for_the_sku_of_a_variant_opens_its_page(client, mugs, text):
    response = client.get("/products/", {"q": text})

    assert response.status_code == 302
    assert response.url == mugs[1].get_absolute_url() == "/products/mug/?variant=M-CL"


def test_search_for_the_sku_of_a_product_without_options_lists_it(client):
    make_variant(name="Lamp", sku="L-1")

    assert names(client.get("/products/", {"q": "L-1"})) == ["Lamp"]


def test_suggestion_for_the_sku_of_a_variant_links_to_it(client, mugs):
    page = client.get(reverse("products:suggest"), {"q": "M-CL"})

    assert 'href="/products/mug/?variant=M-CL"' in page.text


def test_add_returns_to_the_variant_and_the_basket_links_to_it(client, mugs):
    address = mugs[1].get_absolute_url()

    response = client.post(f"/basket/add/{mugs[1].pk}/", {"next": address})

    assert response.url == address
    assert f'<a href="{address}">Mug, Chalk, L</a>' in client.get("/basket/").text
