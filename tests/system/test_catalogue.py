"""The catalogue through a real Daphne that keeps its pages, and a real worker that says
when they are out of date."""

import gzip
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from http.client import HTTPConnection, HTTPResponse

import pytest

from products.catalogue import services as catalogue
from products.models import Product
from products.pagecache import caching
from products.stock import services as stock
from tests.support.concurrency import together
from tests.support.factories import make_category, make_picture, make_product, make_user
from tests.support.layers import publishing_at
from tests.support.page import Page
from tests.support.servers import Daphne, Redis, wait_until
from tests.support.shopper import Shopper
from tests.support.workers import Worker, broker_at

PROMISED_S = 2
LONG_S = 20


@pytest.fixture(scope="module")
def redis(tmp_path_factory) -> Iterator[Redis]:
    redis = Redis(tmp_path_factory.mktemp("redis"))
    redis.start()
    with broker_at(redis.url), publishing_at(redis.url):
        yield redis
    redis.stop()


@pytest.fixture(scope="module")
def the_shop(django_db_setup, tmp_path_factory, redis, static) -> Iterator[Daphne]:
    folder = tmp_path_factory.mktemp("shop")
    media = {"MEDIA_ROOT": str(folder), "SERVE_MEDIA": "1"}
    age = {
        "CATALOGUE_MAX_AGE_S": "600"
    }  # nothing expires, so changes show only by invalidation
    shop = Daphne(folder, redis.url, **static, **media, **age)
    shop.start()
    yield shop
    shop.stop()


@pytest.fixture(scope="module")
def the_worker(django_db_setup, tmp_path_factory, redis) -> Iterator[Worker]:
    worker = Worker(tmp_path_factory.mktemp("worker"), redis.url)
    worker.launch()
    worker.wait()
    yield worker
    worker.kill()


@pytest.fixture
def server(transactional_db, the_shop) -> Iterator[Daphne]:
    """A shop that has seen nothing of this test's rows, and has no traceback after."""
    since = the_shop.mark()
    yield the_shop
    assert "Traceback" not in the_shop.said(since), the_shop.said(since)


@pytest.fixture(autouse=True)
def same_cache(settings, redis) -> None:
    """This process keeps things where the shop does."""
    same = {"LOCATION": redis.url, "KEY_PREFIX": "shop"}
    default = settings.CACHES["default"] | same
    settings.CACHES = settings.CACHES | {"default": default}


_numbers = iter(range(1, 1000))


@pytest.fixture
def lamp() -> Product:
    """At an address that no other test has, for pages outlive a test."""
    n = next(_numbers)
    shelf = make_category(name=f"Shelf {n}.", slug=f"cached-shelf-{n}")
    made = make_product(name=f"Lamp {n}.", slug=f"cached-lamp-{n}", category=shelf)
    caching.touch([caching.SHELVES, caching.CATALOGUE])
    return made


class Answer:
    """A page as it came."""

    def __init__(self, response: HTTPResponse) -> None:
        self.status, self.headers = response.status, response.headers
        self.sent = response.read()
        is_zipped = self.headers["Content-Encoding"] == "gzip"
        self.text = (gzip.decompress(self.sent) if is_zipped else self.sent).decode()

    @property
    def cookies(self) -> str:
        given = self.headers.get_all("Set-Cookie", [])
        return "; ".join(each.partition(";")[0] for each in given)

    @property
    def tokens(self) -> set[str]:
        pattern = r'name="csrfmiddlewaretoken" value="([^"]+)"'
        return set(re.findall(pattern, self.text))


def ask(shop: Daphne, path: str, method: str = "GET", **headers: str) -> Answer:
    """As somebody who has never been there, unless `headers` say otherwise."""
    link = HTTPConnection("127.0.0.1", shop.port, timeout=20)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    host = {"Host": f"localhost:{shop.port}"}
    try:
        link.request(method, path, headers=host | named)
        return Answer(link.getresponse())
    finally:
        link.close()


def shows(shop: Daphne, path: str, text: str) -> Callable[[], bool]:
    return lambda: text in ask(shop, path).text


def warm(shop: Daphne, *paths: str) -> None:
    for path in paths:
        ask(shop, path)
        ask(shop, path)


# --- All see it within two seconds ------------------------------------------------

CHANGES = {
    "name": ({"name": "Renamed lamp"}, "Renamed lamp"),
    "price": ({"price": Decimal("98.76")}, "98.76"),
    "activity": ({"is_active": False}, "We no longer sell this."),
    "picture": ({}, "320w"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_change_of_a_product_is_seen_by_all(server, the_worker, lamp, kind):
    change, seen = CHANGES[kind]
    page, shelf = lamp.get_absolute_url(), lamp.category.get_absolute_url()
    warm(server, page, shelf, "/", "/products/")
    assert not shows(server, page, seen)()
    variant = lamp.variants.get()
    for field, value in change.items():
        setattr(variant if field == "price" else lamp, field, value)
    if kind == "picture":
        lamp.image = make_picture()

    catalogue.save(lamp, variants=[variant])

    wait_until(shows(server, page, seen), kind, PROMISED_S)
    for address in (shelf, "/", "/products/"):
        gone = not lamp.is_active
        seen_there = shows(server, address, lamp.slug if gone else seen)
        wait_until(lambda: seen_there() != gone, f"{kind} at {address}", PROMISED_S)


def test_category_renamed_is_seen_by_all_on_every_page(server, the_worker, lamp):
    page = lamp.get_absolute_url()
    warm(server, page, "/")
    lamp.category.name = "Renamed shelf"

    catalogue.save_category(lamp.category)

    for address in (page, "/", "/products/"):
        wait_until(shows(server, address, "Renamed shelf"), address, PROMISED_S)


def test_product_moved_is_seen_by_all_on_both_shelves(server, the_worker, lamp):
    left = lamp.category.get_absolute_url()
    lamp.category = make_category(slug=f"cached-other-{lamp.pk}")
    came = lamp.category.get_absolute_url()
    catalogue.save_category(lamp.category)
    warm(server, left, came)

    catalogue.save(lamp)

    wait_until(shows(server, came, lamp.slug), "the shelf it came to", PROMISED_S)
    wait_until(
        lambda: not shows(server, left, lamp.slug)(), "the shelf it left", PROMISED_S
    )


def test_change_is_seen_by_its_maker_at_once(server, lamp):
    clerk = Shopper(server, make_user(is_staff=True))
    page = lamp.get_absolute_url()
    warm(server, page)
    clerk.get(page)
    lamp.name = "Renamed lamp"

    catalogue.save(lamp)

    assert "Renamed lamp" in clerk.get(page)
    assert "Renamed lamp" in clerk.get(lamp.category.get_absolute_url())


def test_change_that_no_worker_tells_is_seen_when_pages_are_old(
    transactional_db, redis, tmp_path, static, lamp
):
    age = {"CATALOGUE_MAX_AGE_S": "3", "REDIS_URL": redis.url}
    shop = Daphne(tmp_path, redis.url, **static | age)
    shop.start()
    page = lamp.get_absolute_url()
    try:
        warm(shop, page)
        Product.objects.filter(pk=lamp.pk).update(name="Renamed lamp")  # says nothing
        assert not shows(shop, page, "Renamed lamp")()

        wait_until(shows(shop, page, "Renamed lamp"), "growing old", LONG_S)
    finally:
        shop.stop()


# --- Early pages are Django's pages -----------------------------------------------


def without_what_is_new(answer: Answer) -> dict[str, str]:
    own = {"etag", "set-cookie", "date", "content-length", "x-request-id"}
    return {k.lower(): v for k, v in answer.headers.items() if k.lower() not in own}


def test_early_page_is_the_page_of_django_with_the_same_headers(server, lamp):
    page = lamp.get_absolute_url()
    first, second = ask(server, page), ask(server, page)

    hide = re.compile("|".join(first.tokens | second.tokens))
    assert first.tokens and not first.tokens & second.tokens
    assert hide.sub("", first.text) == hide.sub("", second.text)
    assert without_what_is_new(first) == without_what_is_new(second)
    assert "csrftoken=" in second.cookies and "HttpOnly" in second.headers["Set-Cookie"]


def test_early_page_takes_no_query_and_no_view(server, lamp, redis):
    """Delete the row unnoticed. Only a cached page can still show it."""
    page = lamp.get_absolute_url()
    warm(server, page)
    lamp.variants.get().movements.all().delete()
    lamp.delete()

    assert ask(server, page).status == 200
    assert ask(server, page, Cookie="sessionid=abc").status == 200  # the shell in Redis
    assert ask(server, page + "?utm_source=x").status == 200


def test_early_page_has_a_token_that_the_forms_take(server, lamp):
    page = lamp.get_absolute_url()
    warm(server, page)
    shown = ask(server, page)
    link = HTTPConnection("127.0.0.1", server.port, timeout=20)
    body = f"quantity=1&csrfmiddlewaretoken={sorted(shown.tokens)[0]}"
    headers = {
        "Host": f"localhost:{server.port}",
        "Cookie": shown.cookies,
        "Content-Type": "application/x-www-form-urlencoded",
    }

    link.request("POST", f"/basket/add/{lamp.variants.get().pk}/", body, headers)

    assert link.getresponse().status == 302
    link.close()


def test_early_page_in_gzip_is_the_same(server, lamp):
    page = lamp.get_absolute_url()
    warm(server, page)

    plain, zipped = ask(server, page), ask(server, page, Accept_Encoding="br, gzip")

    hide = re.compile("|".join(plain.tokens | zipped.tokens))
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert len(zipped.sent) < len(plain.sent) / 2
    assert hide.sub("", plain.text) == hide.sub("", zipped.text)


def test_early_page_that_a_visitor_has_is_not_sent_again(server, lamp):
    page = lamp.get_absolute_url()
    warm(server, page)
    has = ask(server, page)
    tag = has.headers["ETag"]

    again = ask(server, page, Cookie=has.cookies, If_None_Match=tag)
    stranger = ask(server, page, If_None_Match=tag)

    assert (again.status, again.sent) == (304, b"")
    assert again.headers["Content-Security-Policy"]
    assert again.headers["Content-Type"] is None
    assert stranger.status == 200


def test_early_page_and_djangos_agree_on_what_a_visitor_has(server, lamp):
    page = lamp.get_absolute_url()
    first = ask(server, page)

    again = ask(server, page, Cookie=first.cookies, If_None_Match=first.headers["ETag"])

    assert again.status == 304


def test_early_page_asked_for_its_head_has_no_body(server, lamp):
    page = lamp.get_absolute_url()
    warm(server, page)

    answer = ask(server, page, "HEAD")

    assert (answer.status, answer.sent) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 1000


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"Authorization": "Basic eA=="}, 200),
        ({"Cookie": "messages=evil"}, 200),
        ({"Cookie": "sessionid=evil; csrftoken=short"}, 200),
        ({"Cookie": 'csrftoken="\x7f"'}, 200),
        ({"Accept-Language": "xx;q=evil, *"}, 200),
        ({"If-None-Match": "*"}, 304),
    ],
)
def test_early_page_asked_for_strangely_is_answered_as_ever(
    server, lamp, headers, status
):
    page = lamp.get_absolute_url()
    warm(server, page)

    answer = ask(server, page, **headers)

    assert answer.status == status
    assert (lamp.name in answer.text) == (status == 200)


def test_early_page_is_not_for_another_host(transactional_db, the_shop, lamp):
    """(Django logs a traceback of it.)"""
    page = lamp.get_absolute_url()
    warm(the_shop, page)

    assert ask(the_shop, page, Host="evil.example").status == 400


def test_early_page_shows_no_basket_of_somebody_else(server, lamp):
    shopper = Shopper(server)
    shopper.add(lamp.variants.get(), 3)
    page = lamp.get_absolute_url()

    theirs, strangers = shopper.get(page), ask(server, page).text

    assert '<span class="basket-badge__count">3</span>' in theirs
    assert '<span class="basket-badge__count">0</span>' in strangers
    assert '<span class="basket-badge__count">3</span>' in shopper.get(page)


# --- Numbers on pages that are kept -----------------------------------------------


def test_stock_on_a_kept_page_is_corrected_when_the_socket_opens(server, lamp):
    page = lamp.get_absolute_url()
    warm(server, page)
    variant = lamp.variants.get()
    level = stock.claim({variant.pk: 7})[0]
    shown = ask(server, page).text
    topic = f"stock:{variant.pk}"
    (version,) = re.findall(rf'data-topic="{topic}" data-version="(\d+)"', shown)
    assert int(version) < level.version  # the page is behind

    with Shopper(server).socket(Page({topic: int(version)})) as socket:
        socket.watch()

        assert socket.shows(topic, level.version)["available"] == 3


# --- Redis comes and goes ---------------------------------------------------------


def test_pages_come_without_redis_and_one_line_says_so(
    transactional_db, tmp_path, static, lamp
):
    redis = Redis(tmp_path)
    redis.start()
    shop = Daphne(tmp_path, redis.url, CATALOGUE_MAX_AGE_S="600", **static)
    shop.start()
    page = lamp.get_absolute_url()
    shopper = Shopper(shop)
    shopper.add(lamp.variants.get())
    try:
        warm(shop, page)
        shopper.get(page)
        redis.kill()
        since = shop.mark()

        answers = together([lambda: ask(shop, page)] * 8)
        mine = [shopper.get(page) for _ in range(3)]

        assert {answer.status for answer in answers} == {200}
        assert all('basket-badge__count">1<' in each for each in mine)
        said = shop.said(since)
        assert said.count("Redis is away") == 1 and "Trace" not in said

        redis.start()
        wait_until(lambda: "Redis is back" in ask_and_tell(shop, page), "it", 30)
    finally:
        shop.stop()
        redis.stop()


def ask_and_tell(shop: Daphne, page: str) -> str:
    ask(shop, page)
    return shop.said()
