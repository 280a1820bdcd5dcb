"""The hub is the channel layer's only subscriber in its process."""

import contextlib

from products.stock import services as stock
from tests.support.client import Client
from tests.support.factories import make_variant
from tests.support.servers import wait_until
from tests.system.groups import channels, subscribers


def test_group_is_joined_once_and_left_a_while_after_the_last_watcher(redis, quick):
    variant = make_variant()
    topic = f"stock:{variant.pk}"
    assert subscribers(redis, variant.pk) == 0

    with Client(quick) as first:
        first.watch(topic)
        with Client(quick) as second:
            second.watch(topic)
            wait_until(lambda: subscribers(redis, variant.pk) == 1, "joining", 2)
        first.beat()
        first.beat()
        assert subscribers(redis, variant.pk) == 1  # somebody is still there
    assert subscribers(redis, variant.pk) == 1  # a reload of the page costs nothing
    wait_until(lambda: subscribers(redis, variant.pk) == 0, "leaving", 4)

    with Client(quick) as again:
        again.watch(topic)
        wait_until(lambda: subscribers(redis, variant.pk) == 1, "joining", 2)
        stock.claim({variant.pk: 1})
        again.shows(topic, 2)


def test_sockets_cost_the_layer_nothing(redis, quick):
    variant = make_variant()
    with Client(quick) as first:
        first.watch(f"stock:{variant.pk}", "basket")
        wait_until(lambda: subscribers(redis, variant.pk) == 1, "joining", 2)
        before = channels(redis)
        with contextlib.ExitStack() as sockets:
            for _ in range(20):
                client = sockets.enter_context(Client(quick))
                client.watch(f"stock:{variant.pk}", "basket")

            assert channels(redis) <= before


def test_groups_of_topics_that_do_not_exist_are_left_too(redis, quick):
    before = channels(redis)

    with Client(quick) as client:
        client.send_raw('{"t":"sub","id":1,"topics":{"stock:123456789":null}}')
        assert client.receive()["code"] == "unknown_topic"
        wait_until(
            lambda: not any("123456789" in name for name in channels(redis)),
            "leaving",
            4,
        )
    assert len(channels(redis) - before) <= 2  # the hub's own
