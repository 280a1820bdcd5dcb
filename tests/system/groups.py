"""Reads the channel layer's groups from Redis."""

import os

from redis import Redis as Link

from realtime.publish import group_of
from tests.support.servers import Redis


def channels(redis: Redis) -> set[str]:
    """Every channel of the tests that anybody subscribes to now."""
    with Link.from_url(redis.url, decode_responses=True) as link:
        return set(link.pubsub_channels(f"{os.environ['LAYER_PREFIX']}*"))


def subscribers(redis: Redis, variant_id: int) -> int:
    """How many processes listen to a product's stock."""
    group = group_of(f"stock:{variant_id}")
    with Link.from_url(redis.url) as link:
        name = f"{os.environ['LAYER_PREFIX']}__group__{group}"
        return link.pubsub_numsub(name)[0][1]
