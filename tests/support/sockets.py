"""One socket of the shop's ASGI application, spoken to without a network."""

import asyncio
import json
from collections.abc import Callable

from django.conf import settings
from django.test import Client

from project.asgi import application
from tests.support import schema
from tests.support.page import Page
from tests.support.servers import wait_until
from users.models import User


def session_of(user: User) -> str:
    """A Cookie header of somebody who has signed in."""
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    return f"{name}={client.cookies[name].value}"


class Socket:
    """A page and its socket. `loop` is where the application runs; `frames` are the
    checked frames that have come. `can_send` is what a slow client lacks; `failure` is
    what its server raises when it writes to one that has gone."""

    def __init__(self, loop, page: Page | None = None, cookie: str = "") -> None:
        self.page = page or Page()
        self.frames: list[dict] = []
        self.closed: int | None = None
        self.failure: Exception | None = None
        self.heard: Callable[[dict], None] = self.page.hear
        self._loop, self._inbox = loop, loop.call(asyncio.Queue)
        self.can_send = loop.call(asyncio.Event)
        loop.call(self.can_send.set)
        headers = [(b"cookie", cookie.encode())] if cookie else []
        scope = {"type": "websocket", "path": "/ws/", "headers": headers}
        self._served = loop.spawn(application(scope, self._inbox.get, self._send))
        self._put({"type": "websocket.connect"})

    def _put(self, message: dict) -> None:
        self._loop.call(self._inbox.put_nowait, message)

    async def _send(self, message: dict) -> None:
        await self.can_send.wait()
        if self.failure:
            raise self.failure
        if message["type"] == "websocket.close":
            self.closed = message.get("code")
        elif message["type"] == "websocket.send":
            frame = schema.received(message["text"])
            self.heard(frame)
            self.frames.append(frame)  # the page shows it now

    def send(self, frame: dict) -> None:
        schema.check(frame, schema.SENT_BY_CLIENT)
        self._put({"type": "websocket.receive", "text": json.dumps(frame)})

    def watch(self, *names: str, is_new: bool = True, html: str | None = None) -> dict:
        """Subscribe to what the page shows and `names`; gives the snapshot."""
        for name in names:
            self.page.shown.setdefault(name, -1)
        frame = self.page.subscription(is_new_socket=is_new, html=html)
        frame["topics"] = {
            name: None if version == -1 else version
            for name, version in frame["topics"].items()
        }
        count = len(self.snaps)
        self.send(frame)
        wait_until(lambda: len(self.snaps) > count, "the snapshot", 5)
        return self.snaps[-1]

    @property
    def snaps(self) -> list[dict]:
        return [frame for frame in tuple(self.frames) if frame["t"] == "snap"]

    def shows(self, name: str, version: int, seconds: float = 5) -> dict:
        """Wait until the page shows that version or a later one; gives the facts."""
        shown = self.page.shown
        wait_until(lambda: shown.get(name, -1) >= version, f"{name} {version}", seconds)
        return self.page.facts[name]

    def served(self) -> None:
        """Wait until the application is done with it; raises what it raised."""
        self._served.result(5)

    def close(self) -> None:
        """Go away; raises what the application raised."""
        self._put({"type": "websocket.disconnect", "code": 1001})
        self.served()


class SilentSocket:
    """What the hub needs of a socket, without a client."""

    def __init__(self) -> None:
        self.audiences = ()
        self.is_dismissed = False

    def push(self, frame, keys) -> bool:
        return True

    def dismiss(self, reason) -> None:
        self.is_dismissed = True
