"""Pages of the catalogue are read from a streaming standby, and nothing else is.

What the standby is to show it shows while it is held back: then the primary has another
name of the same product.
"""

import json
import re
from collections.abc import Callable

import pytest
from django.db import connection

from products.models import Product
from products.pagecache import caching
from products.stock import services as stock
from tests.support.client import Client
from tests.support.factories import make_product, make_user
from tests.support.page import Page
from tests.support.servers import Daphne, wait_until
from tests.support.shopper import Shopper
from tests.system.answers import get

OLD, NEW = "Amber lamp", "Cobalt lamp"
SOON_S = 20
PLACES = ["/", "/products/", "/products/?q=lamp", "/search/suggest/?q=lamp"]


@pytest.fixture
def lamp(pair) -> Product:
    product = make_product(name=OLD, on_hand=10)
    pair.catch_up()
    return product


@pytest.fixture
def start(pair, redis, serve) -> Callable[..., Daphne]:
    """A shop that has found its replica."""

    def start(max_lag: float, max_age: float = 0) -> Daphne:
        shop = serve(
            redis,
            DATABASE_URL=pair.url,
            DATABASE_REPLICA_URL=pair.replica_url,
            DATABASE_REPLICA_MAX_LAG_S=str(max_lag),
            CATALOGUE_MAX_AGE_S=str(max_age),
        )
        wait_until(lambda: reads_replica(shop), "the first read", SOON_S)
        return shop

    return start


def reads_replica(shop: Daphne) -> bool:
    """Whether a page that is made now is read there."""
    before = replica_reads(shop)
    assert get(shop, "/search/suggest/?q=something")[0] == 200
    return replica_reads(shop) > before


def replica_reads(shop: Daphne) -> float:
    name = r'^shop_catalogue_reads_total\{server="replica"\} ([0-9.]+)$'
    match = re.search(name, get(shop, "/metrics")[2], re.MULTILINE)
    return float(match[1]) if match else 0


def replica_of(shop: Daphne) -> str:
    status, _headers, body = get(shop, "/readyz")
    assert status == 200, "the shop goes on without a replica"
    return json.loads(body)["replica"]


def rename(lamp: Product) -> None:
    Product.objects.filter(pk=lamp.pk).update(name=NEW)


def test_catalogue_is_read_from_the_replica_and_own_writes_from_the_primary(
    pair, start, lamp
):
    shop = start(max_lag=60)
    visitor, staff = Shopper(shop), Shopper(shop, make_user(is_staff=True))
    customer = Shopper(shop, make_user())
    variant = lamp.variants.get()
    pair.catch_up()
    places = [*PLACES, lamp.get_absolute_url()]

    with pair.held():
        rename(lamp)
        stock.claim({variant.pk: 3})

        for place in places:
            page = get(shop, place)[2]
            assert OLD in page and NEW not in page, place
            assert 'data-timeline=""' not in page, place
            assert NEW in staff.get(place), f"staff see {place} as it is"
        assert OLD in customer.get(lamp.get_absolute_url())

        topic = f"stock:{variant.pk}"
        page = Page({topic: 1})  # as the standby's page says
        page.timeline = timeline_of(get(shop, "/products/")[2])
        with Client(shop, page) as client:
            client.send(page.subscription(is_new_socket=True))
            for item in client.receive()["items"]:
                page.take(item)
        assert (page.shown[topic], page.facts[topic]["available"]) == (2, 7)

        visitor.add(variant)
        assert visitor.cookies["wrote"] == "1"
        for place in [*places, "/basket/"]:
            page = visitor.get(place)
            assert NEW in page and OLD not in page, place
    assert "Traceback" not in shop.said()


def timeline_of(page: str) -> str:
    return re.search(r'data-timeline="([0-9a-f]+)"', page)[1]


def test_page_that_is_kept_is_never_older_than_the_change_it_was_made_anew_for(
    pair, start, lamp, redis, settings
):
    ours = {"LOCATION": redis.url, "KEY_PREFIX": "shop"}
    settings.CACHES = settings.CACHES | {"default": settings.CACHES["default"] | ours}
    shop = start(max_lag=60, max_age=600)
    place = lamp.get_absolute_url()
    before = replica_reads(shop)
    pages = ["/", "/products/", place]
    assert all(OLD in get(shop, page)[2] for page in pages)
    assert replica_reads(shop) > before, "pages are made from the replica, usually"

    with pair.held():
        rename(lamp)
        caching.touch([caching.CATALOGUE, caching.product(lamp.slug)])

        assert OLD in get(shop, "/products/?q=lamp")[2], "the premise"
        for page in pages:
            wait_until(lambda page=page: NEW in get(shop, page)[2], page, 5)
    pair.catch_up()
    assert all(NEW in get(shop, page)[2] for page in pages)


def test_replica_that_is_behind_cut_off_or_away_is_not_used_and_said_so_once(
    pair, start, lamp
):
    shop = start(max_lag=1)
    place = lamp.get_absolute_url()

    def is_told(state: str, reason: str, since: int) -> None:
        wait_until(lambda: replica_of(shop) == state, state, SOON_S)
        wait_until(lambda: "is not used" in shop.said(since), "the line", SOON_S)
        pages = [get(shop, place) for _ in range(5)]
        assert [status for status, _headers, _page in pages] == [200] * 5
        assert all(NEW in page for _status, _headers, page in pages)
        said = shop.said(since)
        assert said.count(f"The read replica is not used: {reason}") == 1, said
        assert said.count("is not used") == 1, said
        assert "The database is away" not in said

    def is_used_again(since: int) -> None:
        wait_until(lambda: reads_replica(shop), "the replica", SOON_S)
        assert shop.said(since).count("The read replica is used again.") == 1

    since = shop.mark()
    with pair.held():
        rename(lamp)
        is_told("behind", "it is too far behind the primary", since)
    is_used_again(since)

    since = shop.mark()
    pair.catch_up()
    connection.close()
    pair.standby.kill()
    is_told("away", "it does not answer", since)
    pair.follow()
    is_used_again(since)

    since = shop.mark()
    pair.cut()
    is_told("follows nobody", "it receives nothing from a primary", since)
    pair.mend()
    is_used_again(since)
    assert "Traceback" not in shop.said()


def test_replica_that_dies_while_pages_are_read_costs_no_page(pair, start, lamp):
    shop = start(max_lag=60)
    assert get(shop, "/products/")[0] == 200
    connection.close()

    pair.standby.kill()
    statuses = [get(shop, page)[0] for page in PLACES * 3]

    assert statuses == [200] * len(statuses)
    assert shop.said().count("The read replica is not used") == 1
    assert "Traceback" not in shop.said()
