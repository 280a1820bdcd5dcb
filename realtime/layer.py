"""channels_redis' pub/sub layer, which joins many groups with one command.

With several servers each group is kept by one of them, by a hash of its name.

It looks into `channels_redis.pubsub`, whose version is pinned; `tests/realtime/
test_layer.py` fails when what it needs has changed.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable

from channels_redis.pubsub import RedisPubSubChannelLayer

AT_ONCE = 500  # groups a command: about 20 KB


class Layer(RedisPubSubChannelLayer):
    async def groups_add(self, groups: Iterable[str], channel: str) -> None:
        """`group_add` for each of them, but for one command a server and 500 groups."""
        layer = self._get_layer()
        if channel not in layer.channels:
            raise RuntimeError("The channel has ended")
        names = defaultdict(list)
        for group in groups:
            name = layer._get_group_channel_name(group)
            layer.groups.setdefault(name, set()).add(channel)
            names[layer._get_shard(name)].append(name)
        for shard, wanted in names.items():
            for start in range(0, len(wanted), AT_ONCE):
                await _subscribe(shard, wanted[start : start + AT_ONCE])

    def group_on_each(self, stem: str) -> list[str]:
        """Names of groups that begin with `stem`, one for each server."""
        layer, found = self._get_layer(), {}
        for number in itertools.count():
            group = f"{stem}.{number}"
            shard = layer._get_shard(layer._get_group_channel_name(group))
            found.setdefault(shard, group)
            if len(found) == len(layer._shards):
                return list(found.values())


async def _subscribe(shard, names: list[str]) -> None:
    """As the shard itself does for one."""
    async with shard._lock:
        new = [name for name in names if name not in shard._subscribed_to]
        if new:
            shard._ensure_redis()
            shard._ensure_receiver()
            await shard._pubsub.subscribe(*new)
            shard._subscribed_to.update(new)
