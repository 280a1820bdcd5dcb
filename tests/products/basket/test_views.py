"""Filling a basket by plain forms, and by the script that asks for JSON."""

import re
from decimal import Decimal

import pytest
from django.contrib.messages import get_messages
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse

from products.basket import services as baskets
from products.live import viewers
from products.live.viewers import Owner
from products.models import Basket, BasketLine, Product, Stock
from products.pricing import baskets as pricing
from products.pricing.baskets import Item
from products.stock import services as stock
from tests.support.factories import (
    make_basket,
    make_shopper,
    make_user,
    make_variant,
    make_variants,
)
from users.models import Session

pytestmark = pytest.mark.django_db

BASKET = "/basket/"
UPDATE = "/basket/update/"
JSON = {"Accept": "application/json"}


def add(client, variant, *, headers=None, **data):
    address = reverse("products:basket-add", args=[getattr(variant, "pk", variant)])
    return client.post(address, data, headers=headers)


def messages_in(response) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def contents() -> dict[int, int]:
    """Of all baskets together: most tests have one."""
    return dict(BasketLine.objects.values_list("variant_id", "quantity"))


# --- Adding, without JavaScript ---------------------------------------------------


def test_add_by_a_plain_form_returns_to_the_page_with_a_message(client):
    variant = make_variant(name="Brass lamp")

    response = add(client, variant, quantity="2", next=variant.get_absolute_url())

    assert response.status_code == 302
    assert response.url == variant.get_absolute_url()
    assert messages_in(response) == ["Brass lamp is in your basket."]
    assert contents() == {variant.pk: 2}


def test_add_by_a_plain_form_shows_its_message_and_badge_on_the_next_page(client):
    variant = make_variant(name="Brass lamp", price="12.50")

    add(client, variant, quantity="2")
    page = client.get("/")

    assert "Brass lamp is in your basket." in page.text
    assert re.search(r'basket-badge__count">2<', page.text)
    assert "€25.00" in page.text


def test_add_without_a_quantity_adds_one(client):
    variant = make_variant()

    add(client, variant)

    assert contents() == {variant.pk: 1}


def test_add_of_more_than_available_says_so(client):
    variant = make_variant(on_hand=3)

    response = add(client, variant, quantity="5")

    assert messages_in(response)[1] == "Only 3 are left. You have 5 in your basket."
    assert contents() == {variant.pk: 5}


@pytest.mark.parametrize(
    "quantity", ["0", "-1", "21", "1.5", "many", "", "\x00", "9" * 30, "9" * 5000]
)
def test_add_of_a_bad_quantity_says_so_and_changes_nothing(client, quantity):
    variant = make_variant()

    response = add(client, variant, quantity=quantity)

    assert messages_in(response) == [
        "The quantity must be a whole number from 1 to 20."
    ]
    assert not Basket.objects.exists()


@pytest.mark.parametrize("variant_id", [0, 10**9, 10**30, "inactive"])
def test_add_of_an_unsold_product_says_so_and_changes_nothing(client, variant_id):
    if variant_id == "inactive":
        variant_id = make_variant(is_active=False).pk

    response = add(client, variant_id)

    assert messages_in(response) == ["We don’t sell this product."]
    assert not Basket.objects.exists()
    assert viewers.BASKET_TOKEN not in client.session


def test_add_of_a_sold_out_product_says_so(client):
    variant = make_variant(name="Brass lamp", on_hand=0)

    response = add(client, variant)

    assert messages_in(response) == ["Brass lamp is sold out."]
    assert contents() == {}


def test_add_beyond_the_limits_says_so_and_keeps_the_basket(client, settings):
    settings.BASKET_LINES_LIMIT = 1
    variant, other = make_variant(), make_variant()
    add(client, variant, quantity="20")

    too_many = add(client, variant)
    too_broad = add(client, other)

    assert (
        "at most 20 of each product. You already have 20 ×" in messages_in(too_many)[-1]
    )
    assert "at most 1 different products" in messages_in(too_broad)[-1]
    assert contents() == {variant.pk: 20}


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "http:evil.example",
        "\x00/",
        "",
    ],
)
def test_add_never_leads_out_of_the_shop(client, elsewhere):
    response = add(client, make_variant(), next=elsewhere)

    assert response.url == BASKET


# --- Adding, by the script --------------------------------------------------------


def test_add_with_json_answers_the_message_and_the_badge(client):
    variant = make_variant(name="Brass lamp", price="12.50")

    response = add(client, variant, quantity="2", headers=JSON)

    answer = response.json()
    assert answer["messages"] == [
        {"level": "success", "text": "Brass lamp is in your basket."}
    ]
    ((name, version, facts, html),) = answer["items"]
    assert (name, version, facts) == ("basket", 1, {"count": 2, "total": "25.00"})
    assert 'data-topic="basket" data-version="1"' in html
    assert answer["identity"] is True


def test_add_a_second_time_keeps_the_identity(client):
    variant = make_variant()
    add(client, variant)

    answer = add(client, variant, headers=JSON).json()

    assert answer["identity"] is False
    assert answer["items"][0][1:3] == [2, {"count": 2, "total": "25.00"}]


def test_add_with_json_that_is_refused_says_so(client):
    response = add(client, make_variant(), quantity="0", headers=JSON)

    assert response.status_code == 422
    answer = response.json()
    assert answer["messages"][0]["level"] == "error"
    assert answer["items"][0][1:3] == [0, {"count": 0, "total": "0.00"}]
    assert answer["identity"] is False


def test_message_answered_as_json_is_not_shown_again(client):
    add(client, make_variant(name="Brass lamp"), headers=JSON)

    assert "is in your basket." not in client.get("/").text


def test_update_with_json_on_the_basket_page_answers_the_lines_too(client):
    variant = make_variant()
    add(client, variant, quantity="2")

    response = client.post(
        UPDATE, {f"quantity-{variant.pk}": "5", "parts": "basket:lines"}, headers=JSON
    )

    items = {
        name: (version, html) for name, version, _f, html in response.json()["items"]
    }
    assert set(items) == {"basket", "basket:lines"}
    assert items["basket:lines"][0] == 2
    assert f'name="quantity-{variant.pk}" value="5"' in items["basket:lines"][1]


# --- The basket's page ------------------------------------------------------------


def test_basket_of_a_new_visitor_is_empty_and_starts_no_session(client):
    response = client.get(BASKET)

    assert "Your basket is empty" in response.text
    assert not Session.objects.exists() and not Basket.objects.exists()


def test_basket_shows_lines_with_links_and_total(client):
    lamp, jug = make_variant(name="Brass lamp"), make_variant(name="Jug", price="2.00")
    add(client, lamp, quantity="2")
    add(client, jug, quantity="3")

    page = client.get(BASKET).text

    assert lamp.get_absolute_url() in page and "Brass lamp" in page and "Jug" in page
    assert "€25.00" in page and "€6.00" in page and "€31.00" in page


def test_basket_with_a_changed_price_shows_the_old_one(client):
    variant = make_variant(price="12.50")
    add(client, variant)
    variant.price = "9.90"
    variant.save()

    page = client.get(BASKET).text

    assert "Was €12.50 when you added it" in page
    assert "€9.90" in page


def test_basket_without_a_changed_price_shows_no_old_one(client):
    add(client, make_variant())

    assert "when you added it" not in client.get(BASKET).text


@pytest.mark.parametrize("left, is_hidden", [(5, True), (4, False), (0, False)])
def test_basket_line_with_too_few_units_left_says_so(client, left, is_hidden):
    variant = make_variant(on_hand=9)
    add(client, variant, quantity="5")
    Stock.objects.filter(variant=variant).update(on_hand=left)

    page = client.get(BASKET).text

    (note,) = re.findall(rf'<p[^>]* data-short="{variant.pk}"[^>]*>.*?</p>', page)
    assert ("hidden" in note) == is_hidden
    assert f"<b data-left>{left}</b>" in note


def test_basket_line_of_an_inactive_product_says_so_and_costs_nothing(client):
    gone, jug = make_variant(name="Old lamp"), make_variant(price="2.00")
    add(client, gone)
    add(client, jug)
    gone.is_active = False
    gone.save()

    page = client.get(BASKET)

    assert "No longer sold" in page.text
    assert page.context["basket"]["total"] == "2.00"


def test_basket_of_another_visitor_is_not_shown():
    anna, ben = Client(), Client()
    add(anna, make_variant(name="Brass lamp"))

    assert "Brass lamp" in anna.get(BASKET).text  # the premise
    assert "Brass lamp" not in ben.get(BASKET).text


# --- Changing it ------------------------------------------------------------------


@pytest.fixture
def filled(client):
    """Two products, two units of each, in the client's basket."""
    variants = make_variant(name="Brass lamp"), make_variant(name="Jug")
    for variant in variants:
        add(client, variant, quantity="2")
    return variants


def test_update_of_quantities_sets_them_all(client, filled):
    lamp, jug = filled

    response = client.post(
        UPDATE, {f"quantity-{lamp.pk}": "5", f"quantity-{jug.pk}": "1"}
    )

    assert response.url == BASKET
    assert messages_in(response)[-1] == "Your basket is up to date."
    assert contents() == {lamp.pk: 5, jug.pk: 1}


def test_update_keeps_what_another_tab_changed(client, filled):
    lamp, jug = filled
    add(client, jug, quantity="7")  # the other tab

    client.post(
        UPDATE,
        {
            f"quantity-{lamp.pk}": "5",
            f"was-{lamp.pk}": "2",
            f"quantity-{jug.pk}": "2",
            f"was-{jug.pk}": "2",
        },
    )

    assert contents() == {lamp.pk: 5, jug.pk: 9}


@pytest.mark.parametrize("bad", ["0", "-1", "21", "x", "", "9" * 5000, "\x00"])
def test_update_with_a_bad_quantity_says_so_and_changes_none(client, filled, bad):
    lamp, jug = filled

    response = client.post(
        UPDATE, {f"quantity-{lamp.pk}": "5", f"quantity-{jug.pk}": bad}
    )

    assert "from 1 to 20" in messages_in(response)[-1]
    assert contents() == {lamp.pk: 2, jug.pk: 2}


@pytest.mark.parametrize(
    "field",
    ["quantity-", "quantity-x", "quantity--1", "quantity-٢", "quantity-999999999"],
)
def test_update_of_an_unknown_line_says_so(client, filled, field):
    response = client.post(UPDATE, {field: "5"})

    assert messages_in(response)[-1] == "This product is no longer in your basket."


def test_remove_deletes_one_line(client, filled):
    lamp, jug = filled

    response = client.post(
        UPDATE, {"remove": lamp.pk, f"quantity-{jug.pk}": "9", f"was-{jug.pk}": "2"}
    )

    assert messages_in(response)[-1] == "Removed from your basket."
    assert contents() == {jug.pk: 2}


@pytest.mark.parametrize("what", ["", "x", "0", "-1", "\x00", "9" * 30, "9" * 5000])
def test_remove_of_nonsense_says_so_and_changes_nothing(client, filled, what):
    response = client.post(UPDATE, {"remove": what})

    assert messages_in(response)[-1] == "This product is no longer in your basket."
    assert set(contents().values()) == {2}


def test_clear_empties_the_basket(client, filled):
    response = client.post(UPDATE, {"clear": "1"})

    assert messages_in(response)[-1] == "We’ve emptied your basket."
    assert contents() == {}
    assert "Your basket is empty" in client.get(BASKET).text


def test_update_of_a_line_of_another_visitor_is_refused(filled):
    lamp, _jug = filled
    outsider = Client()

    response = outsider.post(UPDATE, {"remove": lamp.pk})

    assert messages_in(response) == ["This product is no longer in your basket."]
    assert contents()[lamp.pk] == 2


def test_update_of_a_hundred_lines_works_with_one_form(client):
    variants = make_variants(100)
    add(client, variants[0])
    basket = Basket.objects.get()
    BasketLine.objects.bulk_create(
        BasketLine(basket=basket, variant=p, quantity=1, price_when_added=p.price)
        for p in variants[1:]
    )
    form = {f"quantity-{variant.pk}": "3" for variant in variants}
    form |= {f"was-{variant.pk}": "1" for variant in variants}

    client.post(UPDATE, form)

    assert set(contents().values()) == {3}


# --- The door ---------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "head", "put", "delete"])
def test_addresses_that_change_the_basket_require_a_post(client, method):
    variant = make_variant()

    for address in (reverse("products:basket-add", args=[variant.pk]), UPDATE):
        assert getattr(client, method)(address).status_code == 405
    assert not Basket.objects.exists()


def test_post_from_another_site_is_refused():
    client, variant = Client(enforce_csrf_checks=True), make_variant()

    refused = add(client, variant)

    assert refused.status_code == 403
    assert not Basket.objects.exists()


def test_post_with_the_token_of_the_page_is_accepted():
    client, variant = Client(enforce_csrf_checks=True), make_variant()
    page = client.get(variant.get_absolute_url()).text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]

    add(client, variant, csrfmiddlewaretoken=token)

    assert contents() == {variant.pk: 1}


def test_basket_page_has_one_token_outside_the_pushed_parts(client, filled):
    page = client.get(BASKET).text

    pushed = page[page.index('data-topic="basket:lines"') : page.index("</main>")]
    assert "csrfmiddlewaretoken" not in pushed
    assert "csrfmiddlewaretoken" in page


# --- Signing in -------------------------------------------------------------------


def test_sign_in_keeps_the_basket(client):
    user, lamp, jug = make_user(), make_variant(), make_variant()
    make_basket(viewers.Owner(user_id=user.pk), {lamp: 1})
    add(client, lamp, quantity="2")
    add(client, jug, quantity="3")

    client.post(
        reverse("users:login"), {"login": user.username, "password": "password"}
    )

    mine = Basket.objects.open().get(user=user)
    assert dict(mine.lines.values_list("variant_id", "quantity")) == {
        lamp.pk: 3,
        jug.pk: 3,
    }
    assert viewers.BASKET_TOKEN not in client.session
    assert re.search(r'basket-badge__count">6<', client.get("/").text)


def test_failed_sign_in_keeps_the_anonymous_basket(client):
    user, variant = make_user(), make_variant()
    add(client, variant)

    client.post(reverse("users:login"), {"login": user.username, "password": "no"})

    assert viewers.BASKET_TOKEN in client.session
    assert not Basket.objects.filter(user=user).exists()


def test_sign_out_keeps_the_basket_with_its_user(client):
    user, variant = make_user(), make_variant()
    client.force_login(user)
    add(client, variant)

    client.post(reverse("users:logout"))

    assert "Your basket is empty" in client.get(BASKET).text
    client.force_login(user)
    assert variant.name in client.get(BASKET).text


# --- Signing in ---------------------------------------------------------------------


def sign_in_with(client, theirs: dict, own: dict) -> list[str]:
    """What is said to somebody who signs in, of two baskets."""
    user = make_shopper()
    make_basket(Owner(user_id=user.pk), own)
    session = client.session
    session[viewers.BASKET_TOKEN] = "abc"
    session.save()
    make_basket(Owner(token="abc"), theirs)
    form = {"login": user.email, "password": "password"}
    return [
        text for text in messages_in(client.post("/users/login/", form)) if ":" in text
    ]


def test_sign_in_names_units_beyond_the_line_limit(client):
    lamp, jug = make_variant(name="Lamp", on_hand=99), make_variant(name="Jug")

    messages = sign_in_with(client, {lamp: 15, jug: 1}, {lamp: 15})

    assert messages == [
        "Your basket can hold at most 20 of one product."
        " Left out: 10 × Lamp (of 30)."
    ]
    assert contents()[lamp.pk] in (15, 20)
    assert (
        BasketLine.objects.get(basket__user__isnull=False, variant=lamp).quantity == 20
    )


def test_sign_in_names_products_beyond_the_basket_limit(client, settings):
    lamp, jug = make_variant(name="Lamp"), make_variant(name="100 % Jug")
    settings.BASKET_LINES_LIMIT = 1

    messages = sign_in_with(client, {jug: 2}, {lamp: 1})

    assert messages == [
        "Your basket can hold at most 1 different products. Left out: 2 × 100 % Jug."
    ]


def test_sign_in_names_unavailable_products(client):
    lamp, jug, mug = (make_variant(name=n, on_hand=5) for n in ("Lamp", "Jug", "Mug"))
    user = make_shopper()
    make_basket(Owner(token="abc"), {lamp: 2, jug: 3, mug: 1})
    stock.claim({lamp.pk: 5, jug.pk: 3})
    Product.objects.filter(pk=mug.product_id).update(is_active=False)
    session = client.session
    session[viewers.BASKET_TOKEN] = "abc"
    session.save()

    response = client.post(
        "/users/login/", {"login": user.email, "password": "password"}
    )

    assert (
        "Not available right now: Lamp (sold out), Jug (2 left, you wanted"
        " 3), Mug (no longer sold)." in messages_in(response)
    )


def test_sign_in_with_a_basket_that_fits_shows_no_message(client):
    assert sign_in_with(client, {make_variant(): 1}, {make_variant(): 1}) == []


# --- What it costs ----------------------------------------------------------------


def sums_in(html: str) -> list[tuple[str, str]]:
    """The rows of the summary."""
    row = r"<div[^>]*>\s*<dt>(.*?)</dt\s*>\s*<dd>\s*(.*?)\s*</dd\s*>\s*</div\s*>"
    rows = re.findall(row, html, re.S)
    return [(name, value) for name, value in rows if name != "Items"]


def test_basket_shows_what_it_costs_with_the_tax_of_each_rate(client):
    add(client, make_variant(price="11.90"), quantity="2")
    add(client, make_variant(price="10.70", tax_class_id="reduced"))

    assert sums_in(client.get(BASKET).text) == [
        ("Subtotal", "€34.50"),
        ("Delivery", "Included"),
        ("Total", "€34.50"),
        ("Includes 19% VAT", "€3.80"),
        ("Includes 7% VAT", "€0.70"),
    ]


def test_basket_with_net_prices_adds_the_tax(client, settings):
    settings.PRICES_INCLUDE_TAX = False
    add(client, make_variant(price="10.00"), quantity="2")

    assert sums_in(client.get(BASKET).text) == [
        ("Subtotal", "€20.00"),
        ("Delivery", "Included"),
        ("19% VAT", "€3.80"),
        ("Total", "€23.80"),
    ]


def test_basket_for_another_country_shows_its_tax_in_every_tab(client):
    add(client, make_variant(price="12.50"))
    mine = baskets.set_destination(Basket.objects.get(), "US", "")

    answer = client.post(UPDATE, {"parts": "basket:lines"}, headers=JSON).json()

    (lines,) = [item for item in answer["items"] if item[0] == "basket:lines"]
    assert lines[1] == mine.version
    assert ("No VAT: Export outside the tax area", "€0.00") in sums_in(lines[3])


def test_basket_of_a_shop_without_tax_rates_says_nothing_of_taxes(client, settings):
    settings.SHOP_COUNTRY = "US"
    add(client, make_variant(price="12.50"))

    assert "VAT" not in str(sums_in(client.get(BASKET).text))


def test_discount_and_shipping_have_rows_of_their_own():
    sums = pricing.price_items(
        [Item(Decimal(20), 1, "")], {}, order_percent=Decimal(10), shipping=5
    ).sums

    html = render_to_string("orders/_sums.html", {"sums": sums.facts, "units": 1})

    assert sums_in(html) == [
        ("Subtotal", "€20.00"),
        ("Discount", "−€2.00"),
        ("Delivery", "€5.00"),
        ("Total", "€23.00"),
    ]
