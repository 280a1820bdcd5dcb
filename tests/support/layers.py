"""Which channel layer this process publishes through."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from channels.layers import channel_layers
from django.conf import settings

from project import redis_url
from realtime.layer import Layer
from realtime.publish import flush

OPTIONS = ("socket_timeout", "socket_connect_timeout", "retry")


@contextmanager
def publishing_through(layer: Any) -> Iterator[None]:
    """Publish through `layer` meanwhile, and through the usual one again after."""
    before = channel_layers["default"]  # made now, if nothing was published yet
    flush()
    channel_layers.set("default", layer)
    try:
        yield
    finally:
        flush()
        channel_layers.set("default", before)


def publishing_at(*addresses: str) -> AbstractContextManager[None]:
    """Publish through these Redises meanwhile, with the shop's own options."""
    config = settings.CHANNEL_LAYERS["default"]["CONFIG"]
    (ours,) = config["hosts"]
    options = {name: ours[name] for name in OPTIONS}
    hosts = [redis_url.parse(address).layer_host(**options) for address in addresses]
    return publishing_through(Layer(**config | {"hosts": hosts}))
