"""Subscriptions: what they load, and what they find."""

import asyncio

import pytest

from products.live import baskets
from products.live.viewers import Owner
from products.stock import services as stock
from tests.support.factories import make_user, make_variant
from tests.support.page import Page
from tests.support.servers import wait_until
from tests.support.sockets import SilentSocket, Socket

SOCKETS = 1000


def test_thousand_sockets_that_subscribe_at_once_cost_two_queries_at_most(
    open_socket, loads, renders
):
    variants = [make_variant() for _ in range(3)]
    topics = {f"stock:{variant.pk}": None for variant in variants}
    frame = {"t": "sub", "id": 1, "topics": topics, "html": "en"}

    sockets = [open_socket() for _ in range(SOCKETS)]
    for socket in sockets:
        socket.send(frame)
    wait_until(lambda: all(socket.snaps for socket in sockets), "snapshots", 20)

    assert {len(socket.snaps[0]["items"]) for socket in sockets} == {3}
    assert len(loads) <= 2  # one more for sockets that came during the first
    assert sum(renders.values()) == 3


def test_thousand_stale_pages_that_subscribe_at_once_cost_two_queries_at_most(
    open_socket, loads
):
    """Such pages come from the page cache. The socket brings what they missed."""
    variants = [make_variant() for _ in range(3)]
    topics = {f"stock:{variant.pk}": variant.stock.version for variant in variants}
    for variant in variants:
        stock.claim({variant.pk: 4})
    frame = {"t": "sub", "id": 1, "topics": topics, "html": "en"}

    sockets = [open_socket() for _ in range(SOCKETS)]
    for socket in sockets:
        socket.send(frame)
    wait_until(lambda: all(socket.snaps for socket in sockets), "snapshots", 20)

    shown = [item[2]["available"] for s in sockets for item in s.snaps[0]["items"]]
    assert shown == [6] * 3 * SOCKETS
    assert len(loads) <= 2


def test_second_subscription_costs_no_query(open_socket, loads):
    variant = make_variant()
    socket = open_socket()
    socket.watch(f"stock:{variant.pk}")

    for _ in range(5):
        assert socket.watch(is_new=False)["items"] == []

    assert len(loads) == 1


def test_page_with_a_higher_version_makes_the_hub_reload(hub, loop, open_socket):
    """An event was lost, and the page was made from the database afterwards."""
    variant = make_variant()
    topic = f"stock:{variant.pk}"
    first = open_socket()
    first.watch(topic)
    lose_events(loop, hub)
    stock.claim({variant.pk: 1})
    assert first.page.shown[topic] == 1  # the premise: it was lost

    open_socket(Page({topic: 2})).watch()

    assert first.shows(topic, 2)["available"] == 9


def lose_events(loop, hub) -> None:
    """The hub hears nothing more from the layer."""
    from realtime.publish import flush

    assert flush()
    loop.call(setattr, hub.listener, "hear", lambda event: None)


def test_basket_topics_of_a_visitor_without_a_basket_cost_no_query(open_socket, loads):
    socket = open_socket()
    socket.watch("basket", "basket:lines")

    assert socket.page.facts["basket"] == baskets.EMPTY_BASKET
    assert socket.page.facts["basket:lines"] == baskets.NO_LINES
    assert loads == []


def test_topic_that_did_not_exist_is_found_once_it_does(open_socket):
    variant = make_variant()
    socket = open_socket()
    unknown = f"stock:{variant.pk + 1}"
    socket.send({"t": "sub", "id": 1, "topics": {unknown: None}})
    wait_until(lambda: socket.snaps, "the snapshot", 5)
    assert socket.frames[0]["topics"] == [unknown]

    later = make_variant()
    assert f"stock:{later.pk}" == unknown  # the premise
    other = open_socket()
    wait_until(lambda: other.watch(unknown, is_new=False)["items"], "it", 3)


def test_topic_without_watchers_is_forgotten_after_a_while(hub, loop, settings):
    settings.LIVE = settings.LIVE | {"LINGER_S": 0.2}
    variant = make_variant()
    socket = Socket(loop)
    socket.watch(f"stock:{variant.pk}", "basket")
    socket.close()

    assert loop.call(lambda: set(hub.audiences.listening)) == {
        f"stock:{variant.pk}",
        "basket:",
    }
    wait_until(lambda: not loop.call(lambda: hub.topics.by_key), "forgetting", 6)
    assert not loop.call(lambda: hub.audiences.sockets)
    assert not loop.call(lambda: hub.audiences.listening)


@pytest.mark.parametrize("failure", [RuntimeError("closed"), OSError("reset")])
def test_client_that_leaves_during_an_answer_is_no_error(open_socket, hub, db, failure):
    variant = make_variant()
    left, stays = open_socket(), open_socket()
    stays.watch(f"stock:{variant.pk}")
    left.failure = failure

    left.send({"t": "sub", "id": 1, "topics": {f"stock:{variant.pk}": None}})

    left.served()  # would raise what the application raised
    assert [topic.watchers for topic in hub.topics.by_key.values()] == [1]


def test_baskets_of_sockets_that_subscribe_at_once_are_loaded_with_one_query(
    hub, loop, loads
):
    topics = [f"basket:{Owner(make_user().pk).key}" for _ in range(12)]

    async def watch() -> None:
        await asyncio.gather(
            *(hub.watch(SilentSocket(), {key: None}, None) for key in topics)
        )

    loop.run(watch())

    assert [len(keys) for keys in loads] == [12]
