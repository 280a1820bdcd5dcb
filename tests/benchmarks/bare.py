"""The peers of `sockets.py`: what a socket costs before it does anything for anybody.

`application` is as little ASGI as there can be; `channels` is a Channels consumer that
does the same, without `AuthMiddlewareStack`.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from django.core.asgi import get_asgi_application  # noqa: E402

pages = get_asgi_application()  # the same modules in memory as the shop has

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter  # noqa: E402

ANSWER = '{"t":"snap","id":1,"items":[]}'


async def bare(scope, receive, send) -> None:
    """Accept, and answer every frame."""
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": ANSWER})


class Consumer(AsyncWebsocketConsumer):
    """The same."""

    async def receive(self, text_data: str | None = None, bytes_data=None) -> None:
        await self.send(text_data=ANSWER)


application = ProtocolTypeRouter({"http": pages, "websocket": bare})
channels = ProtocolTypeRouter({"http": pages, "websocket": Consumer.as_asgi()})
