"""A channel layer of two servers, which share its groups. The cache and all else use a
third one.

The audit is slow: nothing but a push, or a Redis that is known to be away, can have
brought what pages show.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from products.stock import services as stock
from project import redis_url
from realtime import outages
from tests.support.client import Client
from tests.support.factories import make_variant, make_variants
from tests.support.layers import publishing_at
from tests.support.redis_faults import FAULTS
from tests.support.servers import Redis, Shop, wait_until
from tests.system.groups import channels, subscribers

BACK_S = 20
# deploy/README.md says that these are enough; the test itself looks at subscriptions.
RIGHTS = "on nopass &* -@all +ping +@connection +publish +subscribe +unsubscribe"
LOOK = "+pubsub"
SLOW = {"LIVE_AUDIT_S": "60", "LIVE_PROBE_S": "0.2"}


class Layer(NamedTuple):
    """Two servers and a shop that uses both."""

    one: Redis
    two: Redis
    shop: Shop

    def keepers(self, variant_id: int) -> list[Redis]:
        """The servers at which the shop listens to a product."""
        servers = [self.one, self.two]
        return [redis for redis in servers if subscribers(redis, variant_id)]


@pytest.fixture
def layer(shared_redis, serve: Callable[..., Shop], tmp_path) -> Iterator[Layer]:
    servers = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        servers.append(Redis(tmp_path / name))
        servers[-1].options = ["--user", "default", *RIGHTS.split(), LOOK]
        servers[-1].start()
    urls = [redis.url for redis in servers]
    shop = serve(shared_redis, **SLOW, REDIS_LAYER_URLS=" ".join(urls))
    with publishing_at(*urls):
        yield Layer(*servers, shop)
    for redis in servers:
        redis.stop()


def wait_for(shop: Shop, words: str) -> None:
    wait_until(lambda: words in shop.said(), words, BACK_S)


def test_groups_are_shared_out_and_changes_of_each_are_pushed(layer, shared_redis):
    variants = [variant.pk for variant in make_variants(20)]
    before = channels(shared_redis)

    with Client(layer.shop) as client:
        client.watch(*(f"stock:{pk}" for pk in variants))
        keepers = [layer.keepers(pk) for pk in variants]
        stock.claim(dict.fromkeys(variants, 1))
        for pk in variants:
            client.shows(f"stock:{pk}", 1, seconds=2)

    assert all(len(servers) == 1 for servers in keepers)
    assert {servers[0].url for servers in keepers} == {layer.one.url, layer.two.url}
    assert channels(shared_redis) == before


@pytest.mark.parametrize("name", ["one", "two"])
@pytest.mark.parametrize("fault", ["killed", "frozen"])
def test_server_that_is_away_is_polled_through_and_comes_back(layer, name, fault):
    redis, variant = getattr(layer, name), make_variant()
    topic = f"stock:{variant.pk}"

    with Client(layer.shop) as client:
        client.watch(topic)
        with FAULTS[fault].begin(redis):
            for version in (2, 3):
                stock.claim({variant.pk: 1})
                client.shows(topic, version, seconds=8)
            wait_for(layer.shop, "Redis is away")
        wait_for(layer.shop, "Redis is back")
        stock.claim({variant.pk: 1})
        client.shows(topic, 4, seconds=2)

    assert "Traceback" not in layer.shop.said()


@pytest.mark.parametrize("name", ["one", "two"])
def test_health_check_looks_at_each_server_of_the_layer(layer, settings, name):
    urls = [layer.one.url, layer.two.url]
    settings.REDIS_LAYER = tuple(map(redis_url.parse, urls))
    assert outages.ask() == outages.OK

    getattr(layer, name).kill()

    assert outages.ask() == outages.AWAY
