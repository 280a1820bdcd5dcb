"""The peer: live stock as the Channels tutorial would have one write it.

Each socket adds itself to a group for every product it shows; a sale is a `group_send`
that each of them receives, decodes, encodes and sends by itself.
https://channels.readthedocs.io/en/stable/tutorial/part_3.html
"""

import json
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from django.core.asgi import get_asgi_application  # noqa: E402

pages = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.layers import channel_layers  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402
from django.urls import path  # noqa: E402

from tests.benchmarks.scratch import CORE_LAYER, make_layer  # noqa: E402

channel_layers.set("default", make_layer(settings.REDIS_URL, CORE_LAYER))


class StockConsumer(AsyncWebsocketConsumer):
    """One group a product, one message a change."""

    async def connect(self) -> None:
        self.groups_joined: list[str] = []
        await self.accept()

    async def disconnect(self, code: int) -> None:
        for group in self.groups_joined:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data=None) -> None:
        for name in json.loads(text_data)["topics"]:
            group = "live." + name.replace(":", ".")
            await self.channel_layer.group_add(group, self.channel_name)
            self.groups_joined.append(group)
        await self.send(text_data=json.dumps({"t": "snap", "id": 1, "items": []}))

    async def live(self, event: dict) -> None:
        item = [event["topic"], event["version"], event["facts"]]
        await self.send(text_data=json.dumps({"t": "upd", "items": [item]}))


sockets = URLRouter([path("ws/", AuthMiddlewareStack(StockConsumer.as_asgi()))])
application = ProtocolTypeRouter({"http": pages, "websocket": sockets})
