"""Groups are joined together, and each hears what is sent to it."""

import asyncio
from importlib.metadata import version

import pytest
from redis import Redis as Link

from realtime import layer as module
from realtime.layer import Layer
from realtime.publish import publish
from tests.support.factories import make_variant, make_variants
from tests.support.sockets import Socket


def joins(redis) -> int:
    """How many commands to join groups that Redis has been given."""
    with Link.from_url(redis.url) as link:
        stats = link.info("commandstats")
    return stats.get("cmdstat_subscribe", {"calls": 0})["calls"]


def test_channels_redis_has_the_version_whose_internals_were_read():
    assert version("channels-redis") == "4.3.0", (
        "realtime/layer.py uses internals of channels_redis 4.3.0: read them in the new"
        " version, run this file, and only then change this line"
    )


def test_topics_of_a_page_are_joined_with_one_command(hub, loop, redis):
    socket = Socket(loop)
    socket.watch(*(f"stock:{variant.pk}" for variant in make_variants(2)))
    topics = [f"stock:{variant.pk}" for variant in make_variants(20)]
    before = joins(redis)

    socket.watch(*topics)

    assert joins(redis) - before == 1
    for topic in topics:
        publish(topic, version=9, facts=socket.page.facts[topic])
    for topic in topics:
        socket.shows(topic, 9, seconds=2)
    socket.close()


def test_pages_that_arrive_together_join_with_one_command(hub, loop, redis):
    socket = Socket(loop)
    socket.watch(f"stock:{make_variant().pk}")  # so that the hub listens
    topics = [hub.topics.hold(f"stock:{variant.pk}") for variant in make_variants(20)]
    before = joins(redis)

    async def come() -> None:
        await asyncio.gather(*(hub.groups.join([topic]) for topic in topics))

    loop.run(come())

    assert joins(redis) - before == 1
    assert all(topic.joined for topic in topics)
    socket.close()


def test_many_groups_are_joined_with_several_commands(loop, redis, monkeypatch):
    monkeypatch.setattr(module, "MAX_GROUPS", 2)
    layer = Layer(hosts=[redis.url], prefix="many")
    before = joins(redis)

    async def add() -> list[str]:
        channel = await layer.new_channel()
        groups = [f"group.{number}" for number in range(5)]
        await layer.groups_add(groups, channel)
        await layer.groups_add(groups, channel)  # which they are already
        for group in groups:
            await layer.group_send(group, {"to": group})
        heard = [(await layer.receive(channel))["to"] for _ in groups]
        await layer.flush()
        return heard

    assert loop.run(add()) == [f"group.{number}" for number in range(5)]
    assert joins(redis) - before == 1 + 3


def test_closed_channel_joins_nothing(loop, redis):
    layer = Layer(hosts=[redis.url], prefix="ended")

    with pytest.raises(RuntimeError):
        loop.run(layer.groups_add(["group"], "ended.specific"))


@pytest.mark.parametrize("servers", [1, 2, 3, 5])
def test_each_server_has_a_group(loop, redis, servers):
    layer = Layer(hosts=[redis.url] * servers, prefix="each")

    async def shards() -> list[int]:
        ours = layer._get_layer()
        groups = layer.group_on_each("probe")
        return [
            ours._shards.index(ours._get_shard(ours._get_group_channel_name(group)))
            for group in groups
        ]

    assert sorted(loop.run(shards())) == list(range(servers))
