"""Cached pages: the same for all, with each visitor's own token and basket badge."""

import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.translation import get_language, override

from products.live import viewers
from products.models import Product, Variant
from products.pagecache import caching
from products.stock import services as stock
from products.templatetags import shelf as shelf_tags
from products.templatetags.shelf import render_card
from tests.support.factories import (
    make_basket,
    make_category,
    make_options,
    make_product,
    make_products,
    make_user,
    make_variant,
)

pytestmark = pytest.mark.django_db

LIST = "/products/"
BADGE = re.compile(r'data-topic="basket" data-version="(\d+)">\s*<[^>]*>(\d+)<')


@pytest.fixture(autouse=True)
def caching_is_on(settings):
    settings.CATALOGUE_MAX_AGE_S = 60
    return settings


@pytest.fixture
def lamp() -> Variant:
    return make_variant(name="Brass lamp", slug="lamp", category=make_category())


def rename(variant: Variant, name: str = "Steel lamp") -> None:
    """Change the product without telling the cache."""
    Product.objects.filter(pk=variant.product_id).update(name=name)


def tokens(response) -> set[str]:
    return set(re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', response.text))


def badge(response) -> tuple[str, ...]:
    return BADGE.search(response.text).groups()


def with_a_basket(variant: Variant, units: int = 2) -> Client:
    client = Client()
    session = client.session
    session[viewers.BASKET_TOKEN] = "abc"
    session.save()
    make_basket(viewers.Owner(token="abc"), {variant: units})
    return client


ADDRESSES = ["/", LIST, "/products/category/shelf/", "/products/lamp/"]


@pytest.fixture
def shelf() -> Variant:
    return make_variant(
        name="Brass lamp", slug="lamp", category=make_category(slug="shelf")
    )


# --- Cached -----------------------------------------------------------------------


@pytest.mark.parametrize("address", ADDRESSES)
def test_page_requested_again_takes_no_query(shelf, address, django_assert_num_queries):
    first = Client().get(address)

    with django_assert_num_queries(0):
        second = Client().get(address)

    assert "Brass lamp" in second.text
    assert tokens(first) and not tokens(first) & tokens(second)
    hide = re.compile("|".join(tokens(first) | tokens(second)))
    assert hide.sub("", first.text) == hide.sub("", second.text)


@pytest.mark.parametrize("address", ADDRESSES)
def test_cached_page_equals_the_page_without_a_cache(shelf, address, settings):
    settings.CATALOGUE_MAX_AGE_S = 0
    plain = Client().get(address)
    settings.CATALOGUE_MAX_AGE_S = 60
    Client().get(address)

    cached = Client().get(address)

    hide = re.compile("|".join(tokens(plain) | tokens(cached)))
    assert hide.sub("", cached.text) == hide.sub("", plain.text)
    ours = {"ETag", "Cache-Control", "Content-Length"}
    assert {k: v for k, v in cached.items() if k not in ours} == {
        k: v for k, v in plain.items() if k not in ours
    }


@pytest.mark.parametrize("address", ADDRESSES)
def test_page_shows_a_change_once_its_generation_is_touched(shelf, address, client):
    client.get(address)
    rename(shelf)
    assert "Brass lamp" in client.get(address).text

    caching.touch([caching.SHELVES])

    assert "Steel lamp" in client.get(address).text


@pytest.fixture
def mugs() -> list[Variant]:
    rows = [{"sku": f"M {n}", "option_values": [f"size {n}"]} for n in range(3)]
    return make_options(*rows, names=["Size"], name="Mug", slug="mug")


def test_page_of_each_variant_is_cached_as_its_own(mugs, django_assert_num_queries):
    addresses = ["/products/mug/", *(mug.get_absolute_url() for mug in mugs[1:])]
    first = [Client().get(address).text for address in addresses]

    with django_assert_num_queries(0):
        second = [Client().get(address).text for address in addresses]

    for n, (one, other) in enumerate(zip(first, second, strict=True)):
        assert f", size {n}</span></h1>" in one and f", size {n}</span></h1>" in other


def test_page_with_a_made_up_variant_is_not_cached(mugs):
    response = Client().get("/products/mug/?variant=made-up")

    assert "ETag" not in response
    assert "We don’t sell the variant in this address." in response.text


def test_page_of_a_variant_that_is_no_longer_sold_shows_another_one(mugs, client):
    address = mugs[1].get_absolute_url()
    client.get(address)
    Variant.objects.filter(pk=mugs[1].pk).update(is_active=False)

    caching.touch([caching.product("mug")])

    assert ", size 0</span></h1>" in client.get(address).text


def test_page_of_a_category_stays_when_another_category_changes(client, lamp):
    address = lamp.product.category.get_absolute_url()
    client.get(address)
    rename(lamp)

    caching.touch([caching.CATALOGUE, caching.category("another")])

    assert "Brass lamp" in client.get(address).text


def test_page_that_does_not_exist_is_not_cached(client):
    assert client.get("/products/lamp/").status_code == 404

    make_product(slug="lamp")

    assert client.get("/products/lamp/").status_code == 200


def test_page_of_a_product_that_is_gone_is_cached_as_gone(client):
    address = make_product(is_active=False).get_absolute_url()

    assert [client.get(address).status_code for _ in range(2)] == [410, 410]


def test_page_with_extra_parameters_is_built_without_them(client, lamp):
    """What one visitor adds to the address must not be shown to others."""
    client.get(LIST, {"utm_source": "evil"})

    shown = Client().get(LIST).text

    assert "evil" not in shown
    assert 'name="next" value="/products/"' in shown


@pytest.mark.parametrize(
    "query", [{"sort": "-price"}, {"page": "2"}, {"sort": "price", "page": "2"}]
)
def test_page_with_another_order_or_number_is_another_page(client, query):
    make_products(60)
    plain = client.get(LIST)

    other = client.get(LIST, query)

    cards = re.compile('class="card__name"><a href="([^"]+)"')
    assert cards.findall(plain.text) != cards.findall(other.text)


def test_page_of_a_search_is_not_cached(client, lamp):
    client.get(LIST, {"q": "lamp"})
    rename(lamp)

    assert "Steel lamp" in client.get(LIST, {"q": "lamp"}).text


# --- Personal ---------------------------------------------------------------------


def test_page_has_a_token_that_forms_accept(lamp):
    browser = Client(enforce_csrf_checks=True)
    Client().get(LIST)
    (token,) = tokens(browser.get(LIST))

    answer = browser.post(
        reverse("products:basket-add", args=[lamp.pk]),
        {"quantity": 1, "csrfmiddlewaretoken": token, "next": LIST},
    )

    assert answer.status_code == 302


def test_page_shows_a_visitor_their_basket_and_the_next_one_none(lamp):
    shopper = with_a_basket(lamp)

    badges = [badge(each.get(LIST)) for each in (shopper, Client(), shopper)]

    assert badges == [("1", "2"), ("0", "0"), ("1", "2")]


def test_page_for_a_visitor_with_a_basket_takes_one_query(
    lamp, django_assert_num_queries
):
    shopper = with_a_basket(lamp)
    shopper.get(LIST)

    with django_assert_num_queries(1):
        shopper.get(LIST)


def test_page_of_a_visitor_who_waits_is_not_shown_to_others(lamp):
    stock.count(lamp.pk, 0)
    visitor = Client()
    request = {"email": "ann@example.com"}
    visitor.post(reverse("products:tell-me", args=[lamp.pk]), request)
    page = lamp.get_absolute_url()

    visitor.get(page)  # which says "thank you", once

    theirs, anybodys = visitor.get(page), Client().get(page)

    assert "We’ll tell you on this page" in theirs.text
    assert "We’ll tell you on this page" not in anybodys.text


def test_page_with_a_message_is_shown_to_its_visitor_alone(lamp):
    visitor = Client()
    add = reverse("products:basket-add", args=[lamp.pk])
    visitor.post(add, {"quantity": 1, "next": LIST})

    theirs, anybodys = visitor.get(LIST), Client().get(LIST)

    assert 'class="message message--' in theirs.text
    assert 'class="message message--' not in anybodys.text
    assert 'class="message message--' not in visitor.get(LIST).text  # said once


def test_page_of_a_signed_in_visitor_is_not_shown_to_others(lamp):
    Client().get(LIST)
    member = Client()
    member.force_login(make_user(first_name="Ann"))

    theirs, anybodys = member.get(LIST), Client().get(LIST)

    assert "Ann" in theirs.text and "Ann" not in anybodys.text
    assert "no-store" in theirs["Cache-Control"]


def test_page_for_staff_shows_their_own_change_at_once(lamp):
    Client().get(LIST)
    clerk = Client()
    clerk.force_login(make_user(is_staff=True))
    clerk.get(LIST)
    rename(lamp)
    lamp.product.category.name = "Renamed shelf"
    lamp.product.category.save()

    shown = clerk.get(LIST).text

    assert "Steel lamp" in shown and "Renamed shelf" in shown


# --- Cards ------------------------------------------------------------------------


def test_card_for_a_signed_in_visitor_comes_from_the_cache(lamp, monkeypatch):
    member = Client()
    member.force_login(make_user())
    member.get(LIST)
    monkeypatch.setattr(
        "products.templatetags.shelf.render_card", lambda *_: "Rendered"
    )

    shown = member.get(LIST).text

    assert "Brass lamp" in shown and "Rendered" not in shown


@pytest.mark.parametrize(
    "change", [{"name": "Other"}, {"slug": "other"}, {"image": "a.png"}]
)
def test_card_of_a_changed_product_changes_at_once(lamp, change):
    member = Client()
    member.force_login(make_user())
    before = member.get(LIST).text

    Product.objects.filter(pk=lamp.product_id).update(**change)

    card = re.compile("<article.*?</article>", re.S)
    hide = re.compile(r'csrfmiddlewaretoken" value="\w+')
    after = member.get(LIST).text
    assert hide.sub("", card.search(after)[0]) != hide.sub("", card.search(before)[0])


def test_card_after_a_sale_is_rendered_again_and_others_are_not(lamp, monkeypatch):
    make_products(5)
    member = Client()
    member.force_login(make_user())
    member.get(LIST)
    rendered = []
    monkeypatch.setattr(
        "products.templatetags.shelf.render_card",
        lambda product, eager: rendered.append(product.pk)
        or render_card(product, eager),
    )

    stock.claim({lamp.pk: 7})
    shown = member.get(LIST).text

    assert "Only <b>3</b> left" in shown
    assert rendered == [lamp.product_id]


def test_card_in_another_language_is_not_the_first_one(lamp, rf, monkeypatch):
    monkeypatch.setattr(shelf_tags, "render_card", lambda *_: get_language())
    product = Product.objects.with_offers().get()
    context = {"csrf_token": "T", "request": rf.get("/")}

    english = shelf_tags.cards(context, [product])
    with override("de"):
        german = shelf_tags.cards(context, [product])

    assert (english, german) == ("<li>en</li>", "<li>de</li>")


def test_card_of_a_product_with_a_hostile_name_is_escaped(lamp):
    rename(lamp, '"><script>alert(1)</script>')

    shown = Client().get(LIST).text

    assert "<script>alert" not in shown and "&lt;script&gt;alert" in shown


# --- ETags and compression --------------------------------------------------------


def get_again(client: Client, response):
    return client.get(LIST, headers={"if-none-match": response["ETag"]})


def test_page_that_the_browser_has_is_a_304(lamp):
    visitor = Client()
    first = visitor.get(LIST)

    again = get_again(visitor, first)

    assert again.status_code == 304 and again.content == b""
    assert first["Cache-Control"] == again["Cache-Control"] == "private, no-cache"


def test_page_with_another_visitors_etag_is_sent(lamp):
    first = Client().get(LIST)

    assert get_again(Client(), first).status_code == 200


def test_page_that_has_changed_is_sent(lamp):
    visitor = Client()
    first = visitor.get(LIST)
    rename(lamp)
    caching.touch([caching.CATALOGUE])

    assert "Steel lamp" in get_again(visitor, first).text


def test_page_is_sent_when_the_basket_changed(lamp):
    visitor = with_a_basket(lamp)
    first = visitor.get(LIST)
    make_basket(viewers.Owner(token="abc"), {lamp: 1})

    assert badge(get_again(visitor, first)) == ("2", "3")


def test_page_is_compressed_for_browsers_that_accept_gzip(lamp):
    shown = Client().get(LIST, headers={"accept-encoding": "gzip"})

    assert shown["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in shown["Vary"] and "Cookie" in shown["Vary"]
