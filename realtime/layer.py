"""The pub/sub channel layer of channels_redis, with joins of many groups at once.

With several Redis servers, a hash of its name decides which server has a group.

This depends on internals of `channels_redis.pubsub`, whose version is pinned.
`tests/realtime/test_layer.py` fails when they change.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from channels_redis.pubsub import RedisPubSubChannelLayer

MAX_GROUPS = 500  # per command: about 20 KB


class Layer(RedisPubSubChannelLayer):
    async def groups_add(self, groups: Iterable[str], channel: str) -> None:
        """Do `group_add` for each group, with one command per server and 500 groups."""
        layer = self._get_layer()
        if channel not in layer.channels:
            raise RuntimeError("The channel has ended")
        names: dict[Any, list[str]] = defaultdict(list)
        for group in groups:
            name = layer._get_group_channel_name(group)
            layer.groups.setdefault(name, set()).add(channel)
            names[layer._get_shard(name)].append(name)
        for shard, missing in names.items():
            for start in range(0, len(missing), MAX_GROUPS):
                await _subscribe(shard, missing[start : start + MAX_GROUPS])

    def group_on_each(self, stem: str) -> list[str]:
        """Return names of groups that start with `stem`, one for each server."""
        layer = self._get_layer()
        groups: dict[Any, str] = {}
        numbers = itertools.count()
        while len(groups) < len(layer._shards):
            group = f"{stem}.{next(numbers)}"
            shard = layer._get_shard(layer._get_group_channel_name(group))
            groups.setdefault(shard, group)
        return list(groups.values())


async def _subscribe(shard: Any, names: list[str]) -> None:
    """Subscribe to several names, as the shard does to one."""
    async with shard._lock:
        new = [name for name in names if name not in shard._subscribed_to]
        if new:
            shard._ensure_redis()
            shard._ensure_receiver()
            await shard._pubsub.subscribe(*new)
            shard._subscribed_to.update(new)
